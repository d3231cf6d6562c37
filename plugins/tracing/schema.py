"""What a trace is made of: its files, its columns, its events.

A trace is a folder:

    trace.json             what was run: the keys of `Run`; at the end also the run's summary
    events-WHO-N.parquet   what happened: the columns EVENT_COLUMNS, a row an event
    traffic-WHO-N.parquet  messages, counted: TRAFFIC_COLUMNS
    connections-WHO-N.parquet  connections, counted: CONNECTION_COLUMNS

WHO wrote a piece (one process of several, on TCP), and N is its number. A piece is there as a whole
or not at all, so a trace can be read while it is written, and after its writer was killed.
Pieces of several processes, or machines, belong together as soon as they are in one folder.

Time is in seconds since the root session was opened; in the simulator simulated ones. Rows of one
writer are in the order of time, and at the same time in the order in which they happened, except
that with a sample those of a control node before it was one come late.

How tables are joined: `node` is the same number everywhere; `session` is a name whose parts are
slots (`0-3-17` is slot 17 of session `0-3`); `partition` is the global index of a leaf's slot.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import polars as pl

NODES_OF_PROCESS: Final = 2**20  # node numbers that a process has on TCP
FORMAT: Final = "million-nodes trace"
VERSION: Final = 1

EVENTS: Final = {
    # of nodes
    "arrived": "the node is there and asks `session` for a place",
    "sent_on": "`session` had no place for it and sent it to session `to`",
    "waits": "it stands by in `session`",
    "turned_away": "it is not needed now and is to ask again",
    "joined": "it takes part in `session`",
    "left": "it does not any more, whatever the reason",
    "lost": "the host of `session` noticed that its connection to the node is gone",
    "gone": "it is not there any more; TCP: it was told to go (of one that dies, others tell)",
    "back": "it is there again, with all that it knew when it went",
    "failed": "a function of the job raised at the node: in `slot`, or in none",
    # of slots
    "assigned": "`slot` is the node's: to compute `partition`, or (interior) to lead its session",
    "doubled": "the node is to help with `slot`, which is late",
    "started": "it begins to compute `partition`",
    "finished": "it has computed `partition`, which took `seconds`",
    "accepted": "the output of `slot` counts: the first that came",
    # of sessions
    "opened": "`session` is open, the node is the first in it; `to`: the address of its host",
    "recovered": "the same, where the session had been open before, or its leader was lost",
    "leads": "the node leads `session` from now on",
    "completed": "the outputs of all slots of `session` are there; the node leads it",
    "collected": "the outputs of `session` are combined; the node leads it",
    "moved": "the node goes on to session `to`, and those of `session` with it",
    "ended": "the computation is over: the result is known in `session`",
    # of the world
    "fault": "something went wrong on purpose: `to` says what, in the words of the simulator",
}

EVENT_COLUMNS: Final[dict[str, Any]] = {
    "time": pl.Float64,  # seconds
    "event": pl.Enum(list(EVENTS)),
    "node": pl.Int64,  # null: nobody's, as with some faults
    "session": pl.Categorical,  # where
    "slot": pl.Int32,  # of the session
    "partition": pl.Int64,  # of the slot, where the session is a leaf
    "to": pl.Categorical,  # a session, or what EVENTS says
    "seconds": pl.Float32,  # what a computation took
}

TRAFFIC_COLUMNS: Final[dict[str, Any]] = {
    "time": pl.Float64,  # where the interval of TRAFFIC_SECONDS begins
    "level": pl.Int16,  # of the session that they are about: 0 is the root
    "messages": pl.Int64,  # simulator: that arrived; TCP: that this process sent
}
TRAFFIC_SECONDS: Final = 0.1

CONNECTION_COLUMNS: Final[dict[str, Any]] = {
    "time": pl.Float64,
    "node": pl.Int64,  # who hosts sessions (on TCP the first node of the process)
    "connections": pl.Int64,  # it has more than at any time before; others have one at a time
}

TABLES: Final = {
    "events": EVENT_COLUMNS,
    "traffic": TRAFFIC_COLUMNS,
    "connections": CONNECTION_COLUMNS,
}
# What a row says nothing without. Of any other column, one that has come later, say, a trace may
# know nothing: it is read as null there.
NEEDED: Final = {
    "events": {"time", "event", "node", "session", "slot", "partition"},
    "traffic": {"time", "level", "messages"},
    "connections": {"time", "node", "connections"},
}


def in_sample(node: Any, sample: int) -> Any:
    """Whether a node is one of a sample of one in so many: of a number, or a column of them.

    On TCP the lower bits of a node's number say which of its process it is, the upper ones were
    drawn: by the lower ones alone the first of each process would always be in.
    """
    return (node ^ (node // NODES_OF_PROCESS)) % sample == 0


class TraceError(ValueError):
    """A trace cannot be written, or read. The message is one line that says what to do."""


@attrs.frozen
class Run:
    """What was run: what trace.json says."""

    transport: str  # "simulator" or "tcp"
    job: str
    nodes: int
    partitions: int
    fanout: int
    levels: int
    seed: int
    sample: int = 1  # one in so many nodes has its events here, control nodes from when they lead
    pieces: str = ""  # what WHO begins with: of this run, where there are others in the folder
    options: dict[str, Any] = attrs.Factory(dict)  # others, as given
    # Of a fleet, by number: partitions and fanout, of which those above are the largest.
    jobs: dict[str, tuple[int, int]] = attrs.Factory(dict)
    summary: dict[str, Any] | None = None  # of the run, in the names of its `--json`; None: killed
