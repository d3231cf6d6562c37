"""Faults drawn from a seed, or read from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from sim.faults import actions as a
from sim.faults import script
from sim.faults.actions import SUBMITTER, Action, Fault, Target

if TYPE_CHECKING:
    from core import Shape

UNTIL_SECONDS = 60.0  # then all is healed and everyone restarted


def planned(text: str, nodes: int, shape: Shape, seed: int) -> tuple[Fault, ...]:
    """The faults of `light`, `heavy` or a file. Raises ValueError for what is none of them."""
    if text not in LEVELS:
        return read(text)
    weights, gap_seconds = LEVELS[text]
    random = Random(f"{seed}/{text}")
    faults = draw(random, weights, gap_seconds, UNTIL_SECONDS, nodes, shape)
    faults = [fault for fault in faults if fault.at <= UNTIL_SECONDS]
    everyone = a.Restart(a.Share(1.0))
    return (*faults, Fault(UNTIL_SECONDS, a.Heal()), Fault(UNTIL_SECONDS, everyone))


def read(path: str) -> tuple[Fault, ...]:
    """The faults in a file. Raises ValueError with one line that names the file."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ValueError(
            f"{path!r:.80}: {why}; give 'light', 'heavy' or a file of faults"
        ) from None
    try:
        return script.read(text)
    except ValueError as error:
        raise ValueError(f"{path}, {error}") from None


Steps = list[tuple[float, Action]]  # seconds from the first, and what then
Kind = Callable[[Random, int, "Shape"], Steps]

# -- drawing -------------------------------------------------------------------------------


def draw(
    random: Random,
    weights: dict[str, int],
    gap_seconds: float,
    until_seconds: float,
    nodes: int,
    shape: Shape,
    kinds: dict[str, Kind] | None = None,
) -> list[Fault]:
    """Faults of those of `kinds` that are in `weights`, in order of time."""
    makes = KINDS if kinds is None else kinds
    faults, now = list[Fault](), random.expovariate(1 / gap_seconds)
    drawn = list(weights)
    while now < until_seconds:
        (kind,) = random.choices(drawn, list(weights.values()))
        at = round(now, 3)
        faults += [
            Fault(round(at + wait, 3), action) for wait, action in makes[kind](random, nodes, shape)
        ]
        now += random.expovariate(1 / gap_seconds)
    return sorted(faults, key=lambda fault: fault.at)


def node(random: Random, nodes: int) -> a.Nodes:
    return a.Nodes((1 + int(random.random() * nodes),))


def session(random: Random, shape: Shape) -> str:
    while not shape.leaf and random.random() < 0.6:
        shape = shape.child(int(random.random() * shape.slots))
    return shape.session


def _host(random: Random, shape: Shape) -> a.HostOf:
    """Of a session, but not of the root."""
    name = session(random, shape)
    return a.HostOf(name if name != "0" else "0-0")


def somebody(random: Random, nodes: int, shape: Shape) -> Target:
    below = shape if shape.leaf else shape.child(int(random.random() * shape.slots))
    kind = int(random.random() * 6)
    if kind == 0:
        return a.HostOf(session(random, below) if below is not shape else "0-0")
    if kind == 1:
        return a.LeaderOf(session(random, below) if below is not shape else "0-0")
    if kind == 2:
        return a.Everyone(session(random, below))
    return node(random, nodes)


def _crash(random: Random, nodes: int, shape: Shape) -> Steps:
    return [(0.0, a.Crash(somebody(random, nodes, shape)))]


def _silent_crash(random: Random, nodes: int, shape: Shape) -> Steps:
    return [(0.0, a.Crash(somebody(random, nodes, shape), silently=True))]


def _subtree(random: Random, nodes: int, shape: Shape) -> Steps:
    return [(0.0, a.Crash(a.Subtree(session(random, shape)), random.random() < 0.3))]


def _half(random: Random, nodes: int, shape: Shape) -> Steps:
    return [(0.0, a.Crash(a.Share(0.5), random.random() < 0.3))]


def _restart(random: Random, nodes: int, shape: Shape) -> Steps:
    share = random.choice((0.2, 0.5, 1.0))
    return [(0.0, a.Restart(a.Share(share), random.random() < 0.5))]


