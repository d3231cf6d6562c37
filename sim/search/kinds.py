"""The kinds of faults that a search draws, beside those that `heavy` has."""

from __future__ import annotations

from random import Random

from core import Shape
from sim.faults import actions as a
from sim.faults import plans
from sim.faults.actions import SUBMITTER, Fault
from sim.faults.plans import Kind, Steps


def _unopened(random: Random, nodes: int, shape: Shape) -> Steps:
    """Some crash before they open the next session that they are given; one in two comes back."""
    doomed = a.Nodes(tuple(sorted(random.sample(range(1, nodes + 1), -(-nodes // 3)))))
    steps: Steps = [(0.0, a.CrashBeforeSession(doomed))]
    if random.random() < 0.5:
        steps.append((random.random() * 12, a.Restart(a.Share(1.0), random.random() < 0.5)))
    return steps


def _wrong_hosts(random: Random, nodes: int, shape: Shape) -> Steps:
    """Hosts' own replicas are corrupted; at times what mends them takes a while to come."""
    steps: Steps = [(0.5 * i, a.Diverge(plans.session(random, shape))) for i in range(8)]
    if random.random() < 0.5:
        steps = [(0.0, a.Slow(a.Share(0.5), 4.0)), *steps, (4.0, a.Heal())]
    return steps


KINDS: dict[str, Kind] = {
    **plans.KINDS,
    "unopened": _unopened,
    "wrong hosts": _wrong_hosts,
}
WEIGHTS = {**plans.HEAVY, "unopened": 1, "wrong hosts": 1}


# -- machines on which a job's functions do not work -----------------------------------------

BROKEN = (0, 0, 0, 0, 0, 0, 0, 1, 1, 2)  # how many of them there are


def draw_machines(random: Random, nodes: int, shape: Shape, until_seconds: float) -> list[Fault]:
    """In some worlds one or two, each at some time: every function raises, or none ends."""
    faults = list[Fault]()
    for _ in range(random.choice(BROKEN)):
        broken = random.random() < 0.6
        target = plans.node(random, nodes) if broken else plans.somebody(random, nodes, shape)
        at = round(until_seconds * random.random() ** 3, 3)  # more often early
        faults.append(Fault(at, a.Break(target) if broken else a.Hang(target)))
    return faults


# -- worlds in which everything takes long ---------------------------------------------------

AT_SECONDS = (600.0, 1199.0, 1200.0, 1200.001, 1800.0)  # round times among them


def draw_long(random: Random, nodes: int) -> list[Fault]:
    """One or two things that happen early, and what ends them a long time later."""
    faults = list[Fault]()
    for kind in random.sample(LONG, random.choice((1, 1, 2))):
        begins, ends = kind(random, nodes)
        faults.append(Fault(round(3 + random.random() * 10, 3), begins))
        if ends is not None:
            faults.append(Fault(random.choice(AT_SECONDS), ends))
    return sorted(faults, key=lambda fault: fault.at)


def _submitter_away(random: Random, nodes: int) -> tuple[a.Action, a.Action | None]:
    root = a.Nodes((SUBMITTER,))
    return a.Crash(root, random.random() < 0.3), a.Restart(root, random.random() < 0.7)


def _submitter_apart(random: Random, nodes: int) -> tuple[a.Action, a.Action | None]:
    return a.Partition(a.Nodes((SUBMITTER,))), a.Heal()


def _all_away(random: Random, nodes: int) -> tuple[a.Action, a.Action | None]:
    everyone = a.Nodes(tuple(range(1, nodes + 1)))
    return a.Crash(everyone, random.random() < 0.3), a.Restart(everyone, random.random() < 0.5)


def _half_gone(random: Random, nodes: int) -> tuple[a.Action, a.Action | None]:
    return a.Crash(a.Share(0.5), silently=True), None


def _very_slow(random: Random, nodes: int) -> tuple[a.Action, a.Action | None]:
    return a.Slow(plans.node(random, nodes), 10_000.0), None


LONG = (_submitter_away, _submitter_apart, _all_away, _half_gone, _very_slow)
