"""One trial of a fleet: nodes, jobs and faults, and what was found when it was run.

As in any other trial faults happen first, and nothing may ever be wrong. Then they stop, a part of
the nodes stays dead, and all jobs must come to an end. After that the fleet is idle.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import attrs

from core import Shape
from plugins.console.distributions import parse
from sim.faults import actions as a
from sim.faults import plans
from sim.faults.actions import SUBMITTER, Fault
from sim.fleet.fleet import Fleet
from sim.fleet.job import Job
from sim.search import kinds
from sim.search.fleets.check import Checker, idle_seconds
from sim.search.fleets.job import NOTHING_FAILS
from sim.search.trial import LIVENESS_SECONDS, Outcome, Trial, judged

JOB = "sim.search.fleets.job"
SPACING = 1000  # between the numbers of one job and those of the next
STEP_SECONDS = 10.0  # from one look whether all are over to the next
DELAYS = (0.05, "uniform:0.1,1", "exponential:1", "uniform:0.5,3", "uniform:1,6")


def draw(seed: int) -> Trial:
    """The trial of a seed."""
    random = Random(f"search/fleets/{seed}")
    world, safety_seconds = _world(random, seed), random.choice((5.0, 15.0, 30.0))
    jobs = tuple(_job(random, number, safety_seconds) for number in range(random.randint(2, 6)))
    faults = tuple(map(_with_queue(random), _faults(random, world, jobs, safety_seconds)))
    nodes = world["nodes"]
    dead = [node for node in range(1, nodes + 1) if random.random() < 0.3][: nodes - 1]
    return Trial(seed, world, faults, safety_seconds, tuple(dead), jobs=jobs)


def _world(random: Random, seed: int) -> dict[str, Any]:
    nodes = random.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 16))
    world: dict[str, Any] = {
        "nodes": nodes,
        "seed": seed,
        "job": JOB,
        "at_once": random.choice((1, 1, 2, 3)),
        "fanout": random.choice((2, 2, 3, 4, 8)),
        "latency": random.choice(("uniform:0.02,0.08", "lognormal:0.05,1", 0.001, 0.3)),
        "delay": random.choice(DELAYS),
        "arrival_rate": random.choice((nodes / 10, nodes / 2, 1000.0)),
        "replicas": random.choice(("each", "shared", "shared")),
        "heartbeat": random.choice((1.0, 5.0, 5.0)),
    }
    if random.random() < 0.2:
        world["lifetime"] = random.choice(("exponential:10", "exponential:40", "uniform:1,30"))
    if random.random() < 0.2:
        world["listening"] = random.choice((0.0, 0.5, 0.8))
    if random.random() < 0.05:
        world["service_time"] = 0.02
    return world


def _job(random: Random, number: int, safety_seconds: float) -> dict[str, Any]:
    """When it is submitted and cancelled, what it is, and what of it fails."""
    partitions = random.choice((1, 2, 5, 9, 16, 24, 40))
    at = round(random.choice((0.0, random.random())) * safety_seconds, 3)
    first = SPACING * number
    fails = first + random.randrange(partitions) if random.random() < 0.08 else NOTHING_FAILS
    cancel = round(at + random.random() * 10, 3) if random.random() < 0.3 else None
    return {
        "at": at,
        "priority": random.choice((0, 0, 0, 1, -1)),
        "partitions": partitions,
        "input": [first, partitions, fails],
        "cancel": cancel,
    }


def _faults(
    random: Random, world: dict[str, Any], jobs: tuple[dict[str, Any], ...], until: float
) -> list[Fault]:
    weights = {kind: weight for kind, weight in kinds.WEIGHTS.items() if random.random() < 0.35}
    if random.random() < 0.5:
        weights["submitter"] = 3
    if not weights:
        return []
    shape = Shape.root(max(job["partitions"] for job in jobs), world["fanout"])
    gap_seconds, nodes = random.choice((1.0, 3.0, 8.0)), world["nodes"]
    return plans.draw(random, weights, gap_seconds, until, nodes, shape, kinds.KINDS)


def _with_queue(random: Random) -> Callable[[Fault], Fault]:
    """Mostly a root that comes back has its queue."""
    whole = (a.Nodes((SUBMITTER,)), a.Share(1.0))

    def changed(fault: Fault) -> Fault:
        action = fault.action
        if not isinstance(action, a.Restart) or action.target not in whole:
            return fault
        memory = action.memory or random.random() < 0.3
        return attrs.evolve(fault, action=attrs.evolve(action, memory=memory))

    return changed


def run(trial: Trial, tell: Callable[[str], None] | None = None) -> Outcome:
    """Run a trial to its end; `tell` is given every event as a line, in order.

    Raises ValueError for options that cannot be.
    """
    fleet = Fleet(**trial.world, faults=trial.faults)
    jobs = [_submitted(fleet, job) for job in trial.jobs]
    checker = Checker(fleet, trial.jobs, tell)
    violation = judged(lambda: _phases(trial, fleet, jobs, checker), fleet, checker.events)
    messages = fleet.clock.entries - fleet.clock.timers
    return Outcome(violation, checker.probes.counts, fleet.report().digest, messages)


def _submitted(fleet: Fleet, wanted: dict[str, Any]) -> Job:
    options = {name: wanted[name] for name in ("at", "priority", "partitions", "input")}
    job = fleet.submit(**options)
    if wanted["cancel"] is not None:
        job.cancel(at=wanted["cancel"])
    return job


def _phases(trial: Trial, fleet: Fleet, jobs: list[Job], checker: Checker) -> None:
    fleet.run(until=trial.safety_seconds)
    _recover(trial, fleet)
    checker.recovered()
    latest = fleet.now + _patience_seconds(trial, fleet)
    while fleet.now < latest and not all(job.over for job in jobs):
        fleet.run(until=fleet.now + STEP_SECONDS)
    checker.check_ended(jobs)
    fleet.run(until=fleet.now + idle_seconds(fleet))
    checker.check_idle()


def _recover(trial: Trial, fleet: Fleet) -> None:
    """The faults stop; who is dead comes back, or not."""
    fleet.do(a.Heal())
    fleet.calm = True
    _end_hanging(fleet)
    for node in [node for node in fleet.faults.crashed if node not in trial.dead]:
        fleet.do(a.Restart(a.Nodes((node,)), memory=node == SUBMITTER))
    alive = sum(fleet.network.alive) - fleet.network.alive[SUBMITTER]
    all_gone = not alive and fleet.record.arrived == fleet.nodes
    if all_gone and not fleet.do(a.Restart(a.Nodes((1,)))):  # it had left
        fleet.members.come(1)


def _end_hanging(fleet: Fleet) -> None:
    """Somebody ends what hangs: where few are left, nobody else may ever be at that piece."""
    done = [done for done in fleet.faults.done if isinstance(done.action, a.Hang)]
    hung = {node for each in done for node in each.concerned} - {SUBMITTER}
    if hung:
        fleet.do(a.Crash(a.Nodes(tuple(sorted(hung)))))


def _patience_seconds(trial: Trial, fleet: Fleet) -> float:
    """What all the work takes on one node, and as long again for each job to come about."""
    longest = parse(trial.world.get("delay", 0.0)).ticks("", fleet.clock.tick_seconds, 1 << 10)
    each = max(longest) * fleet.clock.tick_seconds + 10 * fleet.service_seconds + 1
    factors = [f.action.factor for f in trial.faults if isinstance(f.action, a.Slow)]
    slowly = max(factors, default=0.0) * each * 12
    partitions: int = sum(job["partitions"] for job in trial.jobs)
    arriving = float(fleet.nodes / trial.world.get("arrival_rate", 1.0))
    pauses: float = max((job["cancel"] or job["at"] for job in trial.jobs), default=0.0)
    return LIVENESS_SECONDS * len(trial.jobs) + 4 * partitions * each + slowly + arriving + pauses
