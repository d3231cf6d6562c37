"""What a store keeps: how much, for whom, and what where there is no room."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import Computation, Session, Shape
from core import messages as m
from core.sessions.digest import digest
from tests.transports.process.storing import JOB, finished, lived
from transports.process import store
from transports.process.store import SqliteStore, StoreError, found
from transports.values.handles import handle

pytestmark = pytest.mark.usefixtures("compacts_often")


def test_what_is_there_can_be_told_without_knowing_the_job(path: Path) -> None:
    assert found(path) is None
    path.touch()
    assert found(path) is None
    kept = SqliteStore(path, JOB)
    assert kept.job == JOB
    assert kept.load(Computation) == []
    assert kept.ended is None
    kept.close()
    assert found(path) == store.Found(JOB, None)
    kept = SqliteStore(path)
    state = lived(kept, 3)
    ended = m.Ended({"answer": [42]}, None)
    state.apply(9.0, ended)
    kept.append(state, 9.0, ended)
    kept.close()
    assert found(path) == store.Found(JOB, ended)


def test_a_snapshot_takes_the_place_of_many_messages(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = SqliteStore(path, JOB)
    state = lived(kept, 3000)
    assert digest(kept.load(Computation)[0].snapshot()) == digest(state.snapshot())
    kept.close()
    assert path.stat().st_size < 60_000
    again = SqliteStore(path, JOB)
    assert digest(again.load(Computation)[0].snapshot()) == digest(state.snapshot())
    assert again._lengths["0"].messages < 20_000
    again.close()


def test_a_message_that_is_too_long_for_a_frame_is_stored_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.net.wire.FRAME_BYTES_MAX", 500)
    monkeypatch.setattr(store, "COMPACT_BYTES_MIN", 10**6)
    kept = SqliteStore(path, JOB)
    state = lived(kept, 5, b"x" * 1000)
    assert digest(kept.load(Computation)[0].snapshot()) == digest(state.snapshot())
    kept.close()


def test_a_value_that_is_not_whole_is_computed_again(path: Path, tmp_path: Path) -> None:
    gone, whole, spoilt = (handle(letter * 64, 5000) for letter in "abc")
    kept = SqliteStore(path, JOB)
    state = lived(kept, 1)
    for i, output in enumerate((whole, gone, "small", spoilt), 1):
        state.apply(0.0, finished(i, output))
        kept.append(state, 0.0, finished(i, output))
    kept.has = lambda wanted: wanted == whole
    (found,) = kept.load(Computation)
    known = {i: output for i, (output, _) in found.model.facts().items() if i}
    assert known == {1: whole, 3: "small"}
    kept.close()


def test_a_closed_store_takes_nothing(path: Path) -> None:
    kept = SqliteStore(path, JOB)
    lived(kept, 3)
    kept.close()
    kept.close()
    with pytest.raises(StoreError, match=rf"^{path} was closed$"):
        kept.load(Computation)


# -- a full disk ---------------------------------------------------------------------------


def full(path: Path, pages: int = 0) -> tuple[SqliteStore, Session, list[str]]:
    """A store for which only so many more pages are left, its session, and what is told of it."""
    kept, told = SqliteStore(path, JOB), list[str]()
    state = lived(kept, 10)
    leave(kept, pages)
    kept.on_trouble = told.append
    return kept, state, told


def leave(kept: SqliteStore, pages: int) -> None:
    """It may grow by so much."""
    assert kept._file is not None
    (now,) = kept._file.execute("PRAGMA page_count").fetchone()
    kept._file.execute(f"PRAGMA max_page_count = {now + pages}")


def test_a_full_disk_is_one_line_and_keeps_what_is_there(path: Path) -> None:
    kept, state, told = full(path, pages=5)
    stored = digest(state.snapshot())
    for i in range(100):
        state.apply(0.0, finished(i, b"x" * 5000))
        kept.append(state, 0.0, finished(i, b"x" * 5000))
        if not kept.behind:
            stored = digest(state.snapshot())
    assert told == [kept.trouble] == ["the disk is full"]
    assert digest(kept.load(Computation)[0].snapshot()) == stored
    assert not kept.catch_up(at_once=True)
    kept.close()


def test_what_did_not_fit_is_stored_when_there_is_room(path: Path) -> None:
    """All of it, with what came while nothing was tried, and of all sessions."""
    kept, state, told = full(path)
    for i in range(10):
        state.apply(0.0, finished(i, b"x" * 2000))
        kept.append(state, 0.0, finished(i, b"x" * 2000))
    other = Session("0-1", (1, 1), Computation, Shape.root(40, 40).plain())
    other.apply(0.0, finished(3))
    kept.append(other, 0.0, finished(3))
    leave(kept, 100)
    assert kept.catch_up(at_once=True)
    assert told == ["the disk is full", ""]
    state.apply(0.0, finished(11, 5))
    kept.append(state, 0.0, finished(11, 5))
    kept.close()
    kept = SqliteStore(path, JOB)
    found = {one.name: digest(one.snapshot()) for one in kept.load(Computation)}
    assert found == {one.name: digest(one.snapshot()) for one in (state, other)}
    kept.close()
