"""The log of a job, as it is shown: nothing in it is obeyed by a terminal."""

from __future__ import annotations

from core.sessions.messages import NODE_BITS
from transports.fleet.log import Log

TOLD = {
    "job": "job.py",
    "state": "done",
    "failed_by": None,
    "missing": 2,
    "errors": ["Traceback\nValueError: no", "KeyError"],
    "raised": [
        [0, "3-1", 1500, 5 << NODE_BITS, "h:1", 2],
        [1, "3", None, 1 | 5 << NODE_BITS, "h:1", 1],
        [0, "3-1", 7, 2 | 6 << NODE_BITS, "h:2", 1],
    ],
    "left_off": 4,
    "declined": [["not allowed", ["h:3", "h:4"]]],
    "printed": [["h:1", b"one\r\n\x1b[31mred\xff\n\nlast\n", 5]],
    "unreached": ["h:5"],
}


def test_what_happened_is_told_by_error_and_by_process() -> None:
    assert str(Log.of(3, TOLD)).splitlines() == [
        "job               3, job.py, done, without 2 partitions",
        "declined          by h:3, h:4: not allowed",
        "unreached         h:5",
        "",
        "raised 1 time:",
        "KeyError",
        "  1 time in session 3, node 1 of h:1",
        "",
        "raised 3 times:",
        "Traceback",
        "ValueError: no",
        "  2 times in session 3-1, partition 1,500, node 0 of h:1",
        "  1 time in session 3-1, partition 7, node 2 of h:2",
        "",
        "and 4 times what is not kept any more",
        "",
        "h:1  (5 bytes before this are not kept)",
        "h:1  one",
        "h:1  \\x1b[31mred\\xff",
        "h:1",
        "h:1  last",
    ]


def test_nothing_is_told_as_nothing() -> None:
    nothing = {**TOLD, "missing": 0, "left_off": 0}
    nothing |= {name: [] for name in ("errors", "raised", "declined", "printed", "unreached")}
    rows = "job               3, job.py, done\nraised            nothing\nprinted           nothing"
    assert str(Log.of(3, nothing)) == rows
