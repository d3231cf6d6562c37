"""Jobs that come and go: simulated fleets that are wrong on purpose, found in drawn fleets."""

from __future__ import annotations

from sim.fleet.fleet import Fleet
from sim.fleet.job import turn
from sim.fleet.jobs import Jobs
from sim.fleet.members import Members
from sim.fleet.trees import OfFleet, Standing
from sim.search.invariants import IN_TURN, KEPT, NOBODY_ELSE, RELEASED, RESULT
from tests.sim.search.mutants.mutant import Mutant

# The seed that found it last: it is tried first, and all others where it does not any more.
FOUND = {
    "what ran is lost with the root": 1,
    "what waited is lost with the root": 5,
    "a root that comes back goes on with what ran, whose sessions it has not": 1,
    "who came last goes first": 5,
    "a job that is to be cancelled goes on": 3,
    "who was away does not drop what has ended meanwhile": 10,
    "who comes is not told what runs": 7,
    "the host of a job that is over is kept": 10,
}

MUTANTS = (
    Mutant(
        "what ran is lost with the root",
        Jobs.begin_anew,
        "self.going(), {}",
        "list(self._queued.values()), {}",
        30,
        (KEPT,),
    ),
    Mutant(
        "what waited is lost with the root",
        Jobs.begin_anew,
        "self.going(), {}",
        "list(self._running.values()), {}",
        30,
        (KEPT,),
    ),
    Mutant(
        "a root that comes back goes on with what ran, whose sessions it has not",
        Jobs.begin_anew,
        "self._running = self.going(), {}",
        "self._running = self.going(), self._running",
        30,
        (KEPT, IN_TURN),
    ),
    Mutant(
        "who came last goes first",
        turn,
        "job.number or 0",
        "-(job.number or 0)",
        30,
        (IN_TURN,),
    ),
    Mutant(
        "a job more than may runs",
        Jobs.upcoming,
        ">= self.at_once",
        "> self.at_once",
        30,
        (IN_TURN,),
    ),
    Mutant(
        "nothing begins when a job has ended",
        Fleet._end,
        "self._begin_jobs()",
        "pass",
        30,
        (IN_TURN,),
    ),
    Mutant(
        "a job that is to be cancelled goes on",
        Fleet._cancel,
        "if not job.over:",
        "if job.started is None:",
        30,
        (RESULT,),
    ),
    Mutant(
        "nobody is told that a job is over",
        Fleet._end,
        "self.members.tell(What.OVER, number)",
        "pass",
        30,
        (NOBODY_ELSE, RELEASED),
    ),
    Mutant(
        "the root keeps the session of a job that is over",
        Fleet._end,
        "tree.over(self.submitter)",
        "pass",
        30,
        (NOBODY_ELSE, RELEASED),
    ),
    Mutant(
        "who was away does not drop what has ended meanwhile",
        Members._told,
        "or number not in numbers",
        "",
        60,
        (NOBODY_ELSE, RELEASED),
    ),
    Mutant(
        "who comes is not told what runs",
        Members._met,
        "self._running()",
        "[]",
        30,
        (KEPT,),
    ),
    Mutant(
        "who has lost the root does not look for it",
        Members.notice,
        "elif other == root",
        "elif False",
        60,
        (KEPT, NOBODY_ELSE, RELEASED),
    ),
    Mutant(
        "the host of a job that is over is kept",
        OfFleet.over,
        "for host in self.detach(node):",
        "for host in ():",
        30,
        (RELEASED,),
    ),
    Mutant(
        "what counts the messages of a job is kept",
        Standing.tidy_up,
        "self.clock.after_tick.remove(tree.record.flush)",
        "pass",
        30,
        (RELEASED,),
    ),
)
