"""One of everything that processes say to each other, and of what is in it."""

from __future__ import annotations

import re
from typing import Any

from core import Shape
from core import messages as m
from core.messages import Place
from transports.net import wire
from transports.net.wire import Answer, Call, Follow, Hello, Ordered, Unfollow

HERE, THERE = "127.0.0.1:4000", "127.0.0.1:65535"
PLACE = Place("0-3", (HERE, THERE))
SHAPE = Shape("0-3", 10, 30, 2, 4)
FAILURE = m.Failure("0-3", None, "Traceback ...")
VALUE: list[Any] = [
    None,
    True,
    -(2**63),
    2**64 - 1,
    0.1,
    "é",
    b"\0\xff",
    [],
    {"key": [1, {"deep": None}]},
]

CALLS: list[Any] = [
    m.Arrive(1 << 20, HERE, 0.25, m.Past("0-3-1", (1, 2), (1, 2), 7, bytes(16)), True),
    m.Arrive(0, None, None),
    m.Leave(),
    m.StateTransfer({"slots": [], "seq": 3}),
    m.Vote((1, 2), 3, {"slots": "00ff"}),
    m.Backup("0-1", {0: [[1, "a"], 0.5]}),
    m.Key("0-1", bytes(16)),
    m.Open(PLACE, (1, 2, 1), SHAPE.plain()),
    m.Given(VALUE),
    m.Prepared([VALUE, 1]),
    m.Collected(VALUE),
    m.Finished(5, (1, 2), [VALUE, None], 0.5),
    m.Finished(5, (1,), [None], 0.5, (7, (("0-1", None, "no"), ("0-1-2", 3, "")))),
    m.Failed(5, None, FAILURE, True),
    m.Failed(5, 2, FAILURE, False, 1, (5, 5, 2**60), True),
    m.Moved(5, PLACE),
    m.Ended(VALUE, None, bytes(range(16))),
    m.Ended(None, m.Failure("0", 4, "").plain()),
]
REPLIES: list[Any] = [
    m.Redirect(PLACE),
    m.Wait(),
    m.TurnedAway(5.0),
    m.Absent(),
    m.SendState(),
    m.Backup("0-1", {0: [[1, "a"], 0.5]}),
    m.Key("0-1", b""),
    m.Stop(m.Ended(None, FAILURE.plain(), bytes(16))),
]
MESSAGES: list[Any] = [
    m.Joined(1, HERE, None, (1, 2), False),
    m.Joined(1, None, 0.5, (), True),
    m.Left(1),
    m.Given(VALUE),
    m.Prepared([VALUE, 1]),
    m.Collected(None),
    m.Finished(5, (1, 2), [VALUE, None], 0.5),
    m.Failed(5, 3, FAILURE, False),
    m.Restored({2: [VALUE, 0.5]}, {"given": True, "input": VALUE, "inputs": None}),
    m.Restored({}, None),
    m.Alarm(),
    m.Moved(5, PLACE),
    m.Ended(VALUE, FAILURE.plain()),
]
SUBMIT = wire.Submit(bytes(16), wire.Spec("job.py", {"compute": "a:b"}, VALUE, 10, 3))
SIGNED = wire.Signed(b"document", bytes(64), b"zip")
SIGNED_SUBMIT = wire.Submit(bytes(16), wire.Spec("job.py", {}, None, signed=SIGNED))
ENVELOPES: list[Any] = [
    Hello(wire.VERSION, 2**43 - 1, HERE, 5, True, bytes(range(32))),
    Hello(wire.VERSION, 0, None, 0, False, bytes(32)),
    wire.Proof(bytes(32)),
    wire.Ping(),
    wire.Ping(0.5),
    wire.Begin(
        "plugins.demo", {"compute": "a.b:c"}, "f", 10, 3, "uniform:1,2", -1, PLACE, 1.5e9, bytes(32)
    ),
    wire.Begin(
        *("job.py", {}, "f", 10, 3, None, -1, PLACE, 1.5e9, bytes(32), 2.5, True),
        signed=SIGNED,
    ),
    wire.Declined("why"),
    wire.Over(bytes(16), None),
    wire.Over(bytes(16), FAILURE),
    wire.Over(bytes(16), None, 7),
    SUBMIT,
    SIGNED_SUBMIT,
    wire.Submit(bytes(16), SUBMIT.spec, "me@here", {"job.py": "a" * 64}),
    wire.Accepted(bytes(16), 7),
    wire.Accepted(bytes(16), 7, "note"),
    wire.Refused(bytes(16), "why"),
    wire.Refused(bytes(16), "why", True),
    wire.Watch(7),
    wire.Watch(7, True),
    wire.Output(7, 3, VALUE),
    wire.Progress(7, "running", 1, 2, 3, 4),
    wire.Outcome(7, "done", VALUE, None, [1, []], 1, 2, 3, 0.5),
    wire.Outcome(7, "failed", None, FAILURE),
    wire.Cancel(7),
    wire.Halt(),
    wire.Weigh(7, -3),
    wire.Weigh(7, None, 0.5),
    wire.Weighed(7, "running", -3, 0.5),
    wire.Running((7, 8), "0123456789abcdef"),
    wire.Sharing((wire.Share(7, 0, 1.0), wire.Share(8, -3, 0.5))),
    wire.Sharing((), 30.0),
    wire.Full(5.0),
    wire.Reported(7, (wire.Raised("7-1", 3, 1 << 40, "no", 2), wire.Raised("7", None, 0, "", 1))),
    wire.Recall(7, 2**16),
    wire.Printed(7, b"printed\xff", 2**40),
    wire.Log(7),
    wire.Logged(7, {"errors": [VALUE]}),
    wire.Logged(7, None),
    wire.Ask(),
    wire.Told({"sessions": [VALUE]}),
    wire.Fetch("a" * 64, "0-1", 5, True),
    wire.Chunk("b" * 64, 0, 9, b"bytes"),
    wire.Missing("c" * 64),
    wire.Chunk("b" * 64, 0, 9, b"bytes", 7),
    wire.Missing("c" * 64, 7),
    Follow(PLACE, {"slots": VALUE}, bytes(16)),
    Unfollow("0-1"),
    *[Call("0-3", 1 << 40, call) for call in CALLS],
    *[Answer("0", 0, reply) for reply in REPLIES],
    *[Ordered("0-3-99", 2**40, 1.5, message) for message in MESSAGES],
]


def shown(item: Any) -> str:
    """As the name of a test."""
    return re.sub(" at 0x[0-9a-f]+", "", repr(item))[:60]  # the same in every process
