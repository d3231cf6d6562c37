"""One trial: a world, its faults, and what was found when it was run.

First the safety phase: faults happen, and nothing may ever be wrong. Then the liveness phase: the
faults stop, a part of the nodes stays dead, and the rest must come to an end in a bounded time.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from random import Random
from typing import Any

import attrs

from core import Shape
from sim.deployment import Deployment
from sim.faults import actions as a
from sim.faults import plans
from sim.faults.actions import SUBMITTER, Fault
from sim.search import job, kinds
from sim.search.check import Checker
from sim.search.events import Events
from sim.search.invariants import ENDS, NO_EXCEPTION
from sim.search.liar import Liar
from sim.search.numbers import renumbered
from sim.search.sound import Broken
from sim.world import World

JOB = "sim.search.job"
ALWAYS = 10**9
DELAYS = (0.0, 0.05, "uniform:0.1,2", "exponential:1", "uniform:1,6", "exponential:4")
DRAIN_SECONDS = 40.0  # after the result: until everyone has heard of it
LIVENESS_SECONDS = 120.0  # for those who are left, besides the time for their work
USUAL_SECONDS = {"heartbeat": 5.0, "latency": 0.4, "service_time": 0.02}  # at most, in most worlds
LONG_SHARE, LONG_SECONDS = 0.02, 2400.0  # of worlds in which faults are far apart
SLOW_FACTOR = 20.0  # of a node that is always slow


@attrs.frozen
class Trial:
    """All that a run depends on. Two runs of equal trials are equal, event by event."""

    seed: int
    world: dict[str, Any]  # the options of World, plain data
    faults: tuple[Fault, ...]  # of the safety phase, in order of time
    safety_seconds: float  # how long faults go on
    dead: tuple[int, ...]  # nodes that stay dead in the liveness phase, if they are dead then
    liars: tuple[int, ...] = ()  # nodes that say anything at any time
    slow: tuple[int, ...] = ()  # nodes whose functions take SLOW_FACTOR times as long, always
    jobs: tuple[dict[str, Any], ...] = ()  # of a fleet; without any it is a world of one job


@attrs.frozen
class Violation:
    """A promise that was broken."""

    invariant: str  # its name
    detail: str  # one line: session, node, what was found and what should be
    at: float  # simulated seconds
    events: tuple[str, ...]  # the last ones of what was involved, oldest first


@attrs.frozen
class Outcome:
    violation: Violation | None
    probes: dict[str, int]  # how often each hoped-for state was reached; those never reached too
    digest: str  # of all that was ordered
    messages: int


class Drawn(World):
    """A world in which any node may be the submitter."""

    def __init__(self, submitter: int = SUBMITTER, **options: Any) -> None:
        self.submitter = submitter
        super().__init__(**options)


def draw(seed: int) -> Trial:
    """The trial of a seed. Which kinds of faults there are, and how often, is drawn as well."""
    random = Random(f"search/{seed}")
    world = _world(random, seed)
    if long := random.random() < LONG_SHARE:
        _lengthen(random, world)
    nodes = world["nodes"]
    safety_seconds = LONG_SECONDS if long else random.choice((5.0, 15.0, 30.0, 60.0))
    faults = kinds.draw_long(random, nodes) if long else _faults(random, safety_seconds, world)
    faults = _with_machines(seed, world, safety_seconds, faults)
    dead, slow = _dead(random, nodes), _slow(random, nodes)
    world["submitter"] = submitter = random.randint(0, nodes)
    numbers = {SUBMITTER: submitter, submitter: SUBMITTER}

    def among(nodes: tuple[int, ...]) -> tuple[int, ...]:
        """The numbers of those who have these where the submitter is 0."""
        return tuple([numbers.get(node, node) for node in nodes])

    if world["input"][3] == 2 and random.random() < 0.5:
        faults = [Fault(0.0, a.Duplicate(1.0)), *faults]
    faults = [found for fault in faults if (found := renumbered(fault, among))]
    liars = () if long else among(_liars(seed, nodes))  # what they say would fill every queue
    return Trial(seed, world, tuple(faults), safety_seconds, among(dead), liars, among(slow))


def _world(random: Random, seed: int) -> dict[str, Any]:
    nodes = random.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24))
    partitions = random.choice((1, 2, 5, 9, 16, 20, 27, 40, 60))
    world: dict[str, Any] = {
        "nodes": nodes,
        "partitions": partitions,
        "fanout": random.choice((2, 2, 3, 3, 4, 5, 8)),
        "seed": seed,
        "job": JOB,
        "input": [0, partitions, job.NOTHING_FAILS, 0],
        "latency": random.choice(("uniform:0.02,0.08", "lognormal:0.05,1", 0.001, 0.3)),
        "delay": random.choice(DELAYS),
        "arrival_rate": random.choice((nodes / 10, nodes / 2, 1000.0)),
        "replicas": random.choice(("each", "each", "shared")),
        "heartbeat": random.choice((1.0, 5.0, 5.0)),
    }
    _add_rarities(random, world)
    return world


def _add_rarities(random: Random, world: dict[str, Any]) -> None:
    """In some worlds nodes leave, few listen, hosts are slow, or a function of the job fails."""
    if random.random() < 0.2:
        world["lifetime"] = random.choice(("exponential:10", "exponential:40", "uniform:1,30"))
    if random.random() < 0.25:
        world["listening"] = random.choice((0.0, 0.0, 0.5, 0.8))
    if random.random() < 0.05:
        world["service_time"] = 0.02
    if random.random() < 0.2:
        partition = random.randrange(world["partitions"])
        fails = (job.PREPARE_FAILS, job.COLLECT_FAILS, partition, partition)
        world["input"][2:] = [random.choice(fails), random.choice((1, 2, ALWAYS))]
    elif random.random() < 0.05:  # of leaders on another's host, from whom it may be heard twice
        below = random.choice((job.PREPARE_BELOW_FAILS, job.COLLECT_FAILS))
        world["input"][2:] = [below, 2]
        world["listening"] = 0.0


def _lengthen(random: Random, world: dict[str, Any]) -> None:
    """Have a small part of it take longer than anybody would wait who only looks for a change."""
    world["delay"] = random.choice((2.0, "uniform:1,6"))
    world["nodes"] = min(world["nodes"], 8)
    match random.randrange(4):
        case 0:
            world["heartbeat"] = 2000.0
        case 1:
            world |= {"latency": 700.0, "heartbeat": 10_000.0}
        case 2:
            world |= {"service_time": 700.0, "heartbeat": 1e6}
        case _:
            world["arrival_rate"] = 1 / 600


def _faults(random: Random, safety_seconds: float, world: dict[str, Any]) -> list[Fault]:
    weights = {kind: weight for kind, weight in kinds.WEIGHTS.items() if random.random() < 0.4}
    if not any(weights.values()):
        return []
    gap_seconds = random.choice((0.5, 2.0, 6.0, 15.0))
    shape = Shape.root(world["partitions"], world["fanout"])
    nodes, until = world["nodes"], safety_seconds
    return plans.draw(random, weights, gap_seconds, until, nodes, shape, kinds.KINDS)


def _with_machines(
    seed: int, world: dict[str, Any], until: float, faults: list[Fault]
) -> list[Fault]:
    """With broken machines among the faults. In some worlds what fails for good is left out."""
    random = Random(f"search/{seed}/machines")
    shape = Shape.root(world["partitions"], world["fanout"])
    more = kinds.draw_machines(random, world["nodes"], shape, until)
    if more:  # nothing else fails: else nobody could tell what was the machine's fault
        world["input"][2:] = [job.NOTHING_FAILS, 0]
    if (more or world["input"][3] == ALWAYS) and random.random() < 0.4:
        world["keep_going"] = True
    return sorted([*faults, *more], key=lambda fault: fault.at)


def _slow(random: Random, nodes: int) -> tuple[int, ...]:
    """One in a tenth of the worlds, where there is anybody else."""
    return (random.randint(1, nodes),) if random.random() < 0.1 and nodes > 1 else ()


def _dead(random: Random, nodes: int) -> tuple[int, ...]:
    """Three in ten, but not all."""
    dead = [node for node in range(1, nodes + 1) if random.random() < 0.3]
    if len(dead) == nodes:
        del dead[0]
    return tuple(dead)


def _liars(seed: int, nodes: int) -> tuple[int, ...]:
    """One in a fifth of the worlds, where there is anybody else."""
    random = Random(f"search/{seed}/liars")
    return (random.randint(1, nodes),) if nodes > 1 and random.random() < 0.2 else ()


def run(trial: Trial, tell: Callable[[str], None] | None = None) -> Outcome:
    """Run a trial to its end; `tell` is given every event as a line, in order.

    Raises ValueError for options that cannot be.
    """
    _, _, fails, times = given = _job_input(trial)
    job.left.clear()
    job.left[fails] = times
    world = Drawn(**trial.world, faults=trial.faults)
    world.work.slow_always = dict.fromkeys(trial.slow, SLOW_FACTOR)
    checker = Checker(world, tell, [Liar(world, node) for node in trial.liars])
    violation = judged(lambda: _phases(trial, world, checker, given), world, checker.events)
    messages = world.clock.entries - world.clock.timers
    return Outcome(violation, checker.probes.counts, world.record.digest(), messages)


def judged(go: Callable[[], None], world: Deployment, events: Events) -> Violation | None:
    """What is found to be wrong while that goes on."""
    try:
        go()
    except Broken as broken:
        return Violation(broken.invariant, broken.detail, world.now, events.involved(broken))
    except Exception as error:  # noqa: BLE001 - whatever the core raises is a finding
        where = traceback.format_exc().strip().splitlines()
        told = (*events.involved(Broken("", "")), *where)
        return Violation(NO_EXCEPTION, repr(error), world.now, told)
    return None


def _job_input(trial: Trial) -> list[int]:
    """The input of its job; a trial saved before it told how often something fails means always."""
    return [*trial.world["input"], ALWAYS][:4]


def _phases(trial: Trial, world: World, checker: Checker, given: list[int]) -> None:
    world.run(until=trial.safety_seconds)
    _require_going_on(world)
    if world.network.outcome is None:
        _recover(trial, world)
        patience = LIVENESS_SECONDS * _pace(trial) + _work_seconds(trial, world)
        world.run(until=world.now + patience)
        _require_going_on(world)
    if world.network.outcome is None:
        raise Broken(
            ENDS,
            f"it has not, {world.now - trial.safety_seconds:.0f} s "
            f"after the last fault; {world.record.accepted} of "
            f"{world.shape.partitions} partitions were accepted",
        )
    checker.failures.check_result(*given[2:])
    _recover(trial, world)
    world.clock.stopped = False
    world.run(until=world.now + DRAIN_SECONDS * _pace(trial) + 3 * world.heartbeat)
    checker.check_released()


def _require_going_on(world: World) -> None:
    """Raises Broken where the world was taken to be over though something would happen."""
    if not world.clock.stopped or world.network.outcome is not None:
        return
    alive = world.network.alive
    stands_still = not alive[world.submitter] or sum(alive) == 1 or world.faults.links.active
    if world.report().faults_left or not stands_still:
        raise Broken(ENDS, f"it was taken to be over after {world.now:.0f} s")


def _recover(trial: Trial, world: World) -> None:
    """The faults stop; who is dead comes back, or not."""
    network, submitter = world.network, world.submitter
    world.do(a.Heal())
    world.calm = True
    _end_hanging(world)
    back = [node for node in world.faults.crashed if node not in trial.dead]
    for node in back:
        world.do(a.Restart(a.Nodes((node,)), memory=node == submitter))
    nobody = world.record.arrived == world.nodes and sum(network.alive) == network.alive[submitter]
    first = 1 if submitter != 1 else SUBMITTER
    if nobody and not world.do(a.Restart(a.Nodes((first,)), memory=False)):  # it had left
        network.arrive(first, world.root, listens=True)


def _end_hanging(world: World) -> None:
    """Somebody ends what hangs, if not two others are there: a single one may be waiting below."""
    done = [done for done in world.faults.done if isinstance(done.action, a.Hang)]
    hung = {node for each in done for node in each.concerned} - {world.submitter}
    alive = {node for node, is_alive in enumerate(world.network.alive) if is_alive}
    if hung and len(alive - hung - {world.submitter}) < 2:
        world.do(a.Crash(a.Nodes(tuple(sorted(hung)))))


def _pace(trial: Trial) -> float:
    """How many times as long as usual everything may take, but for the work."""
    latency = trial.world.get("latency")
    given = {**trial.world, "latency": latency if isinstance(latency, float) else 0.0}
    times = [float(given.get(name, 0.0)) / usual for name, usual in USUAL_SECONDS.items()]
    return max(1.0, *times)


def _work_seconds(trial: Trial, world: World) -> float:
    """What all the work takes on one node, and what was begun while a node was slow."""
    work = world.work
    longest = max(work.delay_ticks or [0]) * world.clock.tick_seconds
    factors = [f.action.factor for f in trial.faults if isinstance(f.action, a.Slow)]
    slowly = max(factors, default=0.0) * longest * 3 * world.shape.levels
    arriving = float(world.nodes / trial.world.get("arrival_rate", 1.0))
    longest *= SLOW_FACTOR if trial.slow else 1.0
    each = longest + 10 * world.service_seconds + _pace(trial)  # of which a second for the links
    working = 4 * world.shape.partitions * each
    return working + slowly + arriving
