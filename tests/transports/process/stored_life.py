"""A session that is stored, opened again and again: the same whenever it is run.

As a program it stores that in a file, a line on stdout after each message, until it is killed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from core import Computation, Session, Shape
from core import messages as m
from core.messages import Message
from transports.process import store
from transports.process.store import SqliteStore

SHAPE = Shape.root(40, 40)
INCARNATION = 9  # messages each
STEPS = 400
OUTPUT = b"x" * 3000


def life() -> Iterator[tuple[Session, Message]]:
    """The session after each message, and the message."""
    state = opened(1)
    for step in range(STEPS):
        message: Message
        if step == 0:
            message = m.Joined(0, "localhost:1", None, (), False)
        elif step % INCARNATION == 0:
            message = m.Restored(state.model.facts(), state.model.context())
            state = opened(1 + step // INCARNATION)
        elif step < INCARNATION:
            message = m.Given(step)
        else:
            message = m.Finished(0, (step % 40,), [OUTPUT], 0.5)
        state.apply(float(step), message)
        yield state, message


def opened(incarnation: int) -> Session:
    return Session(SHAPE.session, (incarnation,), Computation, SHAPE.plain())


def main(path: str) -> None:
    store.COMPACT_BYTES_MIN = 5000  # so that this happens, too
    kept = SqliteStore(Path(path), {"job": "life"})
    for step, (state, message) in enumerate(life()):
        kept.append(state, float(step), message)
        print(step, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
