"""What is stored in tests of stores."""

from __future__ import annotations

from core import Computation, Session, Shape
from core import messages as m
from core.messages import Value
from transports.process.store import SqliteStore

JOB: dict[str, Value] = {"job": "plugins.primes", "partitions": 9, "fanout": 3, "input": [0, 1.5]}


def finished(i: int, output: Value = None) -> m.Finished:
    return m.Finished(1, (i % 40,), [output], 0.5)


def lived(kept: SqliteStore, messages: int, output: Value = None) -> Session:
    """A session of so many messages."""
    state = Session("0", (1,), Computation, Shape.root(40, 40).plain())
    for i in range(messages):
        message = finished(i, output)
        state.apply(float(i), message)
        kept.append(state, float(i), message)
    return state
