"""The queue of a fleet, and what came of its last jobs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import Failure
from transports.fleet import jobs as rooms
from transports.fleet.job import CALLS, Job, Refusal, State, cancelled, failed
from transports.fleet.jobs import Jobs
from transports.net import wire
from transports.values.handles import handle

ENDED = (State.DONE, State.FAILED, State.CANCELLED)


def spec(priority: int = 0, value: wire.Value = None, name: str = "plugins.demo") -> wire.Spec:
    return wire.Spec(name, {}, value, priority=priority)


def key(i: int) -> bytes:
    return i.to_bytes(16)


def done(job: Job, result: wire.Value = None) -> wire.Outcome:
    return wire.Outcome(job.number, "done", result, partitions=4, accepted=4)


def ticking() -> Jobs:
    """Jobs by a clock on which each look takes a second."""
    clock = count(1000)
    return Jobs(lambda: float(next(clock)))


def filled(number: int, **more: int) -> tuple[Jobs, list[Job]]:
    jobs = ticking()
    return jobs, [jobs.submit(key(i), spec(**more)) for i in range(number)]


# -- whatever is done with it --------------------------------------------------------------

steps = st.lists(
    st.tuples(
        st.sampled_from(["submit", "begin", "end", "fail", "cancel"]),
        st.integers(0, 12),
        st.integers(-2, 2),
    ),
    max_size=60,
)


@given(steps)
def test_no_job_is_lost_or_computed_twice_and_states_only_go_forward(
    drawn: list[tuple[str, int, int]],
) -> None:
    jobs = ticking()
    told: dict[int, list[State]] = {}
    jobs.changed = lambda job: told.setdefault(job.number, []).append(job.state)
    by_key: dict[int, Job] = {}
    begun: list[int] = []
    for what, i, priority in drawn:
        there = by_key.get(i)
        match what:
            case "submit" if there is None:
                by_key[i] = jobs.submit(key(i), spec(priority))
            case "submit" if priority == there.spec.priority:
                assert jobs.submit(key(i), spec(priority)) is there
            case "begin" if job := jobs.upcoming():
                jobs.begin(job)
                begun.append(job.number)
            case "end" | "fail" if there and there.state is State.RUNNING:
                jobs.end(there, done(there) if what == "end" else failed(there, "no"))
            case "cancel" if there:
                assert jobs.cancel(there.number) is there
    numbers = [job.number for job in by_key.values()]
    assert numbers == list(range(1, len(by_key) + 1))
    assert [jobs.get(number) for number in numbers] == list(by_key.values())
    assert len(begun) == len(set(begun))
    for number, states in told.items():
        changes = [b for a, b in zip([None, *states], states, strict=False) if a != b]
        assert changes in (
            [State.QUEUED, *rest] for rest in _ways(jobs.get(number), number in begun)
        )


def _ways(job: Job | None, begun: bool) -> list[list[State]]:
    assert job
    ends = [[job.state]] if job.state in ENDED else [[]]
    return [[State.RUNNING, *end] for end in ends] if begun else ends


@given(st.lists(st.integers(-3, 3), max_size=30))
def test_higher_priorities_go_first_and_of_the_same_who_came_first(priorities: list[int]) -> None:
    jobs = Jobs()
    for i, priority in enumerate(priorities):
        jobs.submit(key(i), spec(priority))
    order: list[tuple[int, int]] = []
    while job := jobs.upcoming():
        assert jobs.ahead(job) == 0
        jobs.begin(job)
        order.append((-job.spec.priority, job.number))
        jobs.end(job, done(job))
    assert order == sorted(order)
    assert len(order) == len(priorities)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20), st.booleans())
def test_ahead_of_a_job_are_as_many_as_begin_before_it(priorities: list[int], runs: bool) -> None:
    jobs = Jobs()
    all_jobs = [jobs.submit(key(i), spec(priority)) for i, priority in enumerate(priorities)]
    if runs and (first := jobs.upcoming()):
        jobs.begin(first)
    ahead = {job.number: jobs.ahead(job) for job in all_jobs}
    order = [job.number for job in all_jobs if job.state is State.RUNNING]
    while job := jobs.upcoming():
        jobs.begin(job)
        order.append(job.number)
    assert [ahead[number] for number in order] == list(range(len(order)))


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 1)), max_size=20))
def test_submitters_take_turns(drawn: list[tuple[int, int]]) -> None:
    """While several have jobs of a priority that wait, none begins two more than another."""
    jobs = ticking()
    for i, (who, priority) in enumerate(drawn):
        jobs.submit(key(i), spec(priority), who)
    begun: dict[tuple[int, int], int] = {}
    while job := jobs.upcoming():
        jobs.begin(job)
        jobs.end(job, done(job))
        level = job.priority
        begun[job.submitter, level] = begun.get((job.submitter, level), 0) + 1
        waiting = {one.submitter for one in jobs.going() if one.priority == level}
        counts = [begun.get((who, level), 0) for who in waiting]
        if waiting and level == 1:  # of a lower one, turns were had before
            assert max(counts) - min(counts) <= 1
    assert sum(begun.values()) == len(drawn)


def test_one_who_comes_later_does_not_wait_for_all_of_an_earlier_one() -> None:
    jobs = ticking()
    numbers = [jobs.submit(key(i), spec(), 7).number for i in range(5)]
    late = jobs.submit(key(10), spec(), 8)
    jobs.begin(first) if (first := jobs.upcoming()) else None
    assert (first, jobs.ahead(late)) == (jobs.get(numbers[0]), 1)
    assert first
    jobs.end(first, done(first))
    assert jobs.upcoming() is late


def test_the_jobs_of_one_user_are_those_of_one_submitter_whatever_process_it_was() -> None:
    jobs = ticking()
    mine = [jobs.submit(key(i), spec(), i, "ann@one") for i in range(3)]
    other = jobs.submit(key(9), spec(), 9, "bob@one")
    assert [jobs.ahead(job) for job in (*mine, other)] == [0, 2, 3, 1]


def test_what_a_job_weighs_changes_its_turn_while_it_waits_and_nothing_when_it_has_ended() -> None:
    jobs, (one, other, last) = filled(3)
    assert jobs.weigh(last.number, 2, None) is last
    assert [jobs.ahead(job) for job in (one, other, last)] == [1, 2, 0]
    assert jobs.upcoming() is last
    jobs.begin(last)
    jobs.weigh(last.number, None, 3.0)
    jobs.end(last, done(last))
    jobs.weigh(last.number, 5, 5.0)
    assert [(row["priority"], row["weight"]) for row in jobs.rows()] == [(0, 1), (0, 1), (2, 3)]
    assert jobs.weigh(9, 1, 1.0) is None
    assert jobs.submit(key(2), spec()) is last  # it is the same job still


# -- the same job --------------------------------------------------------------------------


def test_a_key_with_another_spec_is_refused() -> None:
    jobs, _ = filled(1)
    with pytest.raises(Refusal, match=r"^job 1 has that key already"):
        jobs.submit(key(0), spec(value=1))


@pytest.mark.parametrize("value", [float("nan"), {"a": [1, 2.5, b"x"]}])
def test_the_same_value_is_the_same_spec(value: wire.Value) -> None:
    jobs = Jobs()
    assert jobs.submit(key(0), spec(value=value)) is jobs.submit(key(0), spec(value=value))


def test_values_that_are_equal_in_python_only_are_not_the_same() -> None:
    jobs = Jobs()
    jobs.submit(key(0), spec(value=1))
    with pytest.raises(Refusal):
        jobs.submit(key(0), spec(value=True))


@pytest.mark.parametrize("end", [done, cancelled])
def test_a_job_that_has_ended_is_still_the_same_job(end: Callable[[Job], wire.Outcome]) -> None:
    jobs = Jobs()
    job = jobs.submit(key(0), spec(value="input"))
    jobs.begin(job)
    jobs.end(job, end(job))
    assert job.spec.input is None
    assert jobs.submit(key(0), spec(value="input")) is job


# -- ends ----------------------------------------------------------------------------------


def test_a_job_has_the_times_and_counts_of_its_outcome() -> None:
    jobs, (job,) = filled(1)
    jobs.begin(job)
    jobs.end(job, done(job, "result"))
    assert (job.submitted, job.started, job.ended, job.seconds) == (1000, 1001, 1002, 1)
    assert job.outcome == wire.Outcome(
        1, "done", "result", partitions=4, accepted=4, seconds=1.0
    )  # fmt: skip
    assert (job.partitions, job.accepted) == (4, 4)


def test_cancelling_ends_what_waits_and_asks_for_the_end_of_what_runs() -> None:
    jobs, (first, second) = filled(2)
    jobs.begin(first)
    told: list[tuple[int, State]] = []
    jobs.changed = lambda job: told.append((job.number, job.state))
    for job in (first, first, second, second):
        jobs.cancel(job.number)
    assert told == [(1, State.RUNNING), (2, State.CANCELLED)]
    assert first.cancel_asked
    assert first.outcome is None
    assert second.outcome == cancelled(second)
    assert jobs.upcoming() is None
    assert jobs.cancel(3) is None


def test_what_has_ended_stays_as_it_is() -> None:
    jobs, (job,) = filled(1)
    jobs.begin(job)
    jobs.end(job, done(job))
    jobs.cancel(1)
    jobs.end(job, cancelled(job))
    assert job.state is State.DONE
    with pytest.raises(ValueError, match=r"^job 1 does not wait, it is done"):
        jobs.begin(job)


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (bytes(2**24), "what came of it cannot be told: Outcome of 167772"),
        (2**70, "what came of it cannot be told: Outcome: "),
    ],
)
def test_a_job_whose_result_does_not_travel_has_failed(result: wire.Value, why: str) -> None:
    jobs, (job,) = filled(1)
    jobs.begin(job)
    jobs.end(job, done(job, result))
    assert job.state is State.FAILED
    assert job.outcome
    assert job.outcome.result is None
    assert job.outcome.failure
    assert job.outcome.failure.error.startswith(why)


# -- how much is kept ----------------------------------------------------------------------


def test_no_more_than_so_many_wait() -> None:
    jobs, (first, *_) = filled(rooms.QUEUED_MAX)
    with pytest.raises(Refusal, match=r"^1,000 jobs wait already"):
        jobs.submit(key(rooms.QUEUED_MAX), spec())
    jobs.begin(first)
    assert jobs.submit(key(rooms.QUEUED_MAX), spec()).number == rooms.QUEUED_MAX + 1


def test_inputs_that_wait_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "QUEUED_BYTES_MAX", 3000)
    jobs = Jobs()
    first = jobs.submit(key(0), spec(value=bytes(1000)))
    jobs.submit(key(1), spec(value=bytes(1000)))
    with pytest.raises(Refusal, match=r"^the inputs of the jobs that wait"):
        jobs.submit(key(2), spec(value=bytes(1000)))
    jobs.cancel(first.number)
    assert jobs.submit(key(2), spec(value=bytes(1000))).state is State.QUEUED


def test_only_the_last_that_ended_are_kept() -> None:
    jobs, made = filled(rooms.KEPT + 5)
    for job in made:
        jobs.begin(job)
    for job in reversed(made):
        jobs.end(job, done(job))
    assert [jobs.get(job.number) for job in made] == [*made[:-5], *[None] * 5]
    assert len(jobs.rows()) == rooms.KEPT
    assert jobs.submit(made[-1].key, spec()).number == len(made) + 1  # it is forgotten


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), st.integers(1, 5))
def test_a_job_pushes_out_none_of_another_kind(drawn: list[tuple[bool, bool]], most: int) -> None:
    """None that is to be asked for, whoever is told of others, and however many calls they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "KEPT", 2 * most)
        patch.setattr(rooms, "KEPT_CALLS", most)
        jobs = ticking()
        for i, (calls, told) in enumerate(drawn):
            job = jobs.submit(key(i), spec(name=CALLS if calls else "plugins.demo"))
            jobs.is_awaited = {job: told}.__getitem__
            jobs.begin(job)
            jobs.end(job, done(job))
    kept: list[int] = []
    for kind in {*drawn}:
        those = [number for number, one in enumerate(drawn, 1) if one == kind]
        kept += those[-most if all(kind) else -2 * most :]
    assert [row["number"] for row in jobs.rows()] == sorted(kept)


