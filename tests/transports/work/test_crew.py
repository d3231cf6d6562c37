"""Computing processes together: who is given which call, and who waits for whom."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest
import trio

from core.messages import Place, Value
from tests.transports.work.working import FIRST, SECONDS_MAX, SESSION, bounded, desk, gate
from transports.work import computer, crew, starting


async def test_the_loop_goes_on_while_a_piece_keeps_the_interpreter(tmp_path: Path) -> None:
    async with gate() as door, bounded(tmp_path, 2) as one:
        one.compute(1, ["hold", door.port])
        _, held = await door.begun()
        for number in range(100):  # one after the other, in the other process
            one.compute(2, number)
            [(node, what, *_, outputs, _)] = await one.told()
            assert (node, what, outputs) == (2, "computed", [number])
        await held.send_all(b"!")
        [(node, *_, outputs, _)] = await one.told()
        assert (node, outputs) == (1, ["held"])


async def test_what_came_first_begins_first_and_who_has_gone_is_dropped(tmp_path: Path) -> None:
    async with gate() as door, bounded(tmp_path) as one:
        askers = [one.compute(node, ["wait", door.port], slot=node) for node in range(8)]
        partition, first = await door.begun()
        assert partition == FIRST
        askers[3].leave()
        askers[5].place = Place("0-1", ("here", "there"))
        await first.send_all(b"!")
        begun = []
        for _ in range(5):
            partition, piece = await door.begun()
            begun.append(partition - FIRST)
            await piece.send_all(b"!")
        told = await one.told(6)
        assert begun == [1, 2, 4, 6, 7]
        assert [node for node, *_ in told] == [0, *begun]


async def test_all_cores_are_shared_by_all_nodes(tmp_path: Path) -> None:
    async with gate() as door, bounded(tmp_path, 3) as one:
        for node in range(50):
            one.compute(node, ["wait", door.port], slot=node)
        waiting = [await door.begun() for _ in range(3)]
        for left in range(47, 0, -1):
            await waiting.pop(0)[1].send_all(b"!")
            waiting.append(await door.begun())
            assert len(waiting) == 3, left
        for _, piece in waiting:
            await piece.send_all(b"!")
        told = await one.told(50)
        assert sorted(node for node, *_ in told) == list(range(50))
        assert all(what == "computed" for _, what, *_ in told)


async def test_prepare_and_collect_go_before_what_is_queued(tmp_path: Path) -> None:
    async with gate() as door, bounded(tmp_path) as one:
        wait: Value = ["wait", door.port]
        for node in range(6):
            one.compute(node, wait, slot=node)
        _, first = await door.begun()
        one.work.prepare(one.asker(10), SESSION, wait, [1])
        one.work.collect(one.asker(11), SESSION, [wait])
        await first.send_all(b"!")
        begun = []
        for _ in range(7):
            partition, piece = await door.begun()
            begun.append(partition)
            await piece.send_all(b"!")
        urgent = [begun.index(-1), begun.index(-2)]
        assert urgent in ([0, 1], [1, 2])  # one may have been handed out before
        assert len(await one.told(8)) == 8


async def test_what_is_behind_a_long_piece_is_taken_back(tmp_path: Path) -> None:
    async with gate() as door, bounded(tmp_path, 2) as one:
        for number in range(50):  # quick ones: it expects more of them
            one.compute(1, number)
            await one.told()
        one.compute(1, ["wait", door.port])
        for node in range(2, 40):
            one.compute(node, node, slot=1)
        told = await one.told(38)  # nobody has let the long one go
        assert [node for node, *_ in sorted(told)] == list(range(2, 40))
        _, piece = await door.begun()
        await piece.send_all(b"!")
        assert [node for node, *_ in await one.told()] == [1]
        one.compute(1, 5)
        assert len(await one.told()) == 1  # and nothing comes twice


async def test_a_process_has_its_next_call_before_it_has_done_with_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "LOOK_SECONDS", 1000.0)
    async with gate() as door, bounded(tmp_path) as one:
        for node in range(2):
            one.compute(node, ["wait", door.port], slot=node)
        _, first = await door.begun()
        os.write(first.socket.fileno(), b"!")
        coming, *_ = select.select([door], [], [], SECONDS_MAX)  # the loop stands still meanwhile
        assert coming
        _, second = await door.begun()
        await second.send_all(b"!")
        assert len(await one.told(2)) == 2


async def test_what_is_asked_before_it_serves_is_done_then(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        context = desk(tmp_path)
        one = await context.__aenter__()
        one.compute(1, 5)  # no task has run yet
        assert (await one.told())[0][1] == "computed"
        await context.__aexit__(None, None, None)


async def test_a_process_that_was_started_ahead_is_told_what_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = [starting.start()]

    def start() -> starting.Started:
        raise OSError("no other one is needed")

    monkeypatch.setattr(computer, "start", start)
    async with bounded(tmp_path, reserve=ahead) as one:
        one.work.collect(one.asker(3), SESSION, ["output", 8])
        assert await one.told() == [(3, "collected", SESSION, "output")]
    assert ahead == []