def _submitter(random: Random, nodes: int, shape: Shape) -> Steps:
    root, away = a.Nodes((SUBMITTER,)), random.random() * 10
    silently, memory = random.random() < 0.3, random.random() < 0.7
    return [(0.0, a.Crash(root, silently)), (away, a.Restart(root, memory))]


def _split(random: Random, nodes: int, shape: Shape) -> Steps:
    first = 1 + int(random.random() * nodes)
    last = min(nodes, first + int(random.random() ** 3 * nodes))
    target: Target = a.Nodes(tuple(range(first, last + 1)))
    if random.random() < 0.4:
        target = somebody(random, nodes, shape)
    others = a.Nodes((SUBMITTER,)) if random.random() < 0.2 else None
    return [
        (0.0, a.Partition(target, others, random.random() < 0.3)),
        (random.expovariate(1 / 6), a.Heal()),
    ]


def _slow(random: Random, nodes: int, shape: Shape) -> Steps:
    factor = random.choice((3.0, 10.0, 100.0))
    if random.random() < 0.3:
        one, other = int(random.random() * (nodes + 1)), 1 + int(random.random() * nodes)
        if one != other:
            return [(0.0, a.SlowLink(one, other, factor))]
    return [(0.0, a.Slow(somebody(random, nodes, shape), factor))]


def _flap(random: Random, nodes: int, shape: Shape) -> Steps:
    every = round(random.choice((0.2, 1.0, 4.0, 8.0)) * (0.5 + random.random()), 3)
    return [(0.0, a.Flap(somebody(random, nodes, shape), every, random.randint(1, 4)))]


def _loss(random: Random, nodes: int, shape: Shape) -> Steps:
    share = random.choice((0.002, 0.01, 0.05))
    return [(0.0, a.Drop(share)), (random.expovariate(1 / 5), a.Drop(0.0))]


def _double(random: Random, nodes: int, shape: Shape) -> Steps:
    share = random.choice((0.02, 0.2, 1.0))
    return [(0.0, a.Duplicate(share)), (random.expovariate(1 / 5), a.Duplicate(0.0))]


def _hold(random: Random, nodes: int, shape: Shape) -> Steps:
    share, seconds = random.choice((0.02, 0.2)), random.choice((0.5, 2.0, 8.0))
    return [(0.0, a.Hold(share, seconds)), (random.expovariate(1 / 5), a.Hold(0.0, 0.0))]


def _diverge(random: Random, nodes: int, shape: Shape) -> Steps:
    return [(0.0, a.DivergeSomewhere())]


def _two_leaders(random: Random, nodes: int, shape: Shape) -> Steps:
    """A host that is cut off for longer than the heartbeat limit, and comes back."""
    host = _host(random, shape)
    return [(0.0, a.Partition(host)), (5 + random.random() * 10, a.Heal())]


def _again(random: Random, nodes: int, shape: Shape) -> Steps:
    """The host of a session crashes, and in the midst of the recovery whoever has it then."""
    host = _host(random, shape)
    return [(0.0, a.Crash(host)), (random.random() * 0.8, a.Crash(host))]


KINDS: dict[str, Kind] = {
    "crash": _crash,
    "silent crash": _silent_crash,
    "subtree": _subtree,
    "half": _half,
    "restart": _restart,
    "submitter": _submitter,
    "split": _split,
    "slow": _slow,
    "flap": _flap,
    "loss": _loss,
    "double": _double,
    "hold": _hold,
    "diverge": _diverge,
    "two leaders": _two_leaders,
    "again": _again,
}

# How often which kind.
LIGHT = {"crash": 4, "silent crash": 1, "restart": 3, "slow": 2, "split": 1}
HEAVY = dict.fromkeys(KINDS, 1) | {"crash": 4, "restart": 6, "split": 2, "diverge": 2}
LIGHT_GAP_SECONDS, HEAVY_GAP_SECONDS = 5.0, 1.0  # from one fault to the next, on average
LEVELS = {"light": (LIGHT, LIGHT_GAP_SECONDS), "heavy": (HEAVY, HEAVY_GAP_SECONDS)}