def test_of_large_results_those_go_first_that_somebody_was_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rooms, "KEPT_BYTES_MAX", 5000)
    jobs, made = filled(3)
    for job in made:
        jobs.begin(job)
        jobs.end(job, done(job, bytes(2000)))
        if job.number == 2:
            jobs.note_told(job)
    assert [job.outcome.state for job in made if job.outcome] == ["done", "unknown", "done"]


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=20))
def test_results_are_bounded_in_bytes_and_the_oldest_go_first(sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "KEPT_BYTES_MAX", 10_000)
        jobs, made = filled(len(sizes))
        for job, size in zip(made, sizes, strict=True):
            jobs.begin(job)
            jobs.end(job, done(job, bytes(size)))
    assert {job.state for job in made} == {State.DONE}
    outcomes = [job.outcome for job in made if job.outcome]
    assert sum(len(wire.encode(outcome)) for outcome in outcomes) <= 10_000
    states = [outcome.state for outcome in outcomes]
    gone = states.count("unknown")
    assert states == ["unknown"] * gone + ["done"] * (len(sizes) - gone)
    assert states[-1] == "done"
    assert gone == 0 or sum(sizes[gone - 1 :]) > 10_000 - 500 * len(sizes)


def test_a_result_that_had_to_go_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, made = filled(2)
    monkeypatch.setattr(rooms, "KEPT_BYTES_MAX", 3000)
    for job in made:
        jobs.begin(job)
        jobs.end(job, done(job, bytes(2000)))
    outcome = made[0].outcome
    assert outcome
    assert outcome.result is None
    assert outcome.failure
    assert outcome.failure.error.startswith("job 1 is done, but what came of it is not kept")


