"""A shared counter on the session layer: its second model, and what a model need not be.

It only grows. Nodes count in the sessions without children; a session with children has what each
of these came to. So nothing in it is ever done, nobody rests, and no input is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from core.sessions.messages import Data, Facts, Lead, Node, Value
from core.sessions.model import Handler, Membership, Model, Right, Room
from core.sessions.participant import Participant
from core.sessions.roles import COUNTS, HOLDER, OFFENCE, PASSED_OVER, Role, Verdict


class Counted(Data, frozen=True):
    """Participant, when it counts on. Leader of child session `child`: it came to that there."""

    node: Node
    count: int
    child: int | None = None


class Heard(Data, frozen=True):
    """To a participant: so far you have counted here."""

    count: int


class Tell(Data, frozen=True):
    """To the leader: the session has come to that, have the parent know."""

    total: int


class Seats(Room):
    """Who leads which child session: first come, first given. A leaf takes everybody in."""

    __slots__ = ("given", "leaders")

    def __init__(self, children: int) -> None:
        super().__init__()
        self.leaders: list[Node | None] = [None] * children
        self.given = [0] * children

    def wanted(self) -> bool:
        return not self.leaders or self.leaders.count(None) > len(self.idle)

    def holder(self, child: int) -> Node | None:
        return self.leaders[child]

    def times(self, child: int) -> int:
        return self.given[child]

    def gave(self, number: int, node: Node) -> bool:
        return 0 <= number < len(self.leaders) and self.leaders[number] == node

    def turns(self, quotas: list[int]) -> Iterator[int]:
        while any(leader is not None for leader in self.leaders):
            yield from (i for i, leader in enumerate(self.leaders) if leader is not None)


class Counter(Model):
    """Of the plan [depth, fanout]: counts by node, or by child where there are any."""

    __slots__ = ("counts", "seats")

    def __init__(self, plan: Value, people: Membership) -> None:
        depth, fanout = plan
        self.seats = seats = Seats(fanout if depth > 1 else 0)
        super().__init__(plan, people, seats, len(seats.leaders))
        self.counts: dict[int, int] = {}

    @property
    def value(self) -> int:
        return sum(self.counts.values())

    def joined(self, node: Node, about: Value, claims: tuple[int, ...], now: float) -> None:
        if not self.children:
            return self.people.tell(node, Heard(self.counts.get(node, 0)))
        leaders = self.seats.leaders
        child = next((i for i in [*claims, *range(self.children)] if leaders[i] is None), None)
        if child is None:
            return self.seats.idle.append(node)
        return self._lead(child, node)

    def _lead(self, child: int, node: Node) -> None:
        self.seats.leaders[child] = node
        self.seats.given[child] += 1
        self.people.tell(node, Lead(child, (*self.people.epoch, self.seats.given[child])))

    def left(self, node: Node, now: float) -> None:
        leaders, idle = self.seats.leaders, self.seats.idle
        idle[:] = [other for other in idle if other != node]
        if node in leaders:
            leaders[child := leaders.index(node)] = None
            if idle:
                self._lead(child, idle.pop(0))

    def direct_leader(self, now: float) -> None:
        if self.counts and self.people.leader is not None:
            self.people.tell(self.people.leader, Tell(self.value))

    def _counted(self, counted: Counted, now: float) -> None:
        by = counted.node if counted.child is None else counted.child
        if counted.count > self.counts.get(by, 0):
            self.counts[by] = counted.count
            self.direct_leader(now)
        if counted.child is None and counted.node in self.people.people:
            self.people.tell(counted.node, Heard(self.counts.get(by, 0)))

    # What a child came to is told again by whoever leads it anew, and is never known for good.
    def facts(self, numbers: Iterable[int] | None = None) -> Facts:
        counts = {} if self.children else self.counts
        return {n: counts[n] for n in (counts if numbers is None else numbers) if n in counts}

    def merge(self, facts: Facts, context: Value, now: float) -> None:
        self.counts |= {n: max(count, self.counts.get(n, 0)) for n, count in facts.items()}
        self.direct_leader(now)

    def child_plan(self, child: int) -> Value:
        depth, fanout = self.plan
        return [depth - 1, fanout]

    def plain(self) -> dict[str, Value]:
        seats = self.seats
        counts = [list(entry) for entry in self.counts.items()]
        return {"counts": counts, "idle": list(seats.idle), "leaders": list(seats.leaders),
                "given": list(seats.given)}  # fmt: skip

    def load(self, plain: dict[str, Value]) -> None:
        self.counts, self.seats.idle = dict(plain["counts"]), list(plain["idle"])
        self.seats.leaders, self.seats.given = list(plain["leaders"]), list(plain["given"])

    def _may_count(self, node: Node, counted: Counted) -> Verdict:
        if (counted.child is None) != (self.children == 0):
            return OFFENCE
        held = counted.child is None or self.seats.gave(counted.child, node)
        return COUNTS if held else PASSED_OVER

    handles: ClassVar[dict[type, Handler]] = {Counted: _counted}
    says: ClassVar[dict[type, Role]] = {Counted: HOLDER}
    rights: ClassVar[dict[type, Right]] = {Counted: _may_count}


class Counting(Participant):
    """Counts on whenever the last number was acknowledged, up to the goal that its port names."""

    __slots__ = ()

    def _heard(self, heard: Heard) -> None:
        last = self.unacknowledged
        if last is None or heard.count >= last.count:  # else it answers what was said before
            self.unacknowledged = None
            port: Any = self.port
            port.heard(self, heard.count)
            self.go_on(self.place.session, heard.count)

    def go_on(self, session: str, count: int) -> None:
        """The number after `count`, which was acknowledged there, may be due by now."""
        port: Any = self.port
        if self.is_in(session) and self.unacknowledged is None and count < port.goal:
            self.publish(Counted(self.node, count + 1))

    def _tell(self, tell: Tell) -> None:
        if not self.is_root:
            self.hand_up(Counted(self.node, tell.total, self.number))

    actions: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        **Participant.actions,
        Heard: _heard,
        Tell: _tell,
    }
