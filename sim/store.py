"""A store that outlives the simulated process whose host it belongs to."""

from __future__ import annotations

from core import Computation
from core.cutting import Shape
from core.messages import Epoch, Message


class MemoryStore:
    """Each session's messages since it was last opened, in memory."""

    def __init__(self) -> None:
        self.logs: dict[str, tuple[Shape, Epoch, list[tuple[float, Message]]]] = {}

    def append(self, model: Computation, now: float, message: Message) -> None:
        session = model.shape.session
        if model.seq == 1:
            self.logs[session] = model.shape, model.epoch, []
        self.logs[session][2].append((now, message))

    def load(self) -> list[Computation]:
        return [_replay(*log) for log in self.logs.values()]


def _replay(shape: Shape, epoch: Epoch, entries: list[tuple[float, Message]]) -> Computation:
    model = Computation(shape, epoch)
    for now, message in entries:
        model.apply(now, message)
    return model
