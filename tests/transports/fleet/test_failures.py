"""What raised in a job is counted: alike once, bounded, and the same when it was stored."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.fleet.storing import again, begun, done, key, opened, spec
from transports.fleet import failures as rooms
from transports.fleet.failures import Failures
from transports.net import wire

raised = st.builds(
    wire.Raised,
    st.sampled_from(["7", "7-1"]),
    st.none() | st.integers(0, 2),
    st.integers(0, 1),
    st.sampled_from(["a", "bb", "c" * 30]),
    st.integers(1, 3),
)
reports = st.lists(st.tuples(st.sampled_from("xy"), st.lists(raised, max_size=5)), max_size=20)


@given(reports)
def test_what_is_alike_is_there_once_and_the_last_that_came_stays(
    reports: list[tuple[str, list[wire.Raised]]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "PLACES_MAX", 6)
        patch.setattr(rooms, "ERRORS_LENGTH_MAX", 32)
        failures, all_of_it = Failures(), Counter[tuple[object, ...]]()
        for process, one in reports:
            failures.hear(process, one)
            for item in one:
                place = (item.error, item.session, item.partition, item.node, process)
                all_of_it[place] += item.times
                last = place
            assert not one or last in failures.times
    assert sum(failures.times.values()) + failures.left_off == all_of_it.total()
    assert all(times <= all_of_it[place] for place, times in failures.times.items())
    assert len(failures.times) <= 6
    assert sum(map(len, {place[0] for place in failures.times})) <= 32
    stored = Failures.of(failures.packed())
    assert (stored.times, stored.left_off) == (failures.times, failures.left_off)
    assert list(stored.times) == list(failures.times)
    assert stored.stored


def test_reasons_to_decline_are_bounded_too() -> None:
    failures = Failures()
    for i in range(50):
        failures.decline("x", f"reason {i}")
        failures.decline(f"process {i}", "reason 0")
    assert len(failures.declined) == len(failures.declined["reason 0"]) == rooms.DECLINED_MAX
    assert Failures.of(failures.packed()).declined == failures.declined


def test_a_root_that_begins_anew_knows_what_has_raised(path: Path) -> None:
    store, jobs = opened(path)
    for i in range(3):
        jobs.submit(key(i), spec(i))
        found = jobs.failures(i + 1)
        assert found
        found.hear("x", [wire.Raised(f"{i + 1}", i, 5, "no", 2)])
    jobs.end(job := begun(jobs), done(job))
    store, jobs = again(store)
    for number in (1, 2, 3):
        found = jobs.failures(number)
        assert found
        assert found.times == {("no", f"{number}", number - 1, 5, "x"): 2}
    assert jobs.failures(4) is None
    store.close()


def test_what_raised_in_a_job_is_forgotten_with_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.fleet.jobs.KEPT", 1)
    store, jobs = opened(path)
    for i in range(2):
        jobs.submit(key(i), spec(i))
        found = jobs.failures(i + 1)
        assert found
        found.hear("x", [wire.Raised(f"{i + 1}", 0, 5, "no", 1)])
        jobs.end(job := begun(jobs), done(job))
    assert jobs.failures(1) is None
    store.close()
    store, jobs = opened(path)
    assert [*store.load_failures()] == [2]
    store.close()
