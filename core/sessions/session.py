"""The replicated whole of one session: its people, who leads them, and one model.

Rules it keeps:
- Only `apply` changes it, one ordered message at a time; what follows is a function of the
  state, the message and its time alone. Replicas that saw the same messages are equal.
- The first to join leads; when the leader goes, the next in join order leads. Of both the first
  one counts of whom the model says that it may.
- Where all the people of a session with children are in one process, its leader is to have what is
  known kept in another, so that it takes two deaths to lose it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from mypy_extensions import mypyc_attr

from core.sessions import messages as m
from core.sessions.messages import Address, Epoch, Node, Value
from core.sessions.model import Kind, Membership, Model

Told = list[tuple[Node, Any]]  # who is to do what


@mypyc_attr(allow_interpreted_subclasses=True)
class Session(Membership):
    """The state of one session. Its model is made by `kind`, with `plan`."""

    __slots__ = (
        "_handles", "_interior", "addresses", "ended", "model", "moved", "noted", "seq", "told",
    )  # fmt: skip

    def __init__(self, name: str, epoch: Epoch, kind: Kind, plan: Value) -> None:
        super().__init__(name, epoch)
        self.seq = 0
        self.addresses: dict[Node, Address | None] = {}  # where there are child sessions
        self.moved: m.Place | None = None
        self.ended: m.Ended | None = None
        self.model: Model = kind(plan, self)
        self._interior = self.model.children > 0
        self._handles = self.model.handles
        # What is not replicated, as it is of one message only.
        self.told: Told = []
        self.noted: Iterable[int] = ()  # facts that are known from this message on

    def apply(self, now: float, message: Any) -> Told:
        """Change by one message, ordered at `now` seconds. Returns who is to do what."""
        self.seq += 1
        self.noted = ()
        told: Told = []
        self.told = told
        handler = self._handles.get(type(message))
        if self.moved is not None:
            pass  # nobody is here any more
        elif handler is not None:
            handler(self.model, message, now)
        else:
            _OWN[type(message)](self, message, now)
        return told

    # -- coming and going ------------------------------------------------------------------

    def _joined(self, joined: m.Joined, now: float) -> None:
        node = joined.node
        self.people[node] = None
        if self._interior:
            self.addresses[node] = joined.address
        if joined.observes:
            self.observers += (node,)
        if self.leader is None and self.model.may_lead(node):
            self._appoint(node, now)
            self._back_up()
        if not joined.observes:
            self.model.joined(node, joined.about, joined.claims, now)

    def _left(self, left: m.Left, now: float) -> None:
        node = left.node
        self.people.pop(node, None)
        self.addresses.pop(node, None)
        if node in self.observers:
            self.observers = tuple([other for other in self.observers if other != node])
        if self.leader == node:
            self.leader = None
            heir = next((other for other in self.people if self.model.may_lead(other)), None)
            if heir is not None:
                self._appoint(heir, now)
        self._back_up()
        self.model.left(node, now)

    def _appoint(self, node: Node, now: float) -> None:
        self.leader = node
        self.tell(node, m.TakeOver())
        self.model.direct_leader(now)

    def _moved(self, moved: m.Moved, now: float) -> None:
        """The leader goes on, and everyone with it. It knows the way itself."""
        if moved.node != self.leader:
            return
        self.moved = moved.place
        self.told += [(node, m.Go(moved.place)) for node in self.people if node != moved.node]
        self.people, self.addresses, self.observers, self.leader = {}, {}, (), None

    # -- what else any session hears -------------------------------------------------------

    def _restored(self, restored: m.Restored, now: float) -> None:
        self.model.merge(restored.facts, restored.context, now)

    def _late(self, late: m.Alarm, now: float) -> None:
        self.model.late(now)

    def _ended(self, ended: m.Ended, now: float) -> None:
        if self.ended is None:
            self.ended = ended
            self.told += [(node, m.Stop(ended)) for node in self.people]

    # -- what the model asks ---------------------------------------------------------------

    def tell(self, node: Node, command: Any) -> None:
        self.told.append((node, command))

    def address(self, node: Node) -> Address | None:
        return self.addresses[node]

    def note(self, numbers: Iterable[int] | None = None) -> None:
        self.noted = self.model.facts() if numbers is None else numbers
        self._back_up(numbers)

    def _back_up(self, numbers: Iterable[int] | None = None) -> None:
        """Have those facts, or all, kept in another process, where need be."""
        if not self._interior or self.leader is None:
            return
        address = self.addresses[self.leader]
        together = address is not None and all(a == address for a in self.addresses.values())
        if together and (facts := self.model.facts(numbers)):
            self.tell(self.leader, m.KeepBackup(facts))

    # -- copies ----------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Value]:
        """The whole content as plain data, from which `restore` makes an equal session."""
        moved, ended = self.moved, self.ended
        return {
            **self.model.plain(),
            "session": self.name,
            "epoch": list(self.epoch),
            "seq": self.seq,
            "people": list(self.people),
            "addresses": [list(entry) for entry in self.addresses.items()],
            "observers": list(self.observers),
            "leader": self.leader,
            "moved": moved and {"session": moved.session, "route": list(moved.route)},
            "ended": ended and {n: getattr(ended, n) for n in ("result", "failure", "key", "lost")},
            "plan": self.model.plan,
        }

    @classmethod
    def restore(cls, kind: Kind, snapshot: dict[str, Value]) -> Session:
        """The session of a snapshot, which may have travelled."""
        made = cls(snapshot["session"], tuple(snapshot["epoch"]), kind, snapshot["plan"])
        made.seq = snapshot["seq"]
        made.people = dict.fromkeys(snapshot["people"])
        made.addresses = dict(snapshot["addresses"])
        made.observers = tuple(snapshot["observers"])
        made.leader = snapshot["leader"]
        moved, ended = snapshot["moved"], snapshot["ended"]
        made.moved = moved and m.Place(moved["session"], tuple(moved["route"]))
        made.ended = ended and m.Ended(**ended)
        made.model.load(snapshot)
        return made

    def copy(self) -> Session:
        """An equal session that changes by itself."""
        return Session.restore(type(self.model), self.snapshot())


_OWN: Final[dict[type, Callable[[Session, Any, float], None]]] = {
    m.Joined: Session._joined,
    m.Left: Session._left,
    m.Restored: Session._restored,
    m.Alarm: Session._late,
    m.Moved: Session._moved,
    m.Ended: Session._ended,
}
