"""The jobs of a fleet in a file: what is there again when it is opened again, whatever happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.messages import Failure
from tests.transports.fleet.storing import FILLING, again, begun, done, key, opened, spec
from transports.fleet import jobs as rooms
from transports.fleet.job import Job, Refusal, State, cancelled, failed
from transports.fleet.store import Store
from transports.net import wire

# -- what is there again -------------------------------------------------------------------


def test_what_waits_and_what_has_ended_is_as_it_was(path: Path) -> None:
    store, jobs = opened(path)
    for i in range(5):
        jobs.submit(key(i), spec([i, b"input"]), submitter=i)
    jobs.weigh(4, -7, 2.5)
    jobs.end(job := begun(jobs), done(job, {"sum": 1.5}))
    failure = Failure("2-0", 3, "Traceback\nValueError: no")
    jobs.end(begun(jobs), wire.Outcome(2, "failed", failure=failure, nodes=2))
    jobs.cancel(3)
    before = [jobs.get(number) for number in range(1, 6)]
    store, found = again(store)
    for number, job in enumerate(before, 1):
        assert job
        assert told(found.get(number)) == told(job)
    assert found.rows() == jobs.rows()
    store.close()


def told(job: Job | None) -> tuple[object, ...]:
    """All of it."""
    assert job
    return tuple(getattr(job, name) for name in Job.__slots__ if not name.startswith("_"))


def test_what_ran_waits_again_and_goes_first(path: Path) -> None:
    store, jobs = opened(path)
    for i in range(3):
        jobs.submit(key(i), spec(i))
    first = begun(jobs)
    first.nodes = first.partitions = first.accepted = 7
    store, jobs = again(store)
    job = jobs.upcoming()
    assert job
    assert (job.number, job.state, job.started) == (1, State.QUEUED, None)
    assert (job.nodes, job.partitions, job.accepted) == (0, 0, 0)
    assert job.spec.input == 0
    jobs.begin(job)
    jobs.end(job, done(job))
    assert job.state is State.DONE
    store.close()


def test_what_was_to_be_cancelled_is_not_computed_again(path: Path) -> None:
    store, jobs = opened(path)
    jobs.submit(key(0), spec())
    jobs.cancel(begun(jobs).number)
    for _ in range(2):
        store, jobs = again(store)
        job = jobs.get(1)
        assert job
        assert job.state is State.CANCELLED
        assert job.outcome == cancelled(job)
        assert jobs.upcoming() is None
    store.close()


def test_the_same_key_is_the_same_job_and_another_spec_is_refused(path: Path) -> None:
    store, jobs = opened(path)
    for i in range(2):
        jobs.submit(key(i), spec(b"input"))
    jobs.end(job := begun(jobs), done(job))
    store, jobs = again(store)
    for i in range(2):
        assert jobs.submit(key(i), spec(b"input")).number == i + 1
        with pytest.raises(Refusal, match=rf"^job {i + 1} has that key already"):
            jobs.submit(key(i), spec(b"another"))
    store.close()


def test_no_number_is_used_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor those of jobs that are forgotten."""
    monkeypatch.setattr(rooms, "KEPT", 1)
    store, jobs = opened(path)
    for i in range(3):
        jobs.submit(key(i), spec())
    for number in (3, 2, 1):
        jobs.cancel(number)
    store, jobs = again(store)
    assert [row["number"] for row in jobs.rows()] == [1]
    assert jobs.submit(key(3), spec()).number == 4
    store.close()


def test_a_fleet_has_one_id(path: Path, tmp_path: Path) -> None:
    store = Store(path)
    store.close()
    for _ in range(2):
        found = Store(path)
        found.close()
        assert found.fleet == store.fleet
    other = Store(tmp_path / "other.store")
    other.close()
    assert other.fleet != store.fleet


# -- how much is kept ----------------------------------------------------------------------


def test_what_is_forgotten_is_not_in_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "KEPT", 3)
    monkeypatch.setattr(rooms, "KEPT_BYTES_MAX", 2 * FILLING)
    store, jobs = opened(path)
    for i in range(40):
        jobs.submit(key(i), spec(bytes(FILLING)))
        jobs.end(job := begun(jobs), done(job, bytes(FILLING)))
    assert path.stat().st_size < 20 * FILLING
    rows = jobs.rows()
    store, jobs = again(store)
    assert jobs.rows() == rows
    assert [row["number"] for row in rows] == [38, 39, 40]
    outcomes = [job.outcome for number in (38, 39, 40) if (job := jobs.get(number))]
    assert [outcome.state for outcome in outcomes if outcome] == ["unknown", "unknown", "done"]
    store.close()


def test_what_ended_first_goes_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it was opened again since."""
    monkeypatch.setattr(rooms, "KEPT", 3)
    store, jobs = opened(path)
    for i in range(5):
        jobs.submit(key(i), spec())
    for number in (4, 1, 3):
        jobs.cancel(number)
    store, jobs = again(store)
    jobs.cancel(2)
    store, jobs = again(store)
    jobs.cancel(5)
    assert [row["number"] for row in jobs.rows()] == [2, 3, 5]
    store.close()


def test_a_queue_that_is_full_is_full_when_it_is_opened_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ran is in it then, too."""
    monkeypatch.setattr(rooms, "QUEUED_MAX", 2)
    store, jobs = opened(path)
    jobs.submit(key(0), spec())
    begun(jobs)
    for i in (1, 2):
        jobs.submit(key(i), spec())
    store, jobs = again(store)
    assert [row["state"] for row in jobs.rows()] == ["queued"] * 3
    begun(jobs)
    with pytest.raises(Refusal, match=r"^2 jobs wait already"):
        jobs.submit(key(3), spec())
    store.close()


