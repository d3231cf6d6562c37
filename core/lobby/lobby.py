"""The model of one lobby session: who is at home in it, in which slot, and who leads what below.

Rules it keeps:
- Whoever takes part, but the root's own node, has exactly one slot.
- Only those lead to whom others can connect, whatever they lead.
- A session below a slot is opened when its reflector first sends somebody there, and by whoever
  takes that slot later.
"""

from __future__ import annotations

from typing import ClassVar

from core.lobby.guide import Usher
from core.lobby.messages import SETTLE, Draining, Opened
from core.lobby.slots import LobbySlots
from core.sessions.messages import Facts, Lead, Node, Value
from core.sessions.model import Guide, Membership, Model
from core.sessions.roles import COUNTS, MEMBER, OFFENCE, REFLECTOR, Role, Verdict


class Lobby(Model):
    """Of the plan [fanout], which is that of all sessions below, too."""

    __slots__ = ("slots",)

    def __init__(self, plan: Value, people: Membership) -> None:
        fanout = plan[0]
        self.slots = slots = LobbySlots(fanout)
        super().__init__(plan, people, slots, fanout, fanout)

    # -- coming and going ------------------------------------------------------------------

    def joined(self, node: Node, about: Value, claims: tuple[int, ...], now: float) -> None:
        slots, listens = self.slots, self.people.address(node) is not None
        slot = next((i for i in claims if self._is_free(i)), None)
        if slot is None:
            slot = slots.free(listens, now)
        if slot is None:
            return
        slots.take(slot, node, listens, about)
        if slots.led[slot]:
            self._lead(slot, node)
        else:
            self.people.tell(node, SETTLE)

    def _is_free(self, slot: int) -> bool:
        return 0 <= slot < self.children and self.slots.worker[slot] is None

    def left(self, node: Node, now: float) -> None:
        slot = self.slots.slot_of(node)
        if slot is not None:
            self.slots.release(slot, now)

    def may_lead(self, node: Node) -> bool:
        return self.people.address(node) is not None

    def _opened(self, opened: Opened, now: float) -> None:
        slots, slot = self.slots, opened.slot
        node = slots.worker[slot] if 0 <= slot < self.children else None
        if node is not None and slots.listens[slot] and not slots.led[slot]:
            self._lead(slot, node)

    def _lead(self, slot: int, node: Node) -> None:
        epoch = (*self.people.epoch, self.slots.lead(slot))
        self.people.tell(node, Lead(slot, epoch))

    def _drains(self, draining: Draining, now: float) -> None:
        slot = self.slots.slot_of(draining.node)
        if slot is not None:
            self.slots.draining[slot] = True

    # -- what outlives the session's host ----------------------------------------------------

    def context(self) -> Value:
        """Under which slots there are sessions."""
        return [slot for slot in range(self.children) if self.slots.led[slot]]

    def merge(self, facts: Facts, context: Value, now: float) -> None:
        for slot in context or ():
            if 0 <= slot < self.children:
                self.slots.keep(slot, now)

    def child_plan(self, child: int) -> Value:
        return self.plan

    # -- copies ----------------------------------------------------------------------------

    def plain(self) -> dict[str, Value]:
        return self.slots.plain()

    def load(self, plain: dict[str, Value]) -> None:
        self.slots.load(plain)

    # -- who may say what ------------------------------------------------------------------

    def _may_drain(self, node: Node, draining: Draining) -> Verdict:
        return COUNTS if draining.node == node else OFFENCE

    says: ClassVar[dict[type, Role]] = {Opened: REFLECTOR, Draining: MEMBER}
    guide: ClassVar[type[Guide] | None] = Usher


Lobby.handles = {Opened: Lobby._opened, Draining: Lobby._drains}
Lobby.rights = {Draining: Lobby._may_drain}
