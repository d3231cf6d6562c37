"""A process that dies with bytes that nobody else has: what they were is computed again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from core import Shape, Worker
from core import messages as m
from core.messages import Value
from tests.transports import living
from tests.transports.living import HELPER, Life, Pieces, life
from tests.transports.process.intruding import LARGE
from transports.net import wire
from transports.net.connection import Me
from transports.net.dialling import ConnectError
from transports.process.process import Process
from transports.values import content
from transports.values.files import BlobMissing, stored
from transports.values.handles import KEY, among

FILL = "x" * 3000
OTHER, OTHER_NUMBER = "127.0.0.1:5003", 4


class LargePieces(Pieces):
    """All values are large, and each is another one."""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.process = process
        self.computed: Counter[int] = Counter()  # how often each partition was

    def _large(self, *value: Value) -> Value:
        return stored(self.process.blobs.folder, [*value, FILL])

    def finish_one(self) -> None:
        if self.waiting:
            self.process._nursery.start_soon(self._finish, *self.waiting.popleft())

    async def _finish(self, worker: Worker, command: m.Compute) -> None:
        slots = command.slots
        try:
            await self._values(command.session, command.inputs)
        except BlobMissing as error:
            self.post(worker.raised, command.session, slots[0], str(error), True)
        else:
            outputs = [self._large(command.first + slot) for slot in slots]
            self.computed.update(command.first + slot for slot in slots)
            self.post(worker.computed, command.session, slots, outputs, 1.0)

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        self.process._nursery.start_soon(self._prepare, worker, session, value, len(sizes))

    async def _prepare(self, worker: Worker, session: str, value: Value, count: int) -> None:
        try:
            await self._values(session, [value] if value else [])
        except BlobMissing as error:
            self.post(worker.raised, session, None, str(error), True)
        else:
            inputs = [self._large(session, i) for i in range(count)]
            self.post(worker.prepared, session, inputs)

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        self.process._nursery.start_soon(self._collect, worker, session, outputs)

    async def _collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        try:
            total = sum([value[0] for value in await self._values(session, outputs)])
        except BlobMissing as error:
            self.post(worker.raised, session, None, str(error), True)
        else:
            self.post(worker.collected, session, self._large(total))

    async def _values(self, session: str, handles: Any) -> list[Any]:
        blobs, fetch = self.process.blobs, self.process.fetch
        return [blobs.loaded(await fetch(handle, session)) for handle in handles]


class HelperFirst(Life):
    """The helper hosts the sessions below the root; the others take part in them."""

    def enter(self, process: Process) -> None:
        if process is self.helper:
            super().enter(process)

    def enter_others(self) -> None:
        for process in self.processes.values():
            if process not in (self.host, self.helper):
                super().enter(process)


class WiderLife(HelperFirst):
    """With one more process that listens."""

    def __init__(self, nursery: trio.Nursery, folder: Path, shape: Shape) -> None:
        super().__init__(nursery, folder, shape)
        self.other = self._process(folder / "other", Me(OTHER_NUMBER, OTHER, 300))


async def finished_some(lived: Any, rounds: int) -> None:
    """The others are in by then."""
    lived.enter_others()
    await wait_all_tasks_blocked()
    for _ in range(rounds):
        lived.finish_one()
        await wait_all_tasks_blocked()


def kill_helper(lived: Life) -> None:
    """So far as others can tell: it reaches nobody, and nobody reaches it."""
    del lived.processes[HELPER]
    lived.pieces = [pieces for pieces in lived.pieces if pieces.post != lived.helper.post]
    connections = lived.helper.connections
    connections._meeting._dial = _nobody
    for peer in list(connections.peers.values()):
        connections.cut(peer, "it is dead")


async def _nobody(address: str) -> trio.abc.Stream:
    await trio.lowlevel.checkpoint()
    raise ConnectError(f"{address}: nobody listens there")


def missing(process: Process) -> set[str]:
    """Of what is known in sessions here, what is not here."""
    slots = [reflector.model.slots for reflector in process.host.reflectors.values()]
    named = among(value for one in slots for value in (*one.outputs, *(one.inputs or ())))
    return {handle[KEY] for handle in named if not process.blobs.has(handle[KEY])}


async def right(lived: Life) -> None:
    """The rest of the job, of which the right result is to come."""
    ended: Any = await lived.finish()
    assert ended.failure is None
    assert lived.host.blobs.loaded(ended.result)[0] == lived.right.result


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "INLINE_BYTES", 2**30)  # in no thread: time would jump meanwhile
    monkeypatch.setattr(living, "Pieces", LargePieces)
    monkeypatch.setattr(living, "Life", HelperFirst)


@pytest.mark.parametrize("kind", [HelperFirst, WiderLife])
@pytest.mark.parametrize("done", [1, 7, 19])
async def test_what_only_the_dead_one_had_is_computed_again(
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[HelperFirst],
    done: int,
) -> None:
    """Outputs, and inputs, of sessions that it hosted and that others were in as well."""
    monkeypatch.setattr(living, "Life", kind)
    async with life(tmp_path, partitions=81) as lived:
        await finished_some(lived, done)
        kill_helper(lived)
        while lived.host.outcome is None:
            await wait_all_tasks_blocked()
            assert not [process for process in lived.processes.values() if missing(process)]
            lived.finish_one()
            await trio.sleep(0.01)  # some wait for time to pass
        await right(lived)


async def test_what_others_have_is_not_computed_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """They bring it. No session is done yet, of which the dead one would have had the output."""
    async with life(tmp_path, partitions=81) as lived:
        await finished_some(lived, 1)
        kill_helper(lived)
        await right(lived)
        computed = Counter[int]()
        for pieces in lived.pieces:
            computed.update(pieces.computed)  # type: ignore[attr-defined]
        assert {*computed.values()} == {1}


async def test_what_was_kept_is_given_with_its_bytes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Who kept it may be the next to die. What has no bytes, or is not large, waits for nothing."""
    async with life(tmp_path, partitions=81) as lived:
        await finished_some(lived, 1)
        value = stored(lived.host.blobs.folder, [5, FILL])
        hosted = lived.helper.host.reflectors.values()
        reflector = next(r for r in hosted if len(r.place.route) == 2)
        assert reflector.state.leader is not None
        kept = m.Backup(reflector.session, {0: (value, 1.0), 1: (LARGE, 1.0), 2: (7, 1.0)})
        lived.host.outgoing.tell(HELPER, wire.Answer("0", reflector.state.leader, kept))
        await wait_all_tasks_blocked()
        assert reflector.model.facts().keys() == {0, 2}
        assert not missing(lived.helper)
        assert not lived.helper.held_calls.held_bytes


async def test_an_output_that_nobody_has_does_not_count(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Whoever says that it has finished by that has failed."""
    async with life(tmp_path, partitions=81) as lived:
        await finished_some(lived, 1)
        worker, command = lived.pieces[-1].waiting.popleft()
        lost = [LARGE for _ in command.slots]
        lived.silent.post(worker.computed, command.session, command.slots, lost, 1.0)
        await wait_all_tasks_blocked()
        assert not [process for process in lived.processes.values() if missing(process)]
        await right(lived)


async def test_a_session_that_misses_an_output_later_is_led_by_others(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """It gives up, as nobody can collect; then what its replicas name in vain is left out."""
    async with life(tmp_path, partitions=81) as lived:
        await finished_some(lived, 1)
        session = lived.pieces[-1].waiting[0][1].session
        lived.finish_one()
        await wait_all_tasks_blocked()
        host = next(p for p in lived.processes.values() if session in p.host.reflectors)
        outputs = among(host.host.reflectors[session].model.slots.outputs)
        assert outputs
        for process in lived.processes.values():
            process.blobs.path(outputs[0][KEY]).unlink(missing_ok=True)
        await right(lived)
