"""A simulated fleet, everyone with a replica of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from core import Worker
from core import messages as m
from core.messages import Node
from sim import Fleet
from sim.fleet.job import Job
from tests.conformance.fleets.fleet import AT_ONCE, PARTITIONS, FleetThere

LIMIT_SECONDS = 60.0
NODES_MAX = 100
JOB = SimpleNamespace(
    prepare=lambda value, sizes: [value] * len(sizes),
    compute=lambda value, index: [[value, index]],
    collect=lambda outputs: [one for output in outputs for one in output],
)
NEVER = 1e-9  # nodes a second: they come when the case says so


@contextmanager
def simulated() -> Iterator[FleetThere]:
    there = Simulated()
    there.come()
    yield there


class Held:
    """In place of what computes the pieces of all jobs."""

    def __init__(self) -> None:
        self.begun: dict[str, set[Node]] = {}
        self._free: set[str] = set()
        self._held: dict[str, list[Callable[[], None]]] = {}

    def compute(self, usual: Callable[[Worker, m.Compute], None]) -> Callable[..., None]:
        def compute(worker: Worker, command: m.Compute) -> None:
            value: Any = command.inputs[0]
            self.begun.setdefault(value, set()).add(worker.node)
            if value in self._free:
                usual(worker, command)
            else:
                self._held.setdefault(value, []).append(lambda: usual(worker, command))

        return compute

    def let_go(self, value: str) -> None:
        self._free.add(value)
        for go_on in self._held.pop(value, ()):
            go_on()


class HeldFleet(Fleet):
    """Whose trees have their pieces held."""

    def __init__(self, held: Held, **options: Any) -> None:
        self._held = held
        super().__init__(**options)

    def _planted(self, *of: Any) -> Any:
        tree = super()._planted(*of)
        tree.port.compute = self._held.compute(tree.port.compute)
        return tree


class Simulated(FleetThere):
    def __init__(self) -> None:
        self._held = Held()
        self._fleet = HeldFleet(
            self._held,
            nodes=NODES_MAX,
            partitions=PARTITIONS,
            job=JOB,
            replicas="each",
            arrival_rate=NEVER,
            at_once=AT_ONCE,
        )
        self._came = 0

    def submit(self, value: str, priority: int = 0) -> Job:
        job = self._fleet.submit(input=value, priority=priority)
        self.until(lambda: job.number is not None)
        return job

    def let_go(self, value: str) -> None:
        self._held.let_go(value)

    def cancel(self, job: Job) -> None:
        job.cancel()

    def state(self, job: Job) -> str:
        return job.state.value

    def result(self, job: Job) -> Any:
        return job.result

    def workers(self, value: str) -> int:
        return len(self._held.begun.get(value, ()))

    def come(self) -> None:
        self._came += 1
        self._fleet.members.come(self._came)

    def until(self, condition: Callable[[], bool]) -> None:
        fleet, limit = self._fleet, self._fleet.now + LIMIT_SECONDS
        while not condition():
            assert fleet.now < limit, "that never came about"
            fleet.run(until=fleet.now + 0.01)
