"""Nothing is left of jobs that have ended, however many there were."""

from __future__ import annotations

import gc

import pytest

from core import Host, Reflector, Replica, Worker
from core.sessions import Participant
from core.sessions.chain import Seat
from sim import Fleet
from sim.record import Record
from sim.work import Work
from tests.sim.fleet.fleets import fleet, job

KINDS = (Host, Reflector, Replica, Worker, Seat, Participant, Record, Work)


def kept() -> int:
    """How many of these there are in this process."""
    gc.collect()
    return sum(type(one) in KINDS for one in gc.get_objects())


def compute(there: Fleet, jobs: int) -> None:
    for _ in range(jobs):
        there.submit(job(0.1))
    there.run()
    there.run(until=there.now + 60.0)  # until no timer is left that knew of them
    there.clock.ran = []  # what happened in the last tick


@pytest.mark.parametrize(("replicas", "jobs"), [("shared", 100), ("each", 20)])
def test_many_jobs_leave_what_none_does(replicas: str, jobs: int) -> None:
    there = fleet(at_once=3, replicas=replicas)
    there.run(until=1.0)
    before = kept()
    compute(there, jobs)
    assert all(one.state == "done" for one in there.jobs)
    assert kept() <= before
    assert there.network.trees == {}
    assert there.network.all_hosts() == []
    assert len(there.clock.after_tick) == 1


def test_nor_do_jobs_that_were_cancelled_while_nodes_were_lost() -> None:
    there = fleet(nodes=20, at_once=3, lifetime="uniform:20,90", arrival_rate=0.5)
    there.run(until=1.0)
    before = kept()
    for number in range(40):
        there.submit(job(5.0), at=2.0 + number).cancel(at=5.0 + number)
    there.run()
    there.run(until=there.now + 100.0)
    there.clock.ran = []
    assert there.report().left > 5
    assert kept() <= before
    assert there.network.trees == {}
