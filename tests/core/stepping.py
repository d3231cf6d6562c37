"""Trees that are grown, computed, lost and restarted one step after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from core import Shape
from core import messages as m
from core.messages import Node
from core.sessions import Store
from tests.core.harness import SUBMITTER, Net, Process
from tests.core.spans import sequential

WORK = {"compute"}  # to hold back what computes


def tree(
    partitions: int,
    fanout: int,
    nodes: int = 0,
    listens: bool = True,
    store: Store | None = None,
) -> Net:
    """A tree with its nodes seated, before any of them has computed anything."""
    net = Net(Shape.root(partitions, fanout), store=store)
    net.submit()
    net.settle(WORK)
    for node in range(1, nodes + 1):
        net.arrive(node, listens)
        net.settle(WORK)
    return net


def compute(net: Net, *nodes: int) -> None:
    """Let these nodes finish what they are at, and hear what comes of it."""
    for node in nodes:
        net.step(("compute", node))
        net.settle(WORK)


def finish(net: Net) -> None:
    net.run(Random(1))
    assert net.outcome == m.Ended(sequential(net.shape.partitions), None)
    net.run(Random(1))
    assert all(process.ended for process in net.live())


def wait(net: Net, until: Callable[[], bool]) -> None:
    """Let time pass, while nobody finishes anything."""
    while not until():
        net.tick()
        net.settle(WORK)


def ticking(net: Net) -> list[Any]:
    """The timers, but those for a step that was still to be taken when they were set."""
    return [timer for timer in net.timers if "Alarms._looked" not in repr(timer[2])]


def arrivals(net: Net, session: str) -> list[Node]:
    return [n for n, to, call in net.calls if to == session and isinstance(call, m.Arrive)]


def again(net: Net) -> list[int]:
    """The partitions that were computed more than once."""
    return sorted(i for i, times in Counter(i for _, i in net.computed).items() if times > 1)


def crash(net: Net) -> None:
    net.leave(SUBMITTER)
    net.settle(WORK)


def restart(net: Net) -> Process:
    process = net.restart()
    net.settle(WORK)
    return process


def back(net: Net, *nodes: int) -> Callable[[], bool]:
    return lambda: net.reflector("0").members.keys() >= {*nodes}
