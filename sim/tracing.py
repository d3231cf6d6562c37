"""A simulated world that writes a trace. It is the same run as without: nothing is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import attrs

from core import Host, Reflector, Replica, Shape, Worker
from core.messages import Address, Place
from plugins.tracing.recorder import Recorder
from plugins.tracing.schema import Run, TraceError
from plugins.tracing.writing import Writer, begin, describe
from sim.blueprint import Blueprint
from sim.links.network import Network
from sim.options import WorldOptions
from sim.record import connections

Action = Callable[[Any, Any, Any], None]
TOLD_APART = {"nodes", "partitions", "fanout", "seed", "trace", "sample", "job"}
WHO = "sim"  # wrote a piece: there is one process
CONNECTIONS_SECONDS = 1.0  # simulated; how often connections are counted, of hosts that got more


class Tracing:
    """Tells a recorder what happens in a network. Raises TraceError if it cannot begin."""

    def __init__(self, network: Network, blueprint: Blueprint) -> None:
        self.network = network
        self.folder = folder = begin(Path(blueprint.options.trace or ""))
        self._run = _run(network.work.job.name, blueprint)
        self.recorder = recorder = Recorder(Writer(folder, WHO), self._run.sample)
        describe(folder, self._run)
        self.error: str | None = None  # why it breaks off
        self._more: dict[Address, Host] = {}  # hosts that have more connections than when counted
        self._due_seconds = CONNECTIONS_SECONDS
        self._queues = network.receive != network.handle
        network.trace = network.work.trace = recorder
        network.record.watch_connections = self._connected
        network.clock.after_tick.append(self._after_tick)

    def flush(self) -> None:
        """Write all that is known by now."""
        if self.error is None:
            self._count_connections()
            self._flush(inf)

    def begun(self, shape: Shape) -> None:
        """A job of a fleet is cut like that."""
        run, cut = self._run, (shape.partitions, shape.fanout)
        if shape.session not in run.jobs:
            known = {**run.jobs, shape.session: cut}
            largest = max(partitions for partitions, _ in known.values())
            levels, fanout = max(run.levels, shape.levels), max(fan for _, fan in known.values())
            self._run = attrs.evolve(
                run, jobs=known, partitions=largest, fanout=fanout, levels=levels
            )
            self._try(lambda: describe(self.folder, self._run))

    def conclude(self, summary: dict[str, Any]) -> None:
        """Say how it went."""
        if self.error is None:
            self._try(lambda: describe(self.folder, attrs.evolve(self._run, summary=summary)))

    def _flush(self, before: float) -> None:
        self._try(lambda: self.recorder.flush(before))

    def _try(self, write: Callable[[], None]) -> None:
        """A trace that cannot be written any more ends; the run is not to be lost by it."""
        try:
            write()
        except TraceError as error:
            self.error = str(error)
            self.network.trace = self.network.work.trace = None
            self.network.record.watch_connections = None
            self.network.equip()

    def _after_tick(self) -> None:
        if self.error is not None:
            return
        now = self.network.clock.now
        self._count_messages(now)
        if now >= self._due_seconds:
            self._due_seconds = now + CONNECTIONS_SECONDS
            self._count_connections()
        if self.recorder.writer.is_due():
            self._flush(now)

    # -- messages --------------------------------------------------------------------------

    def _count_messages(self, now: float) -> None:
        """Those that arrived in this tick, by level of the session that they are about."""
        each = iter(self.network.clock.ran)
        depths = [
            len(place.route)
            for action, a, b, c in zip(each, each, each, each, strict=True)
            if (place := b if action is Worker.answered else self._place(action, a, b, c))
        ]
        for depth in set(depths):
            self.recorder.messages(now, depth - 1, depths.count(depth))

    def _place(self, action: Action, a: Any, b: Any, c: Any) -> Place | None:
        """Of the session that a message is about; None if it is none, but a timer."""
        if type(b) is Reflector:
            return b.place
        if type(a) is Place:
            waited = self._queues and action == self.network.dequeue  # its arrival was counted
            return None if waited else a
        if type(a) is Replica:
            return a.place
        if type(a) is tuple and type(c) is tuple:  # it passed a connection that may fail
            return c[2] if c[0] is Worker.answered else self._place(*c)
        return None

    # -- connections -----------------------------------------------------------------------

    def _connected(self, host: Host, counted: int | None) -> None:
        """One more is connected to `host`; where nobody had more so far, it is counted."""
        if counted is None:
            self._more[host.address] = host
        else:
            self.recorder.connections(self.network.clock.now, host.address, counted)

    def _count_connections(self) -> None:
        now = self.network.clock.now
        for address, host in self._more.items():
            self.recorder.connections(now, address, len(connections(host)))
        self._more.clear()


def _run(job: str, blueprint: Blueprint) -> Run:
    """What is run; of the options, those that are not the defaults."""
    options, shape = blueprint.options, blueprint.shape
    return Run(
        transport="simulator",
        job=job,
        nodes=blueprint.nodes,
        partitions=shape.partitions,
        fanout=shape.fanout,
        levels=shape.levels,
        seed=options.seed,
        sample=options.sample,
        pieces=WHO,
        options={
            field.name: value
            for field in attrs.fields(WorldOptions)
            if (value := getattr(options, field.name)) != field.default
            and field.name not in TOLD_APART
        },
    )
