"""Small worlds: a job that counts, what is said in one, and what its success is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from core.messages import Message
from sim import Report, World


def job(**functions: Callable[..., Any]) -> SimpleNamespace:
    """A job that counts its partitions, but for the `functions` given."""
    counting: dict[str, Callable[..., Any]] = {
        "prepare": lambda value, sizes: [value] * len(sizes),
        "compute": lambda value, index: 1,
        "collect": sum,
    }
    return SimpleNamespace(**{**counting, **functions})


def noted(world: World) -> list[tuple[float, str, Message]]:
    """A list that fills with every ordered message: when, in which session, what."""
    log: list[tuple[float, str, Message]] = []
    broadcast = world.network.broadcast

    def noting(reflector: Any, message: Message, commands: Any) -> None:
        log.append((world.now, reflector.session, message))
        broadcast(reflector, message, commands)

    world.network.broadcast = noting  # type: ignore[method-assign]
    return log


def verified(report: Report, result: Any) -> None:
    assert report.failure is None
    assert report.result == result
    assert report.accepted == report.partitions
