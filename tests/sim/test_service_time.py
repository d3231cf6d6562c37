"""A host is busy for a while with each message."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from core import messages as m
from sim import World
from tests.sim.worlds import noted, verified


def test_a_busy_host_delays_forming() -> None:
    options: dict[str, Any] = {"nodes": 3000, "fanout": 15, "arrival_rate": 1e6}
    quick, slow, again = (
        World(**options, service_time=service_time).run() for service_time in (0.0, 0.001, 0.001)
    )
    assert quick.formed_seconds < 1.5
    # Each node's arrival takes the one host of the root a millisecond.
    assert 3.0 <= slow.formed_seconds <= 3.0 + 2 * quick.formed_seconds
    assert (slow.digest, slow.formed_seconds) == (again.digest, again.formed_seconds)
    verified(slow, 3000)


@pytest.mark.parametrize("service_time", [0.001, 0.25, 3.0])
def test_messages_of_one_moment_are_a_service_time_apart(service_time: float) -> None:
    world = World(nodes=4, fanout=4, latency=0.5, arrival_rate=1e6, service_time=service_time)
    log = noted(world)
    world.run(until=60.0)
    joined = [now for now, _, what in log if isinstance(what, m.Joined) and what.node]
    assert len(joined) == 4
    assert joined[0] >= 0.5 + service_time
    gaps = [round(later - now, 9) for now, later in pairwise(joined)]
    assert gaps == [service_time] * 3


def test_without_a_service_time_a_moment_is_enough() -> None:
    world = World(nodes=4, fanout=4, latency=0.5, arrival_rate=1e6)
    log = noted(world)
    world.run()
    assert {now for now, _, what in log if isinstance(what, m.Joined) and what.node} == {0.5}
