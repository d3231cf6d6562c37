"""Make a failing trial smaller for as long as it still fails, so that a person can follow it.

Greedy: each step tries something simpler, keeps it if it still fails, and goes on from there,
until a whole round of steps finds nothing any more. Deterministic, but for the limit of time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from plugins.console.distributions import Distribution, parse
from sim.faults.actions import Fault, Nodes
from sim.search.numbers import renumbered

if TYPE_CHECKING:
    from core.messages import Node
    from sim.search.trial import Trial

RUNS_MAX = 300
SECONDS_MAX = 60.0  # of wall time
ESSENTIAL = (
    "nodes",
    "partitions",
    "seed",
    "job",
    "input",
    "lobby",
)  # without these it is another world


@attrs.frozen
class Shrunk:
    """A trial that still fails, and how it was come by."""

    trial: Trial
    runs: int
    finished: bool  # False where runs or time were used up before


def shrink(
    trial: Trial,
    fails: Callable[[Trial], bool],
    runs_max: int = RUNS_MAX,
    seconds_max: float = SECONDS_MAX,
    clock: Callable[[], float] = time.monotonic,
) -> Shrunk:
    """The simplest trial found for which `fails` is true, as it is taken to be for `trial`.

    A candidate may be one that cannot be run at all; for that `fails` is to be false.
    """
    until = clock() + seconds_max
    search = _Search(trial, fails, lambda runs: runs < runs_max and clock() < until)
    try:
        while True:
            before = search.trial
            for step in STEPS:
                step(search)
            if search.trial == before:
                return Shrunk(search.trial, search.runs, finished=True)
    except _Exhausted:
        return Shrunk(search.trial, search.runs, finished=False)


class _Exhausted(Exception):
    """No more runs, or no more time."""


class _Search:
    def __init__(
        self, trial: Trial, fails: Callable[[Trial], bool], may_go_on: Callable[[int], bool]
    ) -> None:
        self.trial = trial
        self.runs = 0
        self._fails = fails
        self._may_go_on = may_go_on
        self._tried = {repr(trial)}

    def accepts(self, candidate: Trial) -> bool:
        """Whether it fails, too; then it is what is to be made smaller from now on."""
        key = repr(candidate)
        if key in self._tried:
            return False
        if not self._may_go_on(self.runs):
            raise _Exhausted
        self._tried.add(key)
        self.runs += 1
        if self._fails(candidate):
            self.trial = candidate
            return True
        return False

    def accepts_with(self, **changes: Any) -> bool:
        return self.accepts(attrs.evolve(self.trial, **changes))

    def accepts_option(self, name: str, value: Any) -> bool:
        return self.accepts_with(world={**self.trial.world, name: value})


Item = TypeVar("Item")


def _fewer(items: tuple[Item, ...], still: Callable[[tuple[Item, ...]], bool]) -> None:
    """Leave out all, halves, quarters and so on, down to single ones."""
    if items and still(()):
        return
    size = len(items) // 2
    while size:
        start = 0
        while start < len(items):
            rest = items[:start] + items[start + size :]
            if still(rest):
                items = rest
            else:
                start += size
        size //= 2


def _smaller(value: int, least: int, still: Callable[[int], bool]) -> None:
    """Halve for as long as that goes, then subtract."""
    while value // 2 >= least and still(value // 2):
        value //= 2
    step = (value - least + 1) // 2
    while step > 0:
        if value - step >= least and still(value - step):
            value -= step
        elif step == 1:
            return
        else:
            step = (step + 1) // 2


# -- steps ---------------------------------------------------------------------------------


def _fewer_faults(search: _Search) -> None:
    _fewer(search.trial.faults, lambda faults: search.accepts_with(faults=faults))


def _fewer_jobs(search: _Search) -> None:
    """At least one of a fleet: without any it would be another kind of trial."""
    _fewer(search.trial.jobs, lambda jobs: bool(jobs) and search.accepts_with(jobs=jobs))


def _simpler_jobs(search: _Search) -> None:
    """Not cancelled, of no priority, from the beginning, of one partition."""
    for place, job in enumerate(search.trial.jobs):
        first, _, fails = job["input"]
        one = {"partitions": 1, "input": [first, 1, min(fails, first)]}
        for simpler in ({"cancel": None}, {"priority": 0}, {"at": 0.0}, one):
            jobs = list(search.trial.jobs)
            jobs[place] = {**jobs[place], **simpler}
            search.accepts_with(jobs=tuple(jobs))


def _earlier_end(search: _Search) -> None:
    """Right after the last fault, or else after half the time, without what comes later."""
    trial = search.trial
    last = ceil(max((fault.at for fault in trial.faults), default=0.0)) + 1
    if last < trial.safety_seconds:
        search.accepts_with(safety_seconds=float(last))
    while search.trial.safety_seconds >= 2:
        end = float(search.trial.safety_seconds // 2)
        faults = tuple(fault for fault in search.trial.faults if fault.at <= end)
        if not search.accepts_with(safety_seconds=end, faults=faults):
            return


def _fewer_nodes(search: _Search) -> None:
    nodes = search.trial.world.get("nodes")
    if isinstance(nodes, int):
        _smaller(nodes, 1, lambda fewer: any(map(search.accepts, _among(search.trial, fewer))))


def _among(trial: Trial, nodes: int) -> Iterator[Trial]:
    """The trial with so many nodes: without faults of the others, or as faults of these."""
    for others_become_these in (False, True):

        def among(numbers: tuple[Node, ...], fold: bool = others_become_these) -> tuple[Node, ...]:
            these = [(n - 1) % nodes + 1 if fold and n > nodes else n for n in numbers]
            return tuple(dict.fromkeys(n for n in these if n <= nodes))

        world = {**trial.world, "nodes": nodes}
        if "submitter" in world:
            world["submitter"] = min(world["submitter"], nodes)
        faults = (renumbered(fault, among) for fault in trial.faults)
        yield attrs.evolve(
            trial,
            world=world,
            faults=tuple(fault for fault in faults if fault),
            dead=tuple(node for node in trial.dead if node <= nodes),
            slow=tuple(node for node in trial.slow if node <= nodes),
        )


def _fewer_partitions(search: _Search) -> None:
    """Where the job's input names their number, that follows."""
    partitions = search.trial.world.get("partitions")
    if isinstance(partitions, int):
        _smaller(partitions, 1, lambda fewer: search.accepts(_cut_into(search.trial, fewer)))