# -- what is on the disk when others are told ----------------------------------------------


def test_it_is_waited_for_the_disk(store: Store) -> None:
    """SQLite's words for it: a transaction is done when the disk has it (2, FULL)."""
    assert store._file.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_is_told_is_stored_before(path: Path, tmp_path: Path) -> None:
    """A copy of the files at that moment is what a root that was killed leaves."""
    store, jobs = opened(path)
    seen: list[tuple[int, str, str]] = []

    def look(job: Job) -> None:
        copy = tmp_path / f"copy{len(seen)}" / path.name
        copy.parent.mkdir()
        for name in (path.name, f"{path.name}-wal"):
            (copy.parent / name).write_bytes((path.parent / name).read_bytes())
        found, there = opened(copy)
        state = there.rows()[job.number - 1]["state"]
        found.close()
        seen.append((job.number, job.state.value, state))

    jobs.changed = look
    for i in range(3):
        jobs.submit(key(i), spec())
    jobs.end(job := begun(jobs), done(job))
    jobs.end(job := begun(jobs), failed(job, "no"))
    jobs.cancel(begun(jobs).number)
    assert seen == [
        *((number, "queued", "queued") for number in (1, 2, 3)),
        (1, "running", "queued"),
        (1, "done", "done"),
        (2, "running", "queued"),
        (2, "failed", "failed"),
        (3, "running", "queued"),
        (3, "running", "cancelled"),
    ]
    store.close()


# -- a full disk ---------------------------------------------------------------------------


def leave(store: Store, pages: int) -> None:
    """The file may grow by so much."""
    (now,) = store._file.execute("PRAGMA page_count").fetchone()
    store._file.execute(f"PRAGMA max_page_count = {now + pages}")


def test_a_job_for_which_there_is_no_room_is_refused(path: Path) -> None:
    store, jobs = opened(path)
    jobs.submit(key(0), spec())
    leave(store, 1)
    with pytest.raises(Refusal, match=r"^the job cannot be stored: the disk is full: "):
        jobs.submit(key(1), spec(bytes(10 * FILLING)))
    assert not store.behind
    assert [row["number"] for row in jobs.rows()] == [1]
    leave(store, 100)
    assert jobs.submit(key(1), spec(bytes(10 * FILLING))).number == 2
    store, jobs = again(store)
    assert [row["number"] for row in jobs.rows()] == [1, 2]
    store.close()


def test_an_outcome_for_which_there_is_no_room_is_told_and_stored_later(path: Path) -> None:
    store, jobs = opened(path)
    seen: list[State] = []
    for i in range(3):
        jobs.submit(key(i), spec())
    jobs.changed = lambda job: seen.append(job.state)
    troubles: list[str] = []
    store.on_trouble = troubles.append
    leave(store, 1)
    jobs.end(job := begun(jobs), done(job, bytes(10 * FILLING)))
    jobs.cancel(2)
    assert seen == [State.RUNNING, State.DONE, State.CANCELLED]
    assert troubles == [store.trouble] == ["the disk is full"]
    assert not store.catch_up(at_once=True)
    with pytest.raises(Refusal, match=r"the disk is full"):
        jobs.submit(key(3), spec())
    leave(store, 100)
    assert store.catch_up(at_once=True)
    assert troubles == ["the disk is full", ""]
    rows = jobs.rows()
    store, jobs = again(store)
    assert jobs.rows() == rows
    assert [row["state"] for row in rows] == ["done", "cancelled", "queued"]
    store.close()


def test_what_has_raised_is_stored_when_there_is_room_again(path: Path) -> None:
    troubles: list[str] = []
    store, jobs = opened(path)
    store.on_trouble = troubles.append
    jobs.submit(key(1), spec())
    failures = jobs.failures(1)
    assert failures
    failures.hear("x", [wire.Raised("1", i, 5, "no" * FILLING, 1) for i in range(9)])
    leave(store, 0)
    assert not jobs.store_failures()
    leave(store, 100)
    assert jobs.store_failures()
    assert troubles == ["the disk is full", ""]
    store, jobs = again(store)
    assert jobs.failures(1) == failures
    store.close()


def test_what_is_forgotten_while_nothing_can_be_stored_is_forgotten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "KEPT", 1)
    store, jobs = opened(path)
    for i in range(3):
        jobs.submit(key(i), spec())
    leave(store, 0)
    jobs.end(job := begun(jobs), done(job, bytes(10 * FILLING)))
    jobs.cancel(2)
    leave(store, 100)
    store.catch_up(at_once=True)
    store, jobs = again(store)
    assert [(row["number"], row["state"]) for row in jobs.rows()] == [
        (2, "cancelled"),
        (3, "queued"),
    ]
    store.close()
