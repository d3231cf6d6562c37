"""How the nodes of a process enter a job of a fleet: those that can begin at once go first.

Rules it keeps:
- First as many enter as this process has cores that are free. Where none is, those of others are
  given a moment. So jobs that begin together, and the few pieces of one job, are on all cores.
- What became of a job that began just before is waited for, as it may take cores; but for a moment
  only.
- More enter, each time twice as many, as long as none of those that have is without work. So there
  is always somebody for what is given back, and hardly anybody who learns of a job in vain.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from core.messages import Node, Place
from core.sessions.chain import View
from core.sessions.states import ASKING
from transports.process.process import Process
from transports.work.cores import Cores

MOMENT_SECONDS = 0.05  # for which others go first, or the job before is waited for
LOOK_SECONDS = 0.005  # from one look at whether those who asked have an answer to the next
STEP_SECONDS, STEP_SECONDS_MAX = 0.02, 1.0  # from one look at whether all have work to the next


class Entrance:
    """By which the nodes of one process enter its jobs. `cores` are those of the process."""

    def __init__(self, cores: Cores) -> None:
        self._cores = cores
        self._asking: dict[Process, Sequence[Node]] = {}  # who entered first, in which job

    async def enter(self, process: Process, nodes: Sequence[Node], root: Place) -> None:
        """Have all of them enter, as far as that makes sense by now. May be cancelled."""
        before, self._asking[process] = [*self._asking], ()
        try:
            await self._answered(before)
            if self._cores.free <= 0:
                await trio.sleep(MOMENT_SECONDS)
            entered = self._some(process, nodes, 0, max(1, self._cores.free), root)
            self._asking[process] = nodes[:entered]
            await self._answered([process])
        finally:
            del self._asking[process]
        pause = STEP_SECONDS
        while entered < len(nodes):
            await trio.sleep(pause)
            if any(_may_be_idle(process, node) for node in reversed(nodes[:entered])):
                pause = min(2 * pause, STEP_SECONDS_MAX)
            else:
                pause = STEP_SECONDS
                entered = self._some(process, nodes, entered, entered, root)

    async def _answered(self, processes: Sequence[Process]) -> None:
        """Wait until all who entered there first have been told what to do, or for a moment."""
        with trio.move_on_after(MOMENT_SECONDS):
            while any(map(self._is_asking, processes)):  # noqa: ASYNC110 - views tell nobody
                await trio.sleep(LOOK_SECONDS)

    def _is_asking(self, process: Process) -> bool:
        nodes = self._asking.get(process)
        return nodes is not None and (not nodes or any(_asks(process, node) for node in nodes))

    @staticmethod
    def _some(process: Process, nodes: Sequence[Node], first: int, count: int, root: Place) -> int:
        """Have so many enter, from the `first` on; returns how many have by then."""
        for node in nodes[first : first + count]:
            process.enter(node, root)
        return min(first + count, len(nodes))


def _views(process: Process, node: Node) -> list[View]:
    """Of that node; none where it takes part no more."""
    view: View | None = process.views.living.get(node)
    found: list[View] = []
    while view is not None:
        found.append(view)
        view = view.below
    return found


def _asks(process: Process, node: Node) -> bool:
    return any(view.state is ASKING for view in _views(process, node))


def _may_be_idle(process: Process, node: Node) -> bool:
    """Whether it has nothing to do in the job, as far as is known."""
    views = _views(process, node)
    return bool(views) and not any(view.claims or view.lead is not None for view in views)
