"""One line on a terminal that says how far a run is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from plugins.console import progress
from sim.world import World

ARRIVAL_WEIGHT = 1.5  # what an arrival costs, in partitions: measured for as many as nodes


@contextmanager
def shown(world: World, stream: TextIO | None) -> Iterator[None]:
    """Show how far `world` is on `stream`, if that is a terminal, for as long as this lasts."""
    with progress.progress(stream) as live:
        if not live.on_terminal:
            yield
            return
        began = time.perf_counter()

        def refresh() -> None:
            live.show(lambda: line(world, time.perf_counter() - began))

        world.clock.after_tick.append(refresh)
        try:
            yield
        finally:
            world.clock.after_tick.remove(refresh)


def line(world: World, wall_seconds: float) -> str:
    """Simulated time, nodes arrived, partitions done, messages, and when it may be over."""
    arrived, accepted = world.record.arrived, world.record.accepted
    done = fraction(world)
    parts = [
        f"at {world.now:.1f} s",
        f"{arrived:,} nodes",
        f"{accepted:,} partitions",
        f"{(world.clock.entries - world.clock.timers) / 1e6:.1f} M messages",
    ]
    return progress.line(done, parts, wall_seconds * (1 - done) / done if done else None)


def fraction(world: World) -> float:
    """The share of the work that is done, roughly: arrivals first, then partitions."""
    done = ARRIVAL_WEIGHT * world.record.arrived + world.record.accepted
    return done / (ARRIVAL_WEIGHT * world.nodes + world.shape.partitions)
