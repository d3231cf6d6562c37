"""What is called while one message passes, by rooms: a room is a module.

A room is on the way if the message goes on from there: if it is being called when the model
changes, when another task is woken, and when the way ends. What else is called is asked or told
something, and returns.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FrameType

import attrs
from trio.testing import MemoryReceiveStream

from tests import TOP
from tests.test_rooms import ROOMS

WAKES = "Runner.reschedule"  # what Trio calls to have a task go on, or begin


@attrs.define(eq=False)
class Entry:
    """A room that was entered by a function, and those that were entered from there."""

    room: str
    function: str
    above: Entry | None
    inner: list[Entry] = attrs.Factory(list)
    leads_on: bool = False  # the message goes on from there

    def lead_on(self) -> None:
        """From here, and so from where this was called."""
        entry: Entry | None = self
        while entry is not None:
            entry.leads_on, entry = True, entry.above

    def passed(self) -> Iterator[Entry]:
        """The rooms through which the message goes, from here."""
        if self.leads_on:
            yield self
            for inner in self.inner:
                yield from inner.passed()

    def asked(self) -> Iterator[Entry]:
        """The rooms that are entered from here, and from which it does not go on."""
        for inner in self.inner:
            if not inner.leads_on:
                yield inner
                yield from inner.asked()


@attrs.define
class Way:
    """From bytes that arrive to a call of `last`; in between the model has `changed`."""

    changed: Callable[[], bool]
    last: CodeType
    tasks: list[Entry] = attrs.Factory(list)  # where each began, or went on
    has_changed: bool = False


class Trace:
    """For sys.setprofile, from when the first task begins. It follows one way after the other."""

    def __init__(self) -> None:
        self.ways: list[Way] = []  # that are to come; the first, once bytes have arrived
        self._follows = False
        self._begun: set[FrameType] = set()  # coroutines; what is called again of these goes on
        self._entries: dict[FrameType, Entry] = {}

    def __call__(self, frame: FrameType, event: str, value: object) -> None:
        if event == "call":
            goes_on = self._goes_on(frame)
            if self._follows:
                self._called(frame, None if goes_on else self._caller(frame))
        elif event == "return" and self._follows:
            self._look_at_model(self._entries.get(frame))
        elif event == "return" and self.ways:
            receives = frame.f_code is MemoryReceiveStream.receive_some.__code__
            self._follows = receives and isinstance(value, bytearray)

    def _called(self, frame: FrameType, above: Entry | None) -> None:
        self._look_at_model(above)
        room, function = _room(frame.f_code), frame.f_code.co_qualname
        if room is not None:
            if above is None or above.room != room:
                entry = Entry(room, function, above)
                (above.inner if above else self.ways[0].tasks).append(entry)
                above = entry
            self._entries[frame] = above
        elif above is not None and (function == WAKES or frame.f_code is self.ways[0].last):
            above.lead_on()
            if function != WAKES:
                self._follows = False
                del self.ways[0]

    def _goes_on(self, frame: FrameType) -> bool:
        """Whether it is a coroutine that had waited."""
        if not frame.f_code.co_flags & inspect.CO_COROUTINE:
            return False
        begun = frame in self._begun
        self._begun.add(frame)
        return begun

    def _caller(self, frame: FrameType) -> Entry | None:
        """The room from which it is called."""
        caller = frame.f_back
        while caller is not None and caller not in self._entries:
            caller = caller.f_back
        return self._entries[caller] if caller else None

    def _look_at_model(self, entry: Entry | None) -> None:
        """If it has just changed, this is where."""
        way = self.ways[0]
        if entry is not None and not way.has_changed and way.changed():
            way.has_changed = True
            entry.lead_on()


def _room(code: CodeType) -> str | None:
    """The file of ours that has it."""
    path = code.co_filename.removeprefix(f"{TOP}/")
    return path if path.partition("/")[0] in ROOMS else None
