"""One line on a terminal that says how far a run is. Nothing where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from sim.world import World

REFRESH_SECONDS = 0.2  # of wall time
ARRIVAL_WEIGHT = 1.5  # what an arrival costs, in partitions: measured for as many as nodes
FRACTION_MIN = 0.01  # done before an end is estimated


@contextmanager
def shown(world: World, stream: TextIO | None) -> Iterator[None]:
    """Show how far `world` is on `stream`, if that is a terminal, for as long as this lasts."""
    if stream is None or not stream.isatty():
        yield
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    began = time.perf_counter()
    due = began

    def refresh() -> None:
        nonlocal due
        now = time.perf_counter()
        if now >= due:
            due = now + REFRESH_SECONDS
            live.update(Text(line(world, now - began), no_wrap=True, overflow="ellipsis"))
            live.refresh()

    console = Console(file=stream, highlight=False)
    with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as live:
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
        f"{int(100 * done):3} %",
        f"at {world.now:.1f} s",
        f"{arrived:,} nodes",
        f"{accepted:,} partitions",
        f"{(world.clock.entries - world.clock.timers) / 1e6:.1f} M messages",
    ]
    if done >= FRACTION_MIN:
        left = round(wall_seconds * (1 - done) / done)
        parts.append(f"{left // 60}:{left % 60:02} left")
    return "  ".join(parts)


def fraction(world: World) -> float:
    """The share of the work that is done, roughly: arrivals first, then partitions."""
    done = ARRIVAL_WEIGHT * world.record.arrived + world.record.accepted
    return done / (ARRIVAL_WEIGHT * world.nodes + world.shape.partitions)
