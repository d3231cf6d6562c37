"""A computation, and the process that claims something of it: sessions as they begin, replicas."""

from __future__ import annotations

from typing import Any

from core import Computation, Session, Shape
from core import messages as m
from core.sessions.messages import NODE_BITS
from transports.net import wire
from transports.net.wire import NONCE_BYTES, Hello

HERE, THERE = "127.0.0.1:5001", "127.0.0.1:5002"
NUMBER, NODES = 7, 10
NODE = NUMBER << NODE_BITS
OTHER = 8 << NODE_BITS
SHAPE = Shape.root(27, 3)
HELLO = Hello(wire.VERSION, NUMBER, THERE, NODES, False, bytes(NONCE_BYTES))
END = b"the end"
NAN, INF = float("nan"), float("inf")
FAILURE = m.Failure("0", None, "no")
LONG = m.Failure("0", None, "x" * 200_000)


def opened(session: str = "0", epoch: tuple[int, ...] | None = None) -> Session:
    """As it begins."""
    shape = SHAPE
    for part in session.split("-")[1:]:
        shape = shape.child(int(part))
    return Session(session, epoch or (4,) * (session.count("-") + 1), Computation, shape.plain())


def snapshot(session: str = "0", /, **changes: Any) -> dict[str, Any]:
    state = opened(session)
    state.apply(1.0, m.Joined(NODE, None, None, (), False))
    return {**state.snapshot(), **changes}


def column(name: str, value: Any) -> dict[str, Any]:
    """The changes of a snapshot that give its first slot that value."""
    _, *others = snapshot()[name]
    return {name: [value, *others]}