def _cut_into(trial: Trial, partitions: int) -> Trial:
    before = trial.world["partitions"]
    world = {**trial.world, "partitions": partitions}
    if isinstance(given := world.get("input"), list):
        world["input"] = [partitions if item == before else item for item in given]
    return attrs.evolve(trial, world=world)


def _fewer_dead(search: _Search) -> None:
    _fewer(search.trial.dead, lambda dead: search.accepts_with(dead=dead))


def _simpler_options(search: _Search) -> None:
    """Without an option, so that its default applies; else with a simpler value."""
    for name in list(search.trial.world):
        if name in ESSENTIAL:
            continue
        without = {key: value for key, value in search.trial.world.items() if key != name}
        if not search.accepts_with(world=without):
            _simpler_option(search, name, search.trial.world[name])


def _simpler_option(search: _Search, name: str, value: Any) -> None:
    match value:
        case bool():
            if value:
                search.accepts_option(name, False)
        case int():
            _smaller(value, 0, lambda smaller: search.accepts_option(name, smaller))
        case float():
            any(search.accepts_option(name, rounder) for rounder in _rounder(value))
        case str() if (seconds := _typical(value)) is not None:
            search.accepts_option(name, seconds)


def _rounder(value: float) -> Iterator[float]:
    """With one, two and three digits that are not zeros before them."""
    return (float(f"{value:.{digits}g}") for digits in (1, 2, 3))


def _typical(text: str) -> float | None:
    """Seconds from the middle of a distribution; None where the text is none."""
    try:
        distribution = parse(text)
    except ValueError:
        return None
    match distribution:
        case Distribution("uniform", (low, high)):
            return round((low + high) / 2, 9)
        case Distribution("constant"):
            return None
        case _:
            return distribution.numbers[0]


def _simpler_faults(search: _Search) -> None:
    """Fewer nodes a fault, without what it could do without, at a rounder time."""
    for place in range(len(search.trial.faults)):
        for field in attrs.fields(type(search.trial.faults[place].action)):
            _simpler_field(search, place, field)
        fault = search.trial.faults[place]
        rounder = (attrs.evolve(fault, at=round(fault.at, digits)) for digits in range(3))
        any(search.accepts(_with_fault(search.trial, place, fault)) for fault in rounder)


def _simpler_field(search: _Search, place: int, field: attrs.Attribute[Any]) -> None:
    def still(value: Any) -> bool:
        fault = search.trial.faults[place]
        action = attrs.evolve(fault.action, **{field.name: value})
        return search.accepts(_with_fault(search.trial, place, attrs.evolve(fault, action=action)))

    value = getattr(search.trial.faults[place].action, field.name)
    if field.default is not attrs.NOTHING and value != field.default and still(field.default):
        return
    match value:
        case Nodes(numbers):
            _fewer(numbers, lambda fewer: bool(fewer) and still(Nodes(fewer)))
        case bool():
            pass
        case int() if field.name == "times":
            _smaller(value, 1, still)
        case float():
            any(map(still, _rounder(value)))


def _with_fault(trial: Trial, place: int, fault: Fault) -> Trial:
    """With another one in its place, if that keeps the order of time; else as it is."""
    faults = (*trial.faults[:place], fault, *trial.faults[place + 1 :])
    times = [fault.at for fault in faults]
    return attrs.evolve(trial, faults=faults) if times == sorted(times) else trial


STEPS: tuple[Callable[[_Search], None], ...] = (
    _fewer_jobs,
    _fewer_faults,
    _earlier_end,
    _fewer_nodes,
    _fewer_partitions,
    _fewer_dead,
    _simpler_jobs,
    _simpler_options,
    _simpler_faults,
)
