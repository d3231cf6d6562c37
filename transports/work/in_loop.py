"""The calls of an `async def compute`, which run in the loop: it only waits there.

Each node's calls are made one after the other, those of different nodes at the same time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from pathlib import Path

import attrs
import trio

from core.messages import Node, Value
from plugins.jobs.failing import is_local, overtime, told
from plugins.jobs.loading import Job
from plugins.jobs.values import given
from transports.values.files import BlobError, loaded
from transports.values.handles import is_handle
from transports.work.calls import Call
from transports.work.computing import checked, fault_of
from transports.work.outcomes import Outcomes


@attrs.define(eq=False)
class InLoop:
    """`soon` starts a task. Large values are in `folder`. What takes longer than `piece_timeout`
    seconds is ended."""

    _job: Job
    _folder: Path
    _piece_timeout: float | None
    _outcomes: Outcomes
    _soon: Callable[..., None]
    _calls: dict[Node, deque[Call]] = attrs.field(init=False, factory=dict)

    def give(self, call: Call) -> None:
        node = call.worker.node
        if node in self._calls:
            self._calls[node].append(call)
        else:
            self._calls[node] = deque([call])
            self._soon(self._run, node)

    async def _run(self, node: Node) -> None:
        """One call after the other."""
        calls = self._calls[node]
        while calls:
            await self._make(calls.popleft())
        del self._calls[node]

    async def _make(self, call: Call) -> None:
        began = trio.current_time()
        if call.wanted:
            self._outcomes.began(call)
        outputs: list[Value] = []
        try:
            for slot, value in zip(call.slots, call.values, strict=True):
                if not call.wanted:
                    return
                given = await self._read(value)
                with trio.move_on_after(self._piece_timeout or math.inf) as limit:
                    output = await self._job.compute(given, call.first + slot)
                if limit.cancelled_caught:
                    text = overtime(self._piece_timeout or 0.0, call.where(len(outputs)))
                    return self._outcomes.raised(call, len(outputs), text)
                outputs.append(await self._write(output))
        except BlobError as error:
            self._outcomes.could_not(call, len(outputs), str(error), fault_of(error))
        except BaseException as error:
            if not _is_result(error):
                raise
            self._outcomes.raised(call, len(outputs), told(error), is_local(error))
        else:
            self._outcomes.returned(call, outputs, trio.current_time() - began)

    async def _read(self, value: Value) -> Value:
        if type(value) is dict and is_handle(value):
            return await trio.to_thread.run_sync(loaded, self._folder, value)
        return given(value)

    async def _write(self, value: Value) -> Value:
        if isinstance(value, str | bytes | list | tuple | dict) and len(value) > 100:
            return await trio.to_thread.run_sync(checked, self._folder, value)
        return checked(self._folder, value)


def _is_result(error: BaseException) -> bool:
    """Whether it is of the job's making, rather than the end of the loop."""
    if trio.current_effective_deadline() > -math.inf:  # nothing here is cancelled
        return True
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_result, error.exceptions))
    return not isinstance(error, trio.Cancelled)
