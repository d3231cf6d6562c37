"""Small worlds: a job that counts, what is said in one, and what its success is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from core import Reflector
from core.messages import Message
from sim import Report, World

Log = list[tuple[float, str, Message]]


def job(**functions: Callable[..., Any]) -> SimpleNamespace:
    """A job that counts its partitions, but for the `functions` given."""
    counting: dict[str, Callable[..., Any]] = {
        "prepare": lambda value, sizes: [value] * len(sizes),
        "compute": lambda value, index: 1,
        "collect": sum,
    }
    return SimpleNamespace(**{**counting, **functions})


def noted(world: World) -> Log:
    """A list that fills with every ordered message: when, in which session, what."""
    log: Log = []

    def noting(reflector: Reflector, message: Message) -> None:
        log.append((world.clock.now, reflector.session, message))

    world.network.watch = noting
    return log


def verified(report: Report, result: Any) -> None:
    assert report.failure is None
    assert report.result == result
    assert report.accepted == report.partitions