# -- as a table ----------------------------------------------------------------------------


def test_rows_are_plain_and_short() -> None:
    jobs, made = filled(3, priority=2)
    jobs.begin(made[0])
    error = "Traceback\n" + "ValueError: " + 1000 * "x"
    jobs.end(made[0], wire.Outcome(1, "failed", failure=Failure("1-0", 3, error)))
    jobs.begin(made[1])
    rows = jobs.rows()
    assert wire.decode(wire.encode(wire.Told({"jobs": rows}))[4:]) == wire.Told({"jobs": rows})
    assert [(row["number"], row["state"], row["ahead"]) for row in rows] == [
        (1, "failed", 0),
        (2, "running", 0),
        (3, "queued", 1),
    ]
    assert rows[0]["failure"].startswith("the job failed in session 1-0, partition 3: ValueError")
    assert len(rows[0]["failure"]) == rooms.LINE_MAX


# -- what is beside the messages -----------------------------------------------------------


def test_the_large_values_of_jobs_are_named_for_as_long_as_they_are_needed() -> None:
    jobs, _ = filled(0)
    given, made = handle("a" * 64, 10), handle("b" * 64, 20)
    job = jobs.submit(b"k" * 16, wire.Spec("plugins.demo", {}, given))
    assert jobs.values() == {"a" * 64}
    jobs.begin(job)
    jobs.end(job, done(job, made))
    assert jobs.values() == {"b" * 64}
    assert job.size > 20  # it is counted with what is kept


def test_jobs_whose_large_values_are_gone_say_so() -> None:
    jobs, _ = filled(0)
    value = handle("a" * 64, 10)
    waits, ended = (
        jobs.submit(bytes([n]) * 16, wire.Spec("plugins.demo", {}, value)) for n in (1, 2)
    )
    jobs.begin(ended)
    jobs.end(ended, done(ended, value))
    jobs.check_values(lambda value: True)
    assert (waits.state, ended.outcome and ended.outcome.result) == (State.QUEUED, value)
    jobs.check_values(lambda value: value is None)
    assert waits.outcome
    assert waits.outcome.failure
    assert waits.outcome.failure.error == "its input is not there any more: submit it again"
    assert ended.state is State.DONE
    assert ended.outcome
    assert ended.outcome.state == "unknown"
    assert jobs.values() == set()
