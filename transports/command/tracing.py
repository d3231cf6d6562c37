"""What a process tells of itself in a trace: the recorder that all transports have, on the loop.

Rules it keeps:
- Times are seconds since the root was opened, by the machines' wall clocks, which are as much
  apart as these are. Within a process they never go back, even where its wall clock does.
- The loop never waits for a disk: rows are taken over at once, and written in a thread.
- A trace that cannot be written any more ends, with a line in the log. The computation goes on.

Whoever has no trace does not import this: what writes tables takes a while to load.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import trio

from core import Reflector, Shape
from core import messages as m
from core.messages import Message, Node, Reply
from core.sessions.messages import NODE_BITS
from core.sessions.session import Told
from plugins.console.telling import as_json
from plugins.tracing.recorder import Recorder
from plugins.tracing.schema import Run, TraceError
from plugins.tracing.writing import Writer, describe
from transports.command.summary import Report
from transports.command.wanted import HostOptions
from transports.logs import event
from transports.net.connection import Me
from transports.watching import Watcher
from transports.work import jobs
from transports.work.calls import Call

LOOK_SECONDS = 0.5  # whether it is time to write
CLOCK_READINGS = 5


class Tracing(Watcher):
    """The trace of one process. `now` is the loop's time; `forsaken` is called if it ends early."""

    def __init__(self, me: Me, folder: Path, sample: int, forsaken: Callable[[], None]) -> None:
        self.recorder = Recorder(Writer(folder, f"{me.number:x}"), sample)
        self._me = me
        self._sample = sample
        self._folder = folder
        self._forsaken = forsaken
        self.ended = False  # it could not be written any more
        self._run: Run | None = None  # of the root's process
        self._begun = False
        self._pieces = ""
        self._offset = _wall_offset()
        self._latest = 0.0  # nothing happens before the root is opened, whatever clocks say
        self._connections_max = 0  # before it began

    def begin(self, now: float, began: float) -> None:
        self._begun = True
        self._offset -= began
        self._pieces = f"{round(began * 1000):x}."  # of all processes of this run
        self.recorder.writer.who = f"{self._pieces}{self._me.number:x}"
        self._connected(now, self._connections_max)

    def _time(self, now: float) -> float:
        self._latest = latest = max(self._latest, now + self._offset)
        return latest

    # -- what happens ----------------------------------------------------------------------

    def arrived(self, now: float, node: Node, session: str) -> None:
        self.recorder.arrived(self._time(now), node, session)

    def said(self, now: float, session: str) -> None:
        self.recorder.messages(self._time(now), session.count("-"))

    def replied(self, now: float, session: str, node: Node, reply: Reply) -> None:
        self.said(now, session)
        self.recorder.replied(self._time(now), session, node, reply)

    def ordered(
        self, now: float, reflector: Reflector, message: Message, commands: Told, followers: int
    ) -> None:
        at, members, name = self._time(now), reflector.members, self._me.name
        if type(message) is not m.Left or not reflector.state.ended:  # who goes when all is over
            self.recorder.ordered(at, reflector, message, commands)
        told = [message.node] if type(message) is m.Joined else [node for node, _ in commands]
        count = followers + sum(members[node][0] == name for node in told)
        if count:
            self.recorder.messages(at, reflector.session.count("-"), count)

    def started(self, call: Call) -> None:
        self.recorder.started(self._time(trio.current_time()), call.worker.node, _compute(call))

    def finished(self, call: Call, seconds: float) -> None:
        at = self._time(trio.current_time())
        self.recorder.finished(at, call.worker.node, _compute(call), seconds)

    def gone(self, now: float, node: Node) -> None:
        self.recorder.gone(self._time(now), node)

    def lost(self, now: float, node: Node, reflector: Reflector) -> None:
        over = reflector.closed or reflector.state.ended
        if node in reflector.members and not over:
            self.recorder.lost(self._time(now), node, reflector.session)

    def met(self, connections: int) -> None:
        if self._begun:
            self._connected(trio.current_time(), connections)
        else:
            self._connections_max = max(self._connections_max, connections)

    def _connected(self, now: float, connections: int) -> None:
        self.recorder.connections(self._time(now), self._me.number << NODE_BITS, connections)

    # -- on disk ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what has come together every now and then, until cancelled."""
        while not self.ended:
            await trio.sleep(LOOK_SECONDS)
            if self._begun and self.recorder.writer.is_due():
                await self._write(self._time(trio.current_time()))

    async def close(self) -> None:
        """Write the rest, and how it went if that was said."""
        if not self.ended:
            await self._write(math.inf)
        if not self.ended and self._run is not None:
            self._describe(self._run)

    async def _write(self, until: float) -> None:
        taken = self.recorder.take(until)
        write = self.recorder.writer.write
        try:
            with trio.CancelScope(shield=True):  # what was taken is nowhere else
                await trio.to_thread.run_sync(write, taken, limiter=trio.CapacityLimiter(1))
        except TraceError as error:
            self._fail(error)

    def _fail(self, error: TraceError) -> None:
        if not self.ended:
            self.ended = True
            event(logging.ERROR, "untraced", reason=error)
            self._forsaken()

    # -- what is run -----------------------------------------------------------------------

    def describe(self, options: HostOptions, shape: Shape, nodes: int) -> None:
        """Say what is computed, with so many nodes to begin with."""
        work, bots = options.work, options.bots
        self._run = Run(
            transport="tcp",
            job=jobs.called(work.job),
            nodes=bots.nodes if bots else nodes,
            partitions=shape.partitions,
            fanout=shape.fanout,
            levels=shape.levels,
            seed=work.seed,
            sample=self._sample,
            pieces=self._pieces,
            options=_options(options),
        )
        self._describe(self._run)

    def conclude(self, report: Report) -> None:
        """Have it said at the end how it went: what `--json` says."""
        if self._run is not None:
            summary = json.loads(as_json(report))
            self._run = attrs.evolve(self._run, nodes=report.nodes, summary=summary)

    def _describe(self, run: Run) -> None:
        try:
            describe(self._folder, run)
        except TraceError as error:
            self._fail(error)


def _wall_offset() -> float:
    """What is to be added to the loop's time for that of the wall clock."""
    readings = [
        (trio.current_time(), time.time(), trio.current_time()) for _ in range(CLOCK_READINGS)
    ]
    before, wall, after = min(readings, key=lambda reading: reading[2] - reading[0])
    return wall - (before + after) / 2


def _compute(call: Call) -> m.Compute:
    return m.Compute(call.session, call.first, tuple(call.slots), ())


def _options(options: HostOptions) -> dict[str, Any]:
    """Those that are not the defaults, and are not told anyway."""
    told: dict[str, Any] = {}
    for given, names in (
        (options.work, ("prepare", "compute", "collect", "input", "delay")),
        (options, ("heartbeat", "store")),
    ):
        defaults = attrs.fields_dict(type(given))
        values = {name: getattr(given, name) for name in names}
        told |= {name: value for name, value in values.items() if value != defaults[name].default}
    if options.bots is not None:
        told |= {"bots": options.bots.module, "processes": options.bots.processes}
    return told
