"""One trial of a lobby: nodes come and go, faults happen, and at the end all are at home.

Its world has `lobby` among its options, which tells it from a trial of a computation.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from core import Shape
from sim.faults import actions as a
from sim.faults import plans
from sim.faults.actions import SUBMITTER, Fault
from sim.idle import IdleWorld
from sim.search import kinds
from sim.search.lobby.home import Home
from sim.search.trial import Outcome, Trial, judged

FEW = (1, 3, 6, 12, 24, 24, 48)
MANY = (100, 200)  # who are together only where replicas are shared


def draw(seed: int) -> Trial:
    """The trial of a seed. Which kinds of faults there are, and how often, is drawn as well."""
    random = Random(f"lobby/{seed}")
    replicas = random.choice(("each", "shared"))
    nodes = random.choice(FEW if replicas == "each" else FEW + MANY)
    world: dict[str, Any] = {
        "lobby": True,
        "nodes": nodes,
        "fanout": random.choice((4, 4, 5, 8)),
        "seed": seed,
        "listening": random.choice((1.0, 0.7, 0.4, 0.15, 0.0)),
        "latency": random.choice(("uniform:0.02,0.08", "lognormal:0.05,1", 0.001)),
        "arrival_rate": random.choice((nodes / 10, nodes / 2, 1000.0)),
        "replicas": replicas,
        "heartbeat": random.choice((1.0, 5.0)),
    }
    if random.random() < 0.3:
        world["lifetime"] = random.choice(("exponential:10", "exponential:40", "uniform:1,30"))
    seconds = random.choice((5.0, 15.0, 30.0))
    weights = {kind: weight for kind, weight in kinds.WEIGHTS.items() if random.random() < 0.4}
    faults, gap = list[Fault](), random.choice((0.5, 2.0, 6.0))
    if any(weights.values()):
        shape = Shape.root(max(nodes, world["fanout"] + 1), world["fanout"])
        faults = plans.draw(random, weights, gap, seconds, nodes, shape, kinds.KINDS)
    dead = tuple(node for node in range(1, nodes + 1) if random.random() < 0.2)
    return Trial(seed, world, tuple(faults), seconds, dead)


def run(trial: Trial, tell: Callable[[str], None] | None = None) -> Outcome:
    """Run a trial to its end; `tell` is given every event as a line, in order.

    Raises ValueError for options that cannot be.
    """
    options = {name: value for name, value in trial.world.items() if name != "lobby"}
    world = IdleWorld(trial.safety_seconds, **options, faults=trial.faults)
    home = Home(world, tell)
    violation = judged(lambda: _phases(trial, world, home), world, home.events)
    messages = world.clock.entries - world.clock.timers
    return Outcome(violation, home.probes, world.record.digest(), messages)


def _phases(trial: Trial, world: IdleWorld, home: Home) -> None:
    world.run(until=trial.safety_seconds)
    _recover(trial, world)
    home.settle()


def _recover(trial: Trial, world: IdleWorld) -> None:
    """The faults stop, and nobody leaves any more; who is down comes back, or not."""
    world.do(a.Heal())
    world.calm = True
    for node in [node for node in world.faults.crashed if node not in trial.dead]:
        world.do(a.Restart(a.Nodes((node,)), memory=node == SUBMITTER))
