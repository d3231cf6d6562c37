"""Jobs outlive what is lost: nodes, connections, and the root, which comes back with its queue."""

from __future__ import annotations

import pytest

from sim.faults import script
from tests.sim.fleet.fleets import fleet, job, right, states


def faults(*lines: str) -> tuple[object, ...]:
    return script.read("\n".join(lines))


def test_a_root_that_comes_back_has_its_queue_and_what_ran_waits_again() -> None:
    there = fleet(at_once=1, faults=faults("at 2 crash node 0", "at 9 restart node 0 with memory"))
    ran, waits = there.submit(job(4.0), input=1), there.submit(input=2)
    there.run(until=9.0)
    assert states(ran, waits) == ["queued", "queued"]
    there.run()
    assert (ran.result, waits.result) == (right(1), right(2))
    assert (ran.number, ran.begun, waits.begun) == (1, 2, 1)
    assert ran.started is not None
    assert 9.0 < ran.started < 11.0


def test_what_is_said_while_the_root_is_away_is_said_again() -> None:
    there = fleet(faults=faults("at 2 crash node 0", "at 9 restart node 0 with memory"))
    ran, later = there.submit(job(4.0)), there.submit(at=4.0)
    ran.cancel(at=3.0)
    there.run()
    assert (ran.state, ran.ended) == ("cancelled", 9.0)
    assert (later.submitted, later.result) == (9.0, right(None))


def test_a_root_without_its_queue_has_lost_the_jobs_and_says_so() -> None:
    there = fleet(faults=faults("at 2 crash node 0", "at 9 restart node 0"))
    lost, later = there.submit(job(4.0)), there.submit(at=10.0)
    there.run()
    assert states(lost, later) == ["failed", "done"]
    assert lost.failure is not None
    assert lost.failure.error == "the root came back without its queue: restart it with memory"


@pytest.mark.parametrize("memory", ["", " with memory"])
def test_who_was_away_when_a_job_ended_learns_that_it_has(memory: str) -> None:
    lines = "at 1.5 crash nodes 1-4 silently", f"at 30 restart nodes 1-4{memory}"
    there = fleet(at_once=2, faults=faults(*lines))
    ended, runs = there.submit(job(2.0)), there.submit(job(40.0), partitions=5)
    there.run(until=29.9)
    assert states(ended, runs) == ["done", "running"]
    there.run(until=33.0)
    for node in range(1, 5):
        assert {view.place.session.partition("-")[0] for view in there.network.chain(node)} == {"2"}
    there.run()
    assert runs.result == right(None, 5)


def test_who_was_apart_while_jobs_ended_and_began_takes_part_in_those_that_run() -> None:
    there = fleet(faults=faults("at 0.5 partition nodes 1-5", "at 20 heal"))
    first, second = there.submit(job(3.0), input=1), there.submit(job(30.0), input=2)
    there.run(until=19.9)
    assert states(first, second) == ["done", "running"]
    apart = [view.place.session for node in range(1, 6) for view in there.network.chain(node)]
    assert {name.partition("-")[0] for name in apart} == {"1"}
    there.run(until=25.0)
    back = [view.place.session for node in range(1, 6) for view in there.network.chain(node)]
    assert {name.partition("-")[0] for name in back} == {"2"}
    there.run()
    assert (first.result, second.result) == (right(1), right(2))


def test_a_fault_names_sessions_of_a_job_or_of_the_one_that_began_first() -> None:
    there = fleet(at_once=2)
    jobs = [there.submit(job(3.0), input=value) for value in (1, 2)]
    there.run(until=1.0)
    assert there.do("slow the host of 0-1 by 2") == there.do("slow the host of 1-1 by 2")
    assert there.do("crash everyone in 2-2")
    there.do("heal")
    there.run()
    assert [one.result for one in jobs] == [right(1), right(2)]


def test_all_results_are_right_whatever_happens() -> None:
    there = fleet(nodes=20, at_once=3, faults="heavy", seed=3, partitions=20)
    jobs = [there.submit(job(2.0), input=i, at=5.0 * i, priority=i % 3) for i in range(12)]
    there.run()
    assert [one.result for one in jobs] == [right(i, 20) for i in range(12)]
