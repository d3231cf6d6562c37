"""The computing processes of this process together: who is given which call, and who is ended.

Rules it keeps:
- There are as many at most as there are cores, and they are started as they are needed.
- Other jobs may be computed in this process: one that is at nothing begins something only when it
  is this job's turn to have a core (`cores.py`), and one that is at work goes on for as long.
- Prepare and collect go before compute, for which a whole session waits; otherwise what came first
  is done first, for all nodes alike.
- A call is handed on as it came, however many pieces it has. A computing process is given as many
  calls as keep it busy for a moment; those that it does not reach in time are queued again.
- What a computing process was at when it died has failed; what else it had is queued again. Where
  it was ended for a job of a higher priority nothing has failed.
- One that is for long at what others have done by now is ended where somebody waits for it.
"""

from __future__ import annotations

from collections import deque

import attrs
import trio

from plugins.jobs.failing import overtime
from transports.work.calls import Call
from transports.work.computer import Computer
from transports.work.computing import (
    COLLECT,
    COMPUTE,
    OF_THE_JOB,
    OF_THE_MACHINE,
    PREPARE,
    WHOLE,
    Answer,
)
from transports.work.cores import Part
from transports.work.outcomes import Outcomes
from transports.work.shares import Hold
from transports.work.starting import Started
from transports.work.warm import Shelf

AHEAD_SECONDS = 0.04  # of work are given to a computing process
LOOK_SECONDS = 0.05  # what takes longer than from one look to the next is to hold nobody else up
PACE_SECONDS = 0.02  # a piece, so long as nothing is known
AHEAD_CALLS = 64
STEPS = (PREPARE, COLLECT)
PACE_SHARE = 0.25  # of the newest measurement


