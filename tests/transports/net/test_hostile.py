"""Members that do all they can to bring a host down, while an honest job is computed there.

Real processes; the host has 512 MB of address space and a disk of 64 MB. Each attack goes on until
the job is over, by some who have greeted as they should and may take part. The host lives, the
result is right, the job takes no more than about twice its time, and the host answers others all
the while.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from time import monotonic
from typing import Any

import attrs
import pytest
import trio

from core import Computation, Session
from core import messages as m
from core.sessions.messages import NODE_BITS
from tests.processes import SECONDS_MAX
from tests.running import Programs, programs
from tests.transports.net.crafted import GIVEN, HOSTILE, framed
from tests.transports.talking import Stranger
from transports.net import wire
from transports.net.connection import Me
from transports.net.errors import RemoteProtocolError
from transports.net.limits import FRAME_BYTES_MAX
from transports.values.handles import KEY

MEMORY_BYTES = 2**29
DISK_BYTES = 2**26
NODES, PARTITIONS = 20, 480
JOB = ("--partitions", PARTITIONS, "--fanout", 10, "--delay", 0.05)
ANSWER_SECONDS_MAX = 1.0
SLACK_SECONDS = 1.0  # others are at work on this machine
MANY_NODES = 60_000
LINES_MAX = 200


class Member:
    """One more process that takes part in the job, as far as the host can tell."""

    def __init__(self, stream: trio.SocketStream, number: int, nodes: int) -> None:
        self.stranger = Stranger(stream)
        self.me = Me(number, None, nodes)
        self.node = number << NODE_BITS

    async def say(self, *frames: bytes) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.stranger.say(*frames)

    async def leave_when_cut(self) -> None:
        await self.stranger.is_left_alone()


class Attack:
    """A crowd of members of one kind, each in a connection of its own, for as long as the block."""

    def __init__(self, address: str, kind: Kind) -> None:
        host, _, port = address.rpartition(":")
        self.at = host, int(port)
        self.kind = kind
        self.came = 0
        self.answers: list[float] = []  # seconds, of one who asks how it stands

    @contextmanager
    def goes_on(self) -> Iterator[None]:
        """In a thread of its own, for as long as the block lasts."""
        over = threading.Event()
        thread = threading.Thread(target=trio.run, args=(self.run, over))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    async def run(self, over: threading.Event) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ask)
            for _ in range(self.kind.crowd):
                nursery.start_soon(self._come_again)
            await trio.to_thread.run_sync(over.wait)
            nursery.cancel_scope.cancel()

    async def _come_again(self) -> None:
        while True:
            with suppress(OSError, trio.BrokenResourceError, RemoteProtocolError):
                async with await trio.open_tcp_stream(*self.at) as stream:
                    member = Member(stream, wire.random_number(), self.kind.nodes)
                    await member.stranger.greet(member.me)
                    self.came += 1
                    await self.kind.does(member)
            await trio.lowlevel.checkpoint()

    async def _ask(self) -> None:
        async with await trio.open_tcp_stream(*self.at) as stream:
            asking = Stranger(stream)
            await asking.greet(Me(wire.random_number(), None))
            asked = True
            while asked:
                asked = await self._is_told(asking)

    async def _is_told(self, asking: Stranger) -> bool:
        began = monotonic()
        with suppress(trio.BrokenResourceError):
            await asking.say(wire.encode(wire.Ask()))
        while not isinstance(heard := await asking.hear(), wire.Told):
            if heard is None:
                return False  # the job is over
        self.answers.append(monotonic() - began)
        return True


def much() -> Iterator[bytes]:
    """Each kind of value that is large where it is taken apart, in the longest of frames."""
    yield from cycle([framed(GIVEN + made(FRAME_BYTES_MAX - 100)) for made in HOSTILE.values()])


MUCH = much()  # made when it is asked for


# -- what they do --------------------------------------------------------------------------


async def make_much_of_little(member: Member) -> None:
    """One kind after the other."""
    await member.say(next(MUCH))
    await member.leave_when_cut()


async def leave_halves(member: Member) -> None:
    """All but the end of a long frame, and nothing more."""
    halves = framed(GIVEN + bytes(FRAME_BYTES_MAX - 100))[: FRAME_BYTES_MAX - 2**16]
    await member.say(halves)
    await member.leave_when_cut()


async def say_much_that_does_not_count(member: Member) -> None:
    """The largest of honest messages, from one who has no right to it."""
    prepared = wire.encode(wire.Call("0", member.node, m.Prepared([[0.5] * 200] * 2000)))
    while True:
        await member.say(prepared)
        await trio.lowlevel.checkpoint()


async def arrive_where_nothing_opens(member: Member) -> None:
    """With each of its many nodes."""
    for start in range(member.node, member.node + MANY_NODES, 1000):
        arrivals = [
            wire.encode(wire.Call("0-1-1", node, m.Arrive(node, None, None)))
            for node in range(start, start + 1000)
        ]
        await member.say(b"".join(arrivals))
    await trio.sleep(1)


async def say_small_things_without_end(member: Member) -> None:
    leave = wire.encode(wire.Call("0-1", member.node, m.Leave())) * 1000
    while True:
        await member.say(leave)
        await trio.lowlevel.checkpoint()


async def bring_what_is_too_large(member: Member) -> None:
    """For a slot that it is given; values that it never has, but would send if asked."""
    node, state = member.node, None
    while (heard := await member.stranger.hear()) is not None:
        match heard:
            case wire.Begin():
                await member.say(wire.encode(wire.Call("0", node, m.Arrive(node, None, None))))
            case wire.Follow(snapshot=snapshot):
                state = Session.restore(Computation, snapshot)
            case wire.Ordered(time=time, message=message) if state is not None:
                state.apply(time, message)
                if type(message) is m.Joined and message.node == node:
                    await member.say(*_too_large(node, state.model.slots.worker))
            case wire.Fetch(sha=sha, offset=offset):
                chunk = wire.Chunk(sha, offset, DISK_BYTES, bytes(2**18))
                await member.say(wire.encode(chunk))


def _too_large(node: int, workers: list[int | None]) -> list[bytes]:
    """Values for the slot that it has."""
    if node not in workers:
        return []
    values = [{KEY: f"{i:064x}", "size": DISK_BYTES} for i in range(17)]
    slot = workers.index(node)
    calls = [m.Finished(node, (slot,), [value], 1.0) for value in values]
    return [wire.encode(wire.Call("0", node, call)) for call in calls]


async def be_nobody(member: Member) -> None:
    """A stranger who is refused, again and again."""
    await member.say(b"\xff" * 4)
    await member.leave_when_cut()


@attrs.frozen
class Kind:
    """How many do that at a time, each with how many nodes; and what the host says of it."""

    does: Callable[[Member], Awaitable[None]]
    says: str = ""
    crowd: int = 3
    nodes: int = MANY_NODES
    early: bool = False  # it begins with them, before the others come


KINDS = [
    Kind(make_much_of_little, "it would take more than"),
    Kind(leave_halves, "bytes that may be kept for all", crowd=20),
    Kind(say_much_that_does_not_count),
    Kind(arrive_where_nothing_opens),
    Kind(say_small_things_without_end),
    Kind(bring_what_is_too_large, "which --values-max is for", nodes=NODES, early=True),
    Kind(be_nobody, "more like this in the last"),
]


# -- and what comes of it ------------------------------------------------------------------


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def small_disk(folder: Path) -> list[str]:
    """What has a program see a disk of its own in that folder, for its temporary files."""
    script = f'mount -t tmpfs -o size={DISK_BYTES} tmpfs "$0" && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", script, str(folder)]
    if shutil.which("unshare") is None:
        pytest.skip("no program `unshare` here to make a small disk with")
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no small disk can be made here: {tried.stderr.strip()}")
    return prefix


def measured(run: Programs, kind: Kind | None = None, **popen: Any) -> Measured:
    """One job, which goes on alone or disturbed by that kind."""
    host = run.host(*JOB, "--values-max", 2**25, "--wait-nodes", NODES, preexec_fn=limited, **popen)
    attack = Attack(host.address, kind or Kind(nobody))
    join = None if kind and kind.early else run.join(host, "--nodes", NODES)
    if join:
        host.says("work begins")
    coming = 0.0
    with attack.goes_on():
        if join is None:
            host.says(kind.says if kind else "")
            began = monotonic()
            join = run.join(host, "--nodes", NODES)
            join.says(" nodes for ")
            coming = monotonic() - began
        report = host.report(seconds=SECONDS_MAX)
        join.ended()
    seconds = report["finished_seconds"] - coming
    return Measured(report["result"], seconds, attack, host.stderr)


async def nobody(member: Member) -> None:
    await trio.sleep_forever()


@attrs.frozen
class Measured:
    """What came of a job, how many seconds it took with all who compute it, who disturbed it, and
    what the host said."""

    result: Any
    seconds: float
    attack: Attack
    said: str


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """How it goes where nobody disturbs."""
    with programs(tmp_path_factory.mktemp("calm")) as run:
        return measured(run)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.does.__name__)
def test_an_honest_job_does_not_notice(run: Programs, calm: Measured, kind: Kind) -> None:
    disk = run.folder / "disk"
    disk.mkdir()
    found = measured(run, kind, prefix=small_disk(disk), env={"TMPDIR": str(disk)})
    assert found.result == calm.result
    assert found.attack.came >= kind.crowd
    assert found.seconds < 2 * calm.seconds + SLACK_SECONDS
    assert max(found.attack.answers) < ANSWER_SECONDS_MAX
    assert kind.says in found.said
    assert len(found.said.splitlines()) < LINES_MAX
    assert "Traceback" not in found.said
