"""Jobs come and go on nodes that stay: in which order, at which time, with which result."""

from __future__ import annotations

from typing import Any

import pytest

from core.sessions.chain import View
from tests.sim import worlds
from tests.sim.fleet.fleets import fleet, job, right, states


def test_one_job_after_the_other_on_the_same_nodes() -> None:
    there = fleet()
    one, other = there.submit(input=1), there.submit(input=2)
    there.run()
    assert (one.result, other.result) == (right(1), right(2))
    assert (one.number, other.number) == (1, 2)
    assert one.ended is not None
    assert other.started == one.ended
    assert (other.submitted, other.waited) == (0.0, one.ended)


def test_two_at_once_each_in_a_tree_of_its_own() -> None:
    there = fleet(at_once=2)
    jobs = [there.submit(input=value) for value in (1, 2)]
    there.run(until=1.0)
    assert states(*jobs) == ["running", "running"]
    assert there.session("1-0").state.people
    assert there.session("2-0").state.people
    there.run()
    assert [one.result for one in jobs] == [right(1), right(2)]


def test_no_more_run_at_once_than_may() -> None:
    there = fleet(at_once=2)
    jobs = [there.submit() for _ in range(3)]
    there.run(until=1.0)
    assert states(*jobs) == ["running", "running", "queued"]


def test_the_highest_priority_goes_first_and_then_who_came_first() -> None:
    there = fleet()
    first = there.submit()
    low, high, alike = (there.submit(at=0.5, priority=priority) for priority in (-1, 5, 5))
    there.run()
    ends = [one.ended or 0.0 for one in (first, high, alike, low)]
    assert ends == sorted(ends)
    assert states(first, low, high, alike) == ["done"] * 4


def test_a_job_comes_at_its_time_to_nodes_that_were_idle() -> None:
    there = fleet()
    later = there.submit(at=30.0)
    there.run(until=29.0)
    assert later.state == "planned"
    assert later.number is None
    assert not any(map(there.network.chain, range(11)))
    there.run()
    assert (later.submitted, later.started, later.waited) == (30.0, 30.0, 0.0)
    assert later.result == right(None)


def test_more_can_be_submitted_when_all_are_over() -> None:
    there = fleet()
    there.submit()
    ended = there.run().seconds
    another = there.submit(input="again")
    there.run()
    assert another.submitted == ended
    assert another.result == right("again")


def test_time_passes_up_to_where_it_was_asked_for() -> None:
    there = fleet()
    there.submit()
    assert there.run(until=50.0).seconds == 50.0


def test_a_job_has_as_many_partitions_as_nodes_are_there() -> None:
    there = fleet(partitions=None, arrival_rate=2.0)
    one, other = there.submit(at=2.2), there.submit(at=30.0)
    there.run()
    assert (one.partitions, other.partitions) == (4, 10)


def test_what_is_asked_for_of_one_job_holds_for_it_alone() -> None:
    there = fleet()
    one = there.submit(partitions=20, fanout=5, delay=2.0)
    other = there.submit()
    there.run()
    assert (one.partitions, other.partitions) == (20, 9)
    assert one.shape is not None
    assert one.shape.fanout == 5


def test_a_job_that_fails_does_so_alone() -> None:
    def compute(value: Any, index: int) -> int:
        raise ValueError("none of it")

    there = fleet(at_once=2)
    bad, good = there.submit(worlds.job(compute=compute)), there.submit()
    there.run()
    assert states(bad, good) == ["failed", "done"]
    assert bad.failure is not None
    assert "none of it" in bad.failure.error


# -- cancelling ------------------------------------------------------------------------------


def test_a_job_that_waits_is_cancelled_at_once() -> None:
    there = fleet()
    first, waits = there.submit(), there.submit()
    waits.cancel(at=1.0)
    there.run()
    assert states(first, waits) == ["done", "cancelled"]
    assert (waits.ended, waits.started) == (1.0, None)


