"""Who says what it has no right to, on real sockets, in the middle of a job.

It is counted, named and cut off, and nobody else loses anything by it: the job ends as it should.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from core import Host, Reflector
from core import messages as m
from core.messages import Place, Value
from core.sessions.messages import NODE_BITS
from core.sessions.roles import seal
from core.sessions.states import APPOINT, IllegalStep
from core.sessions.votes import digests
from tests.transports.living import (
    HELPER,
    HELPER_NUMBER,
    HOST,
    OPEN,
    Intruder,
    Life,
    life,
    settled,
)
from tests.transports.logged import warnings
from tests.transports.talking import Stranger, serve, until
from transports.net import wire
from transports.net.connection import Me
from transports.net.dialling import dial
from transports.process.process import Process
from transports.values.blobs import Blobs

SECONDS_MAX = 20
NUMBER = 77
NODE = NUMBER << NODE_BITS
EVIL = "127.0.0.1:5009"
OTHER = HELPER_NUMBER << NODE_BITS
KEY = bytes(16)
LEAF, INTERIOR = (16, 16), (225, 15)  # partitions and fanout: twelve nodes leave room for more


class Member(Stranger):
    """Somebody who takes part in a session, by hand."""

    def __init__(
        self, stream: trio.SocketStream, target: Process, number: int, address: str | None
    ) -> None:
        super().__init__(stream)
        self.target = target
        self.me = Me(number, address, 5)
        self.node = number << NODE_BITS
        self.heard: list[wire.Envelope] = []

    async def arrive(self, session: str = "0", past: m.Past | None = None) -> None:
        await self.call(m.Arrive(self.node, None, None, past), session)

    async def join(self) -> None:
        """Be seated in the root."""
        await self.arrive()
        while self.node not in self.reflector.members:
            assert await self.next() is not None

    async def call(self, call: Any, session: str = "0", node: int | None = None) -> None:
        said = wire.Call(session, self.node if node is None else node, call)
        await self.say(wire.encode(said))

    async def next(self) -> wire.Envelope | None:
        envelope = await self.hear()
        if envelope is not None:
            self.heard.append(envelope)
        return envelope

    async def is_cut(self) -> bool:
        """Whether all that it has said led to that; else all of it has been heard."""
        with suppress(trio.BrokenResourceError):
            await self.say(wire.encode(wire.Ask()))
        while (envelope := await self.next()) is not None:
            if isinstance(envelope, wire.Told):
                return False
        return True

    def replies(self) -> list[m.Reply]:
        return [said.reply for said in self.heard if isinstance(said, wire.Answer)]

    @property
    def reflector(self) -> Reflector:
        return self.target.host.reflectors["0"]

    @property
    def slot(self) -> int:
        """That which it was given."""
        return int(self.reflector.model.slots.worker.index(self.node))


@asynccontextmanager
async def connected(
    lived: Life, target: Process, number: int = NUMBER, address: str | None = None
) -> AsyncIterator[Member]:
    host, _, port = (await serve(lived.nursery, target.connections.accept)).rpartition(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        member = Member(stream, target, number, address)
        await member.greet(member.me)
        yield member


def failure(session: str, partition: int | None) -> m.Failure:
    return m.Failure(session, partition, "no")


# -- what is said to a host ----------------------------------------------------------------

Call = Callable[[Member], Any]


def place(session: str) -> Place:
    return Place(session, (HOST,) * (session.count("-") + 1))


def opening(member: Member, child: int, **changes: Any) -> m.Open:
    """That of a child session of the root, as it is assigned now."""
    state = member.reflector.state
    epoch = (*state.epoch, state.model.room.times(child))
    good = m.Open(place(f"0-{child}"), epoch, state.model.child_plan(child))
    return attrs.evolve(good, **changes)


def forged(member: Member, **changes: Any) -> dict[str, Value]:
    """A replica that its host has not."""
    return {**member.reflector.state.snapshot(), **changes}


OFFENCES: list[tuple[str, tuple[int, int], Call]] = [
    ("a slot never given", LEAF, lambda me: m.Finished(me.node, (0,), [0], 1.0)),
    ("its own and another", LEAF, lambda me: m.Finished(me.node, (me.slot, 1), [0, 0], 1.0)),
    ("no slot at all", LEAF, lambda me: m.Finished(me.node, (16,), [0], 1.0)),
    ("too few outputs", LEAF, lambda me: m.Finished(me.node, (me.slot,), [], 1.0)),
    ("for another node", LEAF, lambda me: m.Finished(OTHER, (0,), [0], 1.0)),
    ("a child never given", INTERIOR, lambda me: m.Finished(me.node, (0,), [0], 1.0)),
    ("another moved", LEAF, lambda me: m.Moved(OTHER, Place("0", (EVIL,)))),
    ("ended", LEAF, lambda me: m.Ended(0)),
    ("ended with a key", LEAF, lambda me: m.Ended(0, None, KEY)),
    ("ended above", INTERIOR, lambda me: m.Ended(0, None, KEY)),
    ("finally", LEAF, lambda me: m.Failed(me.node, me.slot, failure("0", me.slot), True)),
    ("all of it", LEAF, lambda me: m.Failed(me.node, None, failure("0", None), True)),
    ("elsewhere", LEAF, lambda me: m.Failed(me.node, me.slot, failure("0", 0), False)),
    ("not of a child", INTERIOR, lambda me: m.Failed(me.node, me.slot, failure("0", 0), True)),
    ("not finally", INTERIOR, lambda me: m.Failed(me.node, me.slot, failure("0-14", 0), False)),
    ("a child of others", INTERIOR, lambda me: opening(me, 0)),
    ("a newer epoch", INTERIOR, lambda me: opening(me, me.slot, epoch=(1000, 99))),
    ("a newer parent", INTERIOR, lambda me: opening(me, me.slot, epoch=(1001, 1))),
    ("again", INTERIOR, lambda me: opening(me, me.slot, again=True)),
    ("another plan", INTERIOR, lambda me: opening(me, me.slot, plan=["0-14", 9, 9, 2, 3, False])),
    ("the root", INTERIOR, lambda me: m.Open(place("0"), (9999,), me.reflector.state.model.plan)),
    ("below a leaf", LEAF, lambda me: m.Key("0", KEY)),
    ("a key", INTERIOR, lambda me: m.Key("0-14", KEY)),
    ("the submitter", LEAF, lambda me: m.Arrive(me.node, None, None, observes=True)),
    ("another", LEAF, lambda me: m.Arrive(OTHER, None, None)),
    ("from elsewhere", LEAF, lambda me: m.Arrive(me.node, HELPER, None)),
    ("kept above", INTERIOR, lambda me: m.Backup("0", {0: [1, 1.0]})),
]


# What somebody honest may say too late: the leader has changed, or others hold it by now.
TOO_LATE: list[tuple[str, tuple[int, int], Call]] = [
    ("prepared", LEAF, lambda me: m.Prepared([0] * 16)),
    ("prepared above", INTERIOR, lambda me: m.Prepared([0] * 15)),
    ("given", LEAF, lambda me: m.Given(5)),
    ("moved", LEAF, lambda me: m.Moved(me.node, Place("0", (EVIL,)))),
    ("kept for another", INTERIOR, lambda me: m.Backup("0-0", {0: [5, 1.0]})),
    ("kept below another", INTERIOR, lambda me: m.Backup("0-0", {14: [5, 1.0]})),
    ("not asked", LEAF, lambda me: m.StateTransfer(forged(me, outputs=[5] * 16))),
    ("an old epoch", INTERIOR, lambda me: opening(me, me.slot, epoch=(999, 1))),
]


@pytest.mark.parametrize(("what", "shape", "call"), OFFENCES, ids=[what for what, *_ in OFFENCES])
async def test_an_offence_costs_the_connection_of_who_commits_it(
    what: str, shape: tuple[int, int], call: Call, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path, *shape, seconds_max=SECONDS_MAX) as lived:
        others = {*lived.host.connections.peers}
        async with connected(lived, lived.host) as member:
            await member.join()
            said, before = call(member), member.reflector.state.seq
            opened = {*lived.host.host.reflectors}
            session = said.place.session if isinstance(said, m.Open) else "0"
            await member.call(said, session)
            assert await member.is_cut()
        assert lived.host.offences == 1
        (line,) = warnings(caplog)
        assert line.startswith(f"cut peer=#{NUMBER:x} ")
        assert f"{type(said).__name__} " in line
        assert isinstance(said, m.Arrive) or f"session {session} " in line
        await settled(lived.host)
        messages = member.reflector.state.seq - before
        assert messages == 1  # that it has left
        assert {*lived.host.host.reflectors} == opened
        assert others <= {*lived.host.connections.peers}
        assert await lived.finish() == lived.right


@pytest.mark.parametrize(("what", "shape", "call"), TOO_LATE, ids=[what for what, *_ in TOO_LATE])
async def test_what_may_be_late_counts_for_nothing(
    what: str, shape: tuple[int, int], call: Call, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path, *shape, seconds_max=SECONDS_MAX) as lived:
        async with connected(lived, lived.host) as member:
            await member.join()
            said = call(member)
            opened, before = {*lived.host.host.reflectors}, member.reflector.state.snapshot()
            await member.call(said, said.place.session if isinstance(said, m.Open) else "0")
            assert not await member.is_cut()
            assert member.reflector.state.snapshot() == before
            assert {*lived.host.host.reflectors} == opened
            assert not lived.host.host.backups.facts
        assert lived.host.offences == 0
        assert warnings(caplog) == []
        assert await lived.finish() == lived.right


async def test_what_a_stranger_says_is_not_heard(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path, *INTERIOR, seconds_max=SECONDS_MAX) as lived:
        async with connected(lived, lived.host) as member:
            before = member.reflector.state.snapshot()
            for call in (
                m.Finished(member.node, (0,), [0], 1.0),
                m.Failed(member.node, None, failure("0", None), True),
                m.Prepared([0] * 15),
                m.Given(5),
                m.Moved(member.node, Place("0", (EVIL,))),
                m.Ended(0, None, KEY),
                m.Backup("0-0", {0: [5, 1.0]}),
                m.StateTransfer(forged(member)),
                m.Vote((1000,), 1, {"outputs": "0" * 32}),
                m.Leave(),
            ):
                await member.call(call)
            await member.call(opening(member, 0), "0-0")
            assert not await member.is_cut()
            assert member.reflector.state.snapshot() == before
        assert warnings(caplog) == []
        assert await lived.finish() == lived.right


async def test_who_claims_a_past_without_its_seal_is_not_asked_for_it(tmp_path: Path) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        key = lived.host.host.root_key
        good = seal(key, (999,), NUMBER)
        assert len(key) == len(good) == 16
        for number, wrong in enumerate((b"", KEY, good, seal(key, (998,), NUMBER)), NUMBER + 1):
            async with connected(lived, lived.host, number) as member:
                await member.arrive(past=m.Past("", (0, 1), (999,), 2**40, wrong))
                await member.call(m.StateTransfer(forged(member, outputs=[5] * 16)))
                assert not await member.is_cut()
                assert m.SendState() not in member.replies()
                assert member.node in member.reflector.members
                assert member.slot > 1
        async with connected(lived, lived.host) as member:
            await member.arrive(past=m.Past("", (), (999,), 2**40, good))
            assert not await member.is_cut()
            assert m.SendState() in member.replies()
        assert lived.host.offences == 0
        assert await lived.finish() == lived.right


async def test_who_follows_has_the_seal_of_its_process(tmp_path: Path) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        async with connected(lived, lived.host) as member:
            await member.join()
            assert not await member.is_cut()
            (follow,) = [said for said in member.heard if isinstance(said, wire.Follow)]
            assert follow.seal == seal(lived.host.host.root_key, (1000,), NUMBER)
        replica = lived.helper.following.replicas[HOST, "0"]
        sealed = replica.seal
        assert sealed == seal(lived.host.host.root_key, (1000,), HELPER_NUMBER)
        reflector = lived.host.host.reflectors["0"]
        lived.host.carrier.repair(reflector, (HELPER, OTHER), OTHER)
        assert await lived.finish() == lived.right
        assert lived.helper.following.replicas[HOST, "0"] is replica
        assert replica.seal == sealed


# -- what is said to those who join --------------------------------------------------------


def begin(root: str) -> wire.Begin:
    return wire.Begin("evil", {}, "", 1, 2, None, 0, Place("0", (root,)), 0.0, bytes(32))


def ordered_end(lived: Life, ended: m.Ended) -> list[wire.Envelope]:
    """By one of whom a node there has asked for a place."""
    lived.helper.views.asked.add((EVIL, "0"))
    snapshot = lived.host.host.reflectors["0"].state.snapshot()
    follow = wire.Follow(Place("0", (EVIL,)), snapshot, b"")
    return [follow, wire.Ordered("0", snapshot["seq"] + 1, 1.0, ended)]


ENDS: list[tuple[str, Callable[[Life], list[wire.Envelope]]]] = [
    ("Over", lambda lived: [wire.Over(b"")]),
    ("Over", lambda lived: [wire.Over(KEY)]),
    ("frame", lambda lived: [wire.Over(KEY, m.Failure("0", None, "x" * 200_000))]),
    ("Begin", lambda lived: [begin(EVIL)]),
    ("Begin", lambda lived: [begin(HOST)]),
    ("Stop", lambda lived: [wire.Answer("0", OTHER, m.Stop(m.Ended(0)))]),
    ("Stop", lambda lived: [wire.Answer("0", OTHER, m.Stop(m.Ended(0, None, KEY)))]),
    ("Key", lambda lived: [wire.Answer("0", OTHER, m.Key("0", KEY[1:]))]),
    ("Ended", lambda lived: ordered_end(lived, m.Ended(0))),
    ("Ended", lambda lived: ordered_end(lived, m.Ended(0, None, KEY))),
]


@pytest.mark.parametrize(("what", "said"), ENDS)
async def test_only_the_submitter_begins_and_ends(
    what: str,
    said: Callable[[Life], list[wire.Envelope]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        begun: list[wire.Begin] = []
        lived.helper.on_begin = begun.append
        async with connected(lived, lived.helper, address=EVIL) as intruder:
            with suppress(trio.BrokenResourceError):  # it is cut before all was sent
                await intruder.say(*map(wire.encode, said(lived)))
            assert await intruder.is_cut()
        assert lived.helper.offences == (what != "frame")  # that is seen before it is heard
        (line,) = warnings(caplog)
        assert line.startswith(f"cut peer={EVIL} ")
        assert f'reason="{what} ' in line
        assert (begun, lived.helper.over.is_set()) == ([], False)
        assert len(lived.helper.views.living) == 6
        assert HOST in lived.helper.connections.peers
        assert await lived.finish() == lived.right


async def test_who_shows_the_key_may_say_that_all_is_over(tmp_path: Path) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        async with connected(lived, lived.helper, address=EVIL) as other:
            await other.say(wire.encode(wire.Over(lived.host.end_key)))
            assert not await other.is_cut()
        assert lived.helper.over.is_set()
        assert lived.helper.end_shown == lived.host.end_key
        assert lived.helper.offences == 0


async def test_what_begins_is_heard_from_where_the_root_was_dialled(tmp_path: Path) -> None:
    """Not from who has dialled, nor from who was dialled for something else."""
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        begun: list[wire.Begin] = []
        joining = Process(Me(NUMBER, None, 1), OPEN, lived.nursery, Blobs(tmp_path / "joining"))
        joining.on_begin = begun.append
        lived.nursery.start_soon(joining.run)
        there: list[str] = []
        cut = trio.Event()

        async def pretend(stream: trio.SocketStream) -> None:
            stranger = Stranger(stream)
            await stranger.greet(Me(NUMBER + 1, there[0]), dials=False)
            await stranger.say(wire.encode(begin(there[0])))
            await stranger.is_left_alone()
            cut.set()

        there.append(await serve(lived.nursery, pretend))
        await joining.connections.connect(there[0])
        await cut.wait()
        assert (begun, joining.offences) == ([], 1)
        async with connected(lived, joining, NUMBER + 2, HOST) as pretender:
            assert lived.host.begun is not None
            await pretender.say(wire.encode(lived.host.begun))
            assert await pretender.is_cut()
        assert (begun, joining.offences) == ([], 2)
        await joining.reach(await serve(lived.nursery, lived.host.connections.accept))
        await until(lambda: bool(begun))
        assert begun == [lived.host.begun]
        assert joining.offences == 2


async def test_who_was_dialled_is_not_told_what_begins(tmp_path: Path) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        heard: list[wire.Envelope | None] = []

        async def listen(stream: trio.SocketStream) -> None:
            stranger = Stranger(stream)
            await stranger.greet(Me(NUMBER, None), dials=False)
            heard.append(await stranger.hear())

        address = await serve(lived.nursery, listen)
        lived.host.connections._meeting._dial = dial
        lived.host.connections.send(address, wire.encode(wire.Ask()))
        await until(lambda: bool(heard))
        assert heard == [wire.Ask()]


# -- replicas that are brought -------------------------------------------------------------


def all_done(member: Member) -> dict[str, Value]:
    count = len(member.reflector.model.slots)
    done = {"outputs": [5] * count, "done": b"\1" * count, "remaining": 0, "free": 0}
    return forged(member, **done, helpers=[], former=[])


def held_by_a_ghost(member: Member) -> dict[str, Value]:
    worker = [99 if node == member.node else node for node in member.reflector.model.slots.worker]
    return forged(member, worker=worker)


def with_a_ghost(member: Member) -> dict[str, Value]:
    return forged(member, people=[*member.reflector.members, 99])


def led_by_itself(member: Member) -> dict[str, Value]:
    others = [node for node in member.reflector.members if node != member.node]
    return forged(member, people=[member.node, *others], leader=member.node, observers=[])


def once_had_by_a_ghost(member: Member) -> dict[str, Value]:
    return forged(member, former=[[0, [99, 2**62]]], failed=[[1, [98]]])


@pytest.mark.parametrize(
    ("forge", "refused"),
    [
        (held_by_a_ghost, True),
        (with_a_ghost, True),
        (all_done, False),
        (led_by_itself, False),
        (once_had_by_a_ghost, False),
    ],
)
async def test_who_outvotes_a_host_does_not_end_it(
    forge: Callable[[Member], dict[str, Value]],
    refused: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Six, against the host and two who follow. What they agree on is believed, if it can be."""
    monkeypatch.setattr(Process, "vote_every", 1)
    async with life(tmp_path, 24, 24, seconds_max=SECONDS_MAX) as lived, AsyncExitStack() as stack:
        members: list[Member] = []
        for number in range(NUMBER, NUMBER + 6):
            member = await stack.enter_async_context(connected(lived, lived.host, number))
            await member.join()
            members.append(member)
        for _ in range(3):
            lived.finish_one()
            await settled(lived.host)
        bringer, state = members[0], members[0].reflector.state
        replica = forge(bringer)
        vote = m.Vote(state.epoch, state.seq, digests(replica))
        for member in members:
            await member.call(vote)
        while m.SendState() not in bringer.replies():
            assert await bringer.next() is not None
        await bringer.call(m.StateTransfer(replica))
        assert await bringer.is_cut() == (forge is held_by_a_ghost)
        assert lived.host.divergences >= 1
        assert (bringer.reflector.state is state) == refused
        for member in members[1:]:
            assert not await member.is_cut()
        await stack.aclose()
        for _ in range(30):
            lived.finish_one()
            await settled(lived.host)
        async with connected(lived, lived.host, 99) as asker:
            assert not await asker.is_cut()
        if refused:
            assert await lived.finish() == lived.right


