"""A message's way through two processes, traced while it goes: which rooms it enters, and how.

A node of one process tells the host, which is another, that it has done a piece. It is followed
from its last byte to the model's change, and to the bytes of what the host has everyone told; and
in the first process from there to the next piece that the node is given.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import trio
from trio.testing import MemorySendStream, MockClock, wait_all_tasks_blocked

from tests import TOP
from tests.pictures.trace import Entry, Trace, Way
from tests.transports.living import HOST, Life, Pieces, life

PARTITIONS = 100  # more than there are nodes, so that who has done one gets another


def tables() -> list[str]:
    """In the host's process, and in that of the node."""
    with TemporaryDirectory() as folder:
        ways = trio.run(_traced, Path(folder), clock=MockClock(autojump_threshold=0))
    return [_table(_rows(way.tasks)) for way in ways]


async def _traced(folder: Path) -> list[Way]:
    trace = Trace()
    sys.setprofile(trace)
    try:
        async with life(folder, PARTITIONS, PARTITIONS) as lived:
            await _leave_two(lived)
            _, pieces, _ = lived.pieces
            (slot,) = pieces.waiting[0][1].slots
            host, replica = lived.host.host.reflectors["0"], lived.helper.following.replicas
            ways = [
                Way(_done(host, slot), MemorySendStream.send_all.__code__),
                Way(_done(replica[HOST, "0"], slot), Pieces.compute.__code__),
            ]
            trace.ways = [*ways]
            pieces.finish_one()
            await wait_all_tasks_blocked()
            lived.nursery.cancel_scope.cancel()
    finally:
        sys.setprofile(None)
    assert not trace.ways, "the message has not come to its end"
    assert all(way.has_changed for way in ways), "the model is as it was"
    return ways


async def _leave_two(lived: Life) -> None:
    """The third process has no nodes any more, and nothing is written down of the others."""
    lived.silent.leave()
    await wait_all_tasks_blocked()
    for process in (lived.host, lived.helper):
        process.incoming.handlers = process._handlers()


def _done(with_state: Any, slot: int) -> Callable[[], bool]:
    return lambda: bool(with_state.state.model.slots.done[slot])


# -- writing it down -----------------------------------------------------------------------


@attrs.define
class Row:
    """A room, the functions by which it is entered, and what is asked or told from there."""

    room: str
    functions: list[str] = attrs.Factory(list)
    asked: dict[str, dict[str, None]] = attrs.Factory(dict)  # by room, the functions

    def add(self, entry: Entry) -> None:
        """It is entered."""
        self.functions.append(entry.function)
        for other in entry.asked():
            self.asked.setdefault(other.room, {})[other.function.rpartition(".")[2]] = None

    def line(self) -> str:
        """As one of a table."""
        here = PurePosixPath(self.room).parent
        about = (ast.get_docstring(ast.parse((TOP / self.room).read_text())) or "").partition("\n")
        entered = ", later ".join(f"`{function}`" for function in self.functions)
        asked = ", ".join(
            f"`{path.name if path.parent == here else path}` ({', '.join(functions)})"
            for path, functions in ((PurePosixPath(room), how) for room, how in self.asked.items())
        )
        return f"| `{self.room}` | {about[0]} | {entered} | {asked} |"


def _rows(tasks: list[Entry]) -> list[Row]:
    """One for each time that a room is entered; what waits in a room goes on in the same row."""
    rows: list[Row] = []
    for task in tasks:
        for entry in task.passed():
            if not (entry is task and rows and rows[-1].room == entry.room):
                rows.append(Row(entry.room))
            rows[-1].add(entry)
    return rows


def _table(rows: list[Row]) -> str:
    rooms = [row.room for row in rows]
    again = ", ".join(f"`{room}`" for room in dict.fromkeys(rooms) if rooms.count(room) > 1)
    return "\n".join(
        [
            "| room | which is about | entered by | what it asks or tells meanwhile |",
            "|---|---|---|---|",
            *(row.line() for row in rows),
            "",
            f"Rooms that it comes through again: {again or 'none'}.",
        ]
    )
