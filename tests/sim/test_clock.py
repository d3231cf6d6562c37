"""The simulated clock: whole ticks, in order, one SimPy event for all that falls into one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.clock import Clock


def noted(log: list[Any], what: object) -> tuple[Callable[..., None], Any, Any, Any]:
    """An entry that notes `what`."""
    return (lambda a, b, c: log.append(a), what, None, None)


def test_entries_run_by_tick_and_within_a_tick_in_order_of_arrival() -> None:
    clock, log = Clock(0.001), []
    for tick, what in [(5, "c"), (2, "a"), (5, "d"), (2, "b"), (9, "e")]:
        clock.at(tick, noted(log, what))
    clock.run()
    assert log == ["a", "b", "c", "d", "e"]
    assert clock.entries == clock.timers == 5


def test_a_tick_is_one_event() -> None:
    clock, log = Clock(0.001), []
    for i in range(1000):
        clock.at(7, noted(log, i))
    assert clock.env.peek() == 7
    clock.env.step()
    assert log == list(range(1000))
    assert clock.env.peek() == float("inf")


def test_what_is_due_without_delay_still_runs_within_the_tick() -> None:
    clock, log = Clock(0.001), []
    clock.after_tick.append(lambda: log.append("tick over"))

    def again(left: int, _b: None, _c: None) -> None:
        log.append(left)
        if left:
            clock.at(clock.tick, (again, left - 1, None, None))

    clock.at(3, (again, 2, None, None))
    clock.run()
    assert log == [2, 1, 0, "tick over"]
    assert (clock.tick, clock.entries, clock.due) == (3, 3, {})


def test_entries_get_their_three_arguments() -> None:
    clock, log = Clock(0.001), []
    clock.at(1, (lambda *arguments: log.append(arguments), 1, "b", None))
    clock.run()
    assert log == [(1, "b", None)]


@pytest.mark.parametrize("tick", [0.001, 0.1, 0.25, 3.0])
def test_now_is_the_tick_in_seconds(tick: float) -> None:
    clock, log = Clock(tick), []
    for n in (0, 4, 17):
        clock.at(n, (lambda a, b, c: log.append(clock.now), None, None, None))
    clock.run()
    assert log == [0, 4 * tick, 17 * tick]


@pytest.mark.parametrize(
    ("seconds", "ticks"), [(0, 0), (-1, 0), (0.001, 1), (0.0011, 2), (0.5, 500), (1e-9, 1)]
)
def test_delays_are_rounded_up_to_whole_ticks(seconds: float, ticks: int) -> None:
    assert Clock(0.001).ticks(seconds) == ticks


def test_run_goes_up_to_and_including_until_and_on_from_there() -> None:
    clock, log = Clock(0.001), []
    for tick in (999, 1000, 1001):
        clock.at(tick, noted(log, tick))
    clock.run(until=1.0)
    assert log == [999, 1000]
    clock.run(until=1.0)
    assert log == [999, 1000]
    clock.run()
    assert log == [999, 1000, 1001]


def test_run_includes_a_tick_whose_seconds_are_rounded_below_it() -> None:
    clock, log = Clock(0.1), []
    clock.at(3, noted(log, 3))  # 0.3 / 0.1 is less than 3
    clock.run(until=0.3)
    assert log == [3]


def test_a_stopped_clock_runs_on_when_told() -> None:
    clock, log = Clock(0.001), []

    def stop(_a: None, _b: None, _c: None) -> None:
        clock.stopped = True

    clock.at(1, (stop, None, None, None))
    clock.at(1, noted(log, "the tick is finished"))
    clock.at(2, noted(log, "later"))
    clock.run()
    assert log == ["the tick is finished"]
    clock.run()
    assert log == ["the tick is finished"]
    clock.stopped = False
    clock.run()
    assert log == ["the tick is finished", "later"]


def test_call_later_comes_never_too_early() -> None:
    clock, log = Clock(0.25), []
    clock.call_later(0.3, lambda: log.append(clock.now))
    clock.call_later(0.0, lambda: log.append(clock.now))
    clock.run()
    assert log == [0.0, 0.5]
