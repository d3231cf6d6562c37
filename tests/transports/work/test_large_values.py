"""Large values of a job's functions: fetched first, and left in the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.messages import Value
from tests.transports.work.working import ASYNC_JOB, JOB, SESSION, bounded
from transports.values.files import NoRoom, loaded, stored
from transports.values.handles import handle
from transports.work import outcomes


@pytest.mark.parametrize("source", [JOB, ASYNC_JOB])
async def test_large_values_are_fetched_first_and_stay_in_the_folder(
    tmp_path: Path, source: str
) -> None:
    large = list(range(3000))
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "blobs"
    elsewhere.mkdir()
    handle = stored(elsewhere, large)
    asked = []

    async def fetch(wanted: Value, session: str) -> Value:
        asked.append((wanted, session))
        assert stored(here, large) == wanted
        return wanted

    async with bounded(tmp_path, fetch=fetch, source=source) as one:
        one.compute(1, 0, handle)
        [(_, what, *_, outputs, _)] = await one.told()
        assert (what, outputs[1]) == ("computed", handle)
        assert loaded(here, handle) == large
    assert asked == [(handle, SESSION)]


async def test_large_values_of_prepare_and_collect(tmp_path: Path) -> None:
    large = "x" * 3000

    async def fetch(wanted: Value, session: str) -> Value:
        return wanted  # it is there

    async with bounded(tmp_path, fetch=fetch) as one:
        one_handle = stored(tmp_path / "blobs", large)
        one.work.prepare(one.asker(1), SESSION, one_handle, [1, 1])
        assert await one.told() == [(1, "prepared", SESSION, [one_handle, one_handle])]
        one.work.collect(one.asker(1), SESSION, [one_handle, 4])
        assert await one.told() == [(1, "collected", SESSION, one_handle)]


async def test_what_cannot_be_fetched_is_the_failure(tmp_path: Path) -> None:
    async def fetch(wanted: Value, session: str) -> Value:
        raise LookupError(f"nobody has {wanted['size']} bytes")

    async with bounded(tmp_path, fetch=fetch) as one:
        one.compute(1, 5, handle("0" * 64, 4000), handle("1" * 64, 3000), slot=3)
        assert await one.told() == [(1, "raised", SESSION, 4, "nobody has 4000 bytes", "local")]
        one.work.collect(one.asker(1), SESSION, [handle("0" * 64, 4000)])
        assert await one.told() == [(1, "raised", SESSION, None, "nobody has 4000 bytes", "local")]


@pytest.mark.parametrize("source", [JOB, ASYNC_JOB])
async def test_a_large_value_for_which_there_is_no_file_goes_with_the_call(
    tmp_path: Path, source: str
) -> None:
    async def fetch(wanted: Value, session: str) -> Value:
        return list(range(3000))

    async with bounded(tmp_path, fetch=fetch, source=source) as one:
        one.compute(1, 0, handle("0" * 64, 4000))
        [(_, what, *_, outputs, _)] = await one.told()
        assert what == "computed"
        assert loaded(tmp_path / "blobs", outputs[1]) == list(range(3000))


@pytest.mark.parametrize("where", ["computing", "loop", "fetch"])
async def test_what_there_is_no_room_for_is_done_when_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """An output does not fit, or an input: that is told as what it is, and fails nothing."""
    monkeypatch.setattr(outcomes, "ROOM_SECONDS", 0.05)
    full, lacks = tmp_path / "gone", list[NoRoom]()

    async def fetch(wanted: Value, session: str) -> Value:
        if not full.exists():
            raise NoRoom("no room")
        return 7

    def lacking(error: NoRoom) -> None:
        lacks.append(error)
        if len(lacks) == 2:
            full.mkdir()

    more = {"fetch": fetch} if where == "fetch" else {}
    source = ASYNC_JOB if where == "loop" else JOB
    async with bounded(tmp_path, source=source, lacks=lacking, **more) as one:
        given: Value = handle("0" * 64, 4000) if where == "fetch" else ["x" * 3000]
        if where != "fetch":
            if one.work._in_loop is not None:
                one.work._in_loop._folder = full
            one.work._crew._setup["folder"] = str(full)
        one.compute(1, 0, given, slot=3)
        ((node, what, session, slots, _, _),) = await one.told()
    assert (node, what, session, slots) == (1, "computed", SESSION, (3, 4))
    why = "no room" if where == "fetch" else f"nothing can be written in {full}: "
    assert [str(error)[: len(why)] for error in lacks] == [why] * 2