@attrs.define(eq=False)
class Crew:
    """`setup` says what a computing process is for. `part` is what the job has of the cores.
    `reserve` are started already; on the `shelf` are such as have loaded the job."""

    _setup: dict[str, object]
    _part: Part
    _piece_timeout: float | None
    _reserve: list[Started]
    _outcomes: Outcomes
    _shelf: Shelf | None = None
    _urgent: deque[Call] = attrs.field(init=False, factory=deque)
    _queue: deque[Call] = attrs.field(init=False, factory=deque)
    _computers: list[Computer] = attrs.field(init=False, factory=list)
    _pace: float = attrs.field(init=False, default=PACE_SECONDS)  # a piece
    _busy: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)
    _nursery: trio.Nursery | None = attrs.field(init=False, default=None)
    _starts: int = attrs.field(init=False, default=0)  # of processes, that did not count
    _wakes_at: float | None = attrs.field(init=False, default=None)

    async def run(self, ahead: bool) -> None:
        """Serve until cancelled; then they are ended. `ahead`: start one before the first call."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._part.begin, self._part.give_up = self._begin, self._give_up
                if ahead:
                    self._hire()
                self._fill()
                await self._look()
        finally:
            self._nursery = None
            self._part.leave()

    def give(self, call: Call) -> None:
        (self._urgent if call.kind in STEPS else self._queue).append(call)
        self._fill()

    def abandon(self) -> None:
        """What they compute is not wanted any more: none is to be left soon after the end."""
        for computer in self._computers:
            computer.abandoned = True

    def _fill(self) -> None:
        """Give the computing processes what they may begin, and what they have room for."""
        if self._nursery is None:
            return
        self._part.want(self._waiting())
        for computer in self._computers:
            if not computer.calls:
                self._leave_core(computer)
            elif computer.ready and computer.hold is not None and computer.hold.starts:
                self._part.started(computer.hold)
        self._wake_at(self._part.assign())
        while self._waiting() and (at_work := self._with_room()) is not None:
            if (call := self._next_call()) is not None:
                self._give(at_work, call)
        self._part.want(self._waiting())
        if self._is_to_look():
            self._busy.unpark()

    def _begin(self) -> None:
        """It is this job's turn to have a core."""
        if (call := self._next_call()) is not None:
            idle = (one for one in self._computers if not one.calls)
            computer = next(idle, None) or self._hire()
            starts = not computer.ready and self._starts < self._part.most
            self._starts += starts  # those in place of others that died do count
            computer.hold = self._part.take(starts)
            self._give(computer, call)
        self._part.want(self._waiting())

    def _give_up(self, hold: Hold) -> None:
        """A higher priority needs that core: what is computed on it is begun anew later."""
        for computer in self._computers:
            if computer.hold is hold:
                computer.given_up = hold.asked_back = computer.end()

    def _next_call(self) -> Call | None:
        """Of those that somebody still wants."""
        while self._waiting():
            call = (self._urgent or self._queue).popleft()
            if call.wanted:
                return call
        return None

    def _give(self, computer: Computer, call: Call) -> None:
        """Which holds a core."""
        if call.kind != WHOLE:  # of which it is known
            compute = call.kind == COMPUTE
            call.seconds = self._pace * len(call.slots) if compute else PACE_SECONDS
        computer.give(call)
        if computer.hold is not None:
            self._part.expect(computer.hold, computer.seconds)

    def _with_room(self) -> Computer | None:
        """One that is at work, and may have more calls before others have their turn."""
        room = [one for one in self._computers if one.calls and _has_room(one)]
        if not room or not self._part.goes_on():
            return None
        return min(room, key=lambda one: one.seconds)

    def _leave_core(self, computer: Computer) -> None:
        hold, computer.hold = computer.hold, None
        if hold is not None:
            self._part.give_back(hold)

    def _wake_at(self, when: float | None) -> None:
        """Look then who may have a core."""
        if when is not None and when != self._wakes_at and self._nursery is not None:
            self._wakes_at = when
            self._nursery.start_soon(self._assign_at, when)

    async def _assign_at(self, when: float) -> None:
        await trio.sleep_until(when)
        self._fill()

    def _hire(self) -> Computer:
        assert self._nursery is not None
        told = self._answered, self._fill, self._ended
        begun = None if self._outcomes.trace is None else self._outcomes.began
        printed = self._outcomes.printed
        computer = Computer(self._setup, *told, self._reserve, begun, self._shelf, printed)
        self._computers.append(computer)
        self._nursery.start_soon(computer.run)
        return computer

    # -- what takes long -------------------------------------------------------------------

    async def _look(self) -> None:
        """Every moment, while somebody has more than one call, take back what must wait there."""
        while True:
            if not self._is_to_look():
                await self._busy.park()
            await trio.sleep(LOOK_SECONDS)
            for computer in self._computers:
                self._again(computer.look())
            self._part.preempt()
            if self._waiting():
                for computer in self._computers:
                    if computer.is_at_nothing():
                        computer.end()
            if self._piece_timeout is not None:
                for computer in self._computers:
                    computer.limit(self._piece_timeout)
            self._fill()

    def _is_to_look(self) -> bool:
        """Whether somebody may have to wait for what takes long, or that is to be ended."""
        most = 1 if self._piece_timeout is None else 0
        return any(len(one.calls) > most for one in self._computers) or self._waiting()

    def _waiting(self) -> bool:
        """Whether something is to be begun."""
        return bool(self._urgent or self._queue)

    def _again(self, calls: list[Call]) -> None:
        """Back to where they came from, before all others."""
        self._queue.extendleft(call for call in reversed(calls) if call.kind not in STEPS)
        self._urgent.extendleft(call for call in reversed(calls) if call.kind in STEPS)

    # -- what a computing process says -----------------------------------------------------

    def _answered(self, call: Call, answer: Answer) -> None:
        _, seconds, piece, value, fault = answer
        if call.kind == COMPUTE:
            done = len(call.slots) if piece is None else piece + 1
            self._pace += PACE_SHARE * (seconds / done - self._pace)
        if piece is None:
            self._outcomes.returned(call, value, seconds)
        elif fault in (OF_THE_JOB, OF_THE_MACHINE):
            self._outcomes.raised(call, piece, value, fault == OF_THE_MACHINE)
        else:
            self._outcomes.could_not(call, piece, value, fault)

    def _ended(self, computer: Computer, how: str) -> None:
        self._computers.remove(computer)
        self._leave_core(computer)
        fatal = None if computer.given_up else computer.fatal()
        self._again(list(computer.calls.values()))
        if fatal and not (fatal[0].obsolete and fatal[0].kind != COMPUTE):
            call, piece = fatal  # where it is done by others it was in vain, and is said to be over
            before = "" if computer.ready else ", before the job was loaded"
            text = f"{how} in {call.where(piece)}{before}"
            if computer.overtime is not None:
                text = overtime(computer.overtime, call.where(piece))
            self._outcomes.raised(call, piece, text, local=not computer.started)
        self._fill()


def _has_room(computer: Computer) -> bool:
    calls = len(computer.calls)
    return computer.seconds < AHEAD_SECONDS and calls < AHEAD_CALLS and not computer.stuck
