"""A process that is told to go: what it alone knows is with the host above it when it has gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from core import messages as m
from tests.transports.living import HELPER_NUMBER, HOST, life
from transports.net import wire
from transports.process import queue
from transports.process.process import Process, nodes_of
from transports.values import content
from transports.values.files import stored
from transports.values.handles import KEY, among

TO_DO = 50  # things are before it in the host's queue


def known(process: Process) -> set[tuple[str, int]]:
    """The slots that a process knows to be done, whether it hosts them or keeps that for others."""
    return {(kept.session, slot) for kept in process.host.backups.known("0") for slot in kept.facts}


@pytest.mark.parametrize("turn", [queue.TURN, 1], ids=["at once", "when it has gone"])
async def test_who_goes_leaves_what_was_finished(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    """Of sessions below each other that it hosts; whenever the host comes to what it has said."""
    async with life(tmp_path, partitions=81) as lived:
        _, pieces, _ = lived.pieces
        for _ in range(8):
            pieces.finish_one()
            await wait_all_tasks_blocked()
        helper = lived.helper
        finished = {(session, slot) for session, slot in known(helper) if session.count("-") == 3}
        assert finished
        monkeypatch.setattr(queue, "TURN", turn)
        nobody = nodes_of(HELPER_NUMBER, 300)[-1]
        for _ in range(TO_DO):
            helper.outgoing.say(HOST, wire.Call("0", nobody, m.Leave()))
        helper.leave()
        await helper.connections.close()
        await wait_all_tasks_blocked()
        assert HELPER_NUMBER not in {peer.number for peer in lived.host.connections.peers.values()}
        assert finished <= known(lived.host)


async def test_what_names_bytes_that_go_as_well_is_not_kept(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is computed again: whoever needed the bytes would fail, and the job with it. What the host
    above has bytes of is kept, and they are, too."""
    monkeypatch.setattr(content, "INLINE_BYTES", 2**30)  # in no thread: time would jump meanwhile
    async with life(tmp_path, partitions=81) as lived:
        _, pieces, _ = lived.pieces
        helper = lived.helper
        for _ in range(8):
            worker, command = pieces.waiting.popleft()
            outputs = [stored(helper.blobs.folder, bytes([slot]) * 5000) for slot in command.slots]
            if 0 in command.slots:
                stored(lived.host.blobs.folder, bytes(5000))
            pieces.post(worker.computed, command.session, command.slots, outputs, 1.0)
            await wait_all_tasks_blocked()
        assert {slot for session, slot in known(helper) if session.count("-") == 3} > {0}
        helper.leave()
        await helper.connections.close()
        await wait_all_tasks_blocked()
        kept = lived.host.host.backups.facts.values()
        values = among(value for facts in kept for fact in facts.values() for value in fact)
        assert values
        assert all(lived.host.blobs.has(handle[KEY]) for handle in values)
        assert all(lived.host.values.names_anywhere(handle[KEY]) for handle in values)