def test_a_job_that_runs_is_cancelled_and_nobody_works_for_it() -> None:
    there = fleet()
    stopped, follows = there.submit(job(20.0)), there.submit(input=2)
    stopped.cancel(at=2.0)
    there.run(until=2.2)  # no link takes longer
    assert states(stopped, follows) == ["cancelled", "running"]
    assert follows.started == 2.0
    assert {_job_of(view) for node in range(11) for view in there.network.chain(node)} == {"2"}
    there.run()
    assert follows.result == right(2)
    assert stopped.result is None


def _job_of(view: View) -> str:
    return view.place.session.partition("-")[0]


def test_what_has_ended_is_not_cancelled() -> None:
    there = fleet()
    one = there.submit()
    there.run()
    one.cancel()
    there.run()
    assert one.state == "done"
    assert one.result == right(None)


def test_a_job_is_cancelled_by_the_fleet_too() -> None:
    there = fleet()
    one = there.submit(job(20.0))
    there.run(until=3.0)
    there.cancel(one)
    there.run()
    assert (one.state, one.ended) == ("cancelled", 3.0)


# -- who comes and goes ----------------------------------------------------------------------


def test_a_node_that_comes_in_the_midst_takes_part_in_all_that_run() -> None:
    there = fleet(nodes=3, arrival_rate=0.5, at_once=2)
    for _ in range(2):
        there.submit(job(3.0))
    there.run(until=6.5)  # the third has come
    assert {_job_of(view) for view in there.network.chain(3)} == {"1", "2"}


def test_a_job_waits_until_somebody_is_there() -> None:
    there = fleet(nodes=2, arrival_rate=0.1)
    one = there.submit()
    there.run(until=9.0)
    assert one.state == "queued"
    there.run()
    assert one.state == "done"
    assert one.started is not None
    assert one.started > 10.0


def test_jobs_go_on_while_nodes_come_and_leave() -> None:
    there = fleet(nodes=60, arrival_rate=3.0, lifetime="uniform:2,9", at_once=2)
    jobs = [there.submit(input=i, at=3.0 * i) for i in range(5)]
    report = there.run()
    assert report.left > 5
    assert [one.result for one in jobs] == [right(i) for i in range(5)]


def test_where_all_have_left_jobs_wait_and_the_run_ends() -> None:
    there = fleet(nodes=2, lifetime=1.0)
    jobs = [there.submit(job(3.0)), there.submit()]
    report = there.run()
    assert report.left == 2
    assert states(*jobs) == ["running", "queued"]


# -- alike, and different --------------------------------------------------------------------


def digest(seed: int, **options: Any) -> str:
    there = fleet(at_once=2, latency="uniform:0.02,0.08", seed=seed, **options)
    for value in range(4):
        there.submit(input=value, delay="exponential:1").cancel(at=3.0 + value)
    return there.run().digest


def test_the_same_seed_gives_the_same_run_whatever_the_replicas_are() -> None:
    assert digest(1) == digest(1) == digest(1, replicas="each")
    assert digest(1) != digest(2)


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"priority": 1.5}, "priority must be a whole number, not 1.5"),
        ({"priority": True}, "priority must be a whole number, not True"),
        ({"at": -1.0}, "at must be seconds from 0, .*, not -1.0"),
        (
            {"at": float("nan")},
            "at must be seconds from 0, .*, not nan",
        ),
        ({"at": "soon"}, "at must be seconds from 0, .*, not 'soon'"),
        ({"partitions": 0}, "partitions must be a whole number, 1 or more, below 10.15, not 0"),
        ({"nodes": 3}, "a job has no option 'nodes'"),
        ({"input": object}, "input: "),
        ({"job": "no.such.job"}, "no.such.job"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(options: dict[str, Any], complaint: str) -> None:
    there = fleet()
    with pytest.raises(ValueError, match=f"^.*{complaint}") as refused:
        there.submit(**options)
    assert "\n" not in str(refused.value)
    assert there.jobs == []


def test_a_moment_to_cancel_is_one_at_which_it_is_there() -> None:
    there = fleet()
    one = there.submit(at=5.0)
    with pytest.raises(ValueError, match="at must not be before 5, when it is submitted, not 4"):
        one.cancel(at=4)


def test_at_once_is_a_number_that_can_be() -> None:
    with pytest.raises(ValueError, match="at_once must be a whole number from 1 to 64, not 0"):
        fleet(at_once=0)
