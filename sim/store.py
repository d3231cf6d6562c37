"""A store that outlives the simulated process whose host it belongs to."""

from __future__ import annotations

from core import Session
from core.messages import Epoch, Message, Value
from core.sessions.model import Kind


class MemoryStore:
    """Each session's messages since it was last opened, in memory."""

    def __init__(self) -> None:
        self.logs: dict[str, tuple[Epoch, Value, list[tuple[float, Message]]]] = {}

    def append(self, state: Session, now: float, message: Message) -> None:
        if state.seq == 1:
            self.logs[state.name] = state.epoch, state.model.plan, []
        self.logs[state.name][2].append((now, message))

    def load(self, kind: Kind) -> list[Session]:
        return [
            _replay(Session(name, epoch, kind, plan), log)
            for name, (epoch, plan, log) in self.logs.items()
        ]


def _replay(state: Session, log: list[tuple[float, Message]]) -> Session:
    for now, message in log:
        state.apply(now, message)
    return state
