"""The slots of one lobby session, as columns: whose each is, and who may have which.

Rules it keeps:
- Others can connect to whoever leads a session, and nobody is below one who cannot be connected
  to. So those who do not listen have slots of the upper half only, from the last one down, and
  those who listen the first that is free: at least half of the slots can have sessions below.
- A slot under which there is a session is kept for a while for those of that session, when its
  holder has gone: they look for it there.
"""

from __future__ import annotations

from typing import Final

from core.sessions.messages import Node, Value
from core.sessions.model import Room

FANOUT_MIN: Final = 4  # with less there would be sessions under one slot only
KEPT_SECONDS: Final = 15.0
ABLE_MAX: Final = 255  # different ones; more count as the first, of whom nothing is known


class LobbySlots(Room):
    """What admission, and the guide, ask of a lobby session."""

    __slots__ = ("able", "draining", "given", "kept", "kinds", "led", "listens", "worker")

    def __init__(self, fanout: int) -> None:
        super().__init__()
        self.worker: list[Node | None] = [None] * fanout
        self.listens = bytearray(fanout)
        self.led = bytearray(fanout)  # there is a session below it, or there was
        self.draining = bytearray(fanout)
        self.able = bytearray(fanout)  # what its holder said of itself: an index into `kinds`
        self.kinds: list[Value] = [None]
        self.given: dict[int, int] = {}  # how often the session below it was given to somebody
        self.kept: dict[int, float] = {}  # until when a slot is for those of the session below it

    # -- what admission asks ---------------------------------------------------------------

    def holder(self, child: int) -> Node | None:
        return self.worker[child]

    def times(self, child: int) -> int:
        return self.given.get(child, 0)

    def gave(self, number: int, node: Node) -> bool:
        return 0 <= number < len(self.worker) and self.worker[number] == node

    # -- whose they are --------------------------------------------------------------------

    @property
    def leaves(self) -> int:
        """How many are for those as well who do not listen: the last ones."""
        return len(self.worker) // 2

    def free(self, listens: bool, now: float) -> int | None:
        """The slot for a newcomer, by whether it listens."""
        worker, size = self.worker, len(self.worker)
        if None not in worker:
            return None
        if not listens:
            slots = range(size - 1, size - self.leaves - 1, -1)
            return next((i for i in slots if worker[i] is None and not self.led[i]), None)
        found = [i for i in range(size) if worker[i] is None]
        kept = {i for i in found if self.kept.get(i, now) > now} if self.kept else set[int]()
        # Where nobody is to whom it could be sent it has one that is kept.
        return next((i for i in found if i not in kept), None if any(self.listens) else found[0])

    def listening(self) -> list[int]:
        """The slots under which there may be sessions, as their holders listen."""
        return [i for i in range(len(self.worker)) if self.listens[i]]

    def take(self, slot: int, node: Node, listens: bool, about: Value) -> None:
        """`node` has that free slot from now on."""
        self.worker[slot], self.listens[slot] = node, listens
        self.draining[slot], self.able[slot] = False, self._kind(about)
        self.kept.pop(slot, None)

    def _kind(self, about: Value) -> int:
        if about in self.kinds:
            return self.kinds.index(about)
        if len(self.kinds) > ABLE_MAX:
            return 0
        self.kinds.append(about)
        return len(self.kinds) - 1

    def slot_of(self, node: Node | None) -> int | None:
        """The slot that `node` has."""
        return self.worker.index(node) if node is not None and node in self.worker else None

    def release(self, slot: int, now: float) -> None:
        """Its holder has gone."""
        self.worker[slot], self.listens[slot], self.draining[slot] = None, False, False
        if self.led[slot]:
            self.kept[slot] = now + KEPT_SECONDS

    def lead(self, slot: int) -> int:
        """Its holder leads the session below it, for the first time or anew: how often by now."""
        self.led[slot] = True
        self.given[slot] = times = self.given.get(slot, 0) + 1
        return times

    def keep(self, slot: int, now: float) -> None:
        """There is a session below it, as another replica knows: if it is free it is kept."""
        if self.worker[slot] is None and not self.led[slot]:
            self.led[slot], self.kept[slot] = True, now + KEPT_SECONDS

    # -- copies ----------------------------------------------------------------------------

    def plain(self) -> dict[str, Value]:
        """The columns as plain data."""
        return {
            "worker": list(self.worker),
            "listens": list(self.listens),
            "led": list(self.led),
            "draining": list(self.draining),
            "able": list(self.able),
            "kinds": list(self.kinds),
            "given": [list(entry) for entry in self.given.items()],
            "kept": [list(entry) for entry in self.kept.items()],
        }

    def load(self, plain: dict[str, Value]) -> None:
        """Take on what `plain` said."""
        self.worker = list(plain["worker"])
        self.listens, self.led = bytearray(plain["listens"]), bytearray(plain["led"])
        self.draining, self.able = bytearray(plain["draining"]), bytearray(plain["able"])
        self.kinds = list(plain["kinds"])
        self.given, self.kept = dict(plain["given"]), dict(plain["kept"])