# -- what fails here -----------------------------------------------------------------------


def fails(error: type[BaseException] = LookupError) -> None:
    raise error("a mistake")


def fails_elsewhere() -> None:
    raise LookupError("another")


async def test_what_fails_is_told_once_and_all_else_goes_on(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path) as lived:
        for _ in range(3):
            lived.host.post(fails)
            lived.host.queue.call_later(0.1, fails_elsewhere)
            await trio.sleep(1)
        lived.host.post(partial(illegal, lived.helper))
        await settled(lived.host)
        told = [line for line in warnings(caplog) if line.startswith("failed")]
        assert [line.split()[1] for line in told] == [
            "action=fails", "action=fails_elsewhere", "action=illegal"
        ]  # fmt: skip
        assert "a mistake" in told[0]
        assert "IllegalStep" in told[2]
        assert await lived.finish() == lived.right


def illegal(process: Process) -> None:
    """A step that no view in that state takes."""
    view = next(iter(process.views.living.values()))
    raise IllegalStep(view.place.session, 1, view.state, APPOINT)


@pytest.mark.parametrize("where", ["_lost", "_tidy_up", "seated", "on", "answered"])
async def test_whatever_fails_in_a_process_does_not_end_it(
    where: str, autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's own part of it fails, for as long as the intruder is there."""
    async with life(tmp_path) as lived:
        failed: list[str] = []

        def breaks(*arguments: Any) -> None:
            failed.append(where)
            fails()

        await settled(lived.host)
        with monkeypatch.context() as patched:
            room: Any = lived.host if where[0] == "_" else lived.host.views
            patched.setattr(room, where, breaks)
            intruder = Intruder(lived, lived.host, NUMBER, EVIL)
            await intruder.say([wire.encode(wire.Call("0", NODE, m.Leave()))])
            await intruder.leave()
            lived.host.post(lived.host.views.on, 1, lived.host.host.reflectors["0"], m.Rest())
            lived.host.post(lived.host.views.seated, 1, lived.host.host.reflectors["0"], [])
            lived.host.post(lived.host.views.answered, 1, Place("0", (HOST,)), m.Wait())
            lived.host.post(lived.host._tidy_up)
            await trio.sleep(20)
            assert failed
        assert await lived.finish() == lived.right


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("heard", [False, True], ids=["posted", "heard"])
async def test_what_is_to_end_a_process_ends_it(
    error: type[BaseException], heard: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BaseExceptionGroup) as raised:  # noqa: PT012  it ends within the block
        async with life(tmp_path, seconds_max=SECONDS_MAX) as lived:
            if heard:
                monkeypatch.setattr(Host, "receive", lambda *_: fails(error))
                lived.helper.port.send(
                    next(iter(lived.helper.views.living.values())), place("0"), m.Leave()
                )
            else:
                lived.host.post(fails, error)
            await trio.sleep_forever()
    assert raised.group_contains(error)
