"""Where a host sends those for whom its session has no slot, by counts that are not replicated.

Rules it keeps:
- Who comes is sent to the child session with the fewest nodes, of those who do not listen to one
  that has room for them. A child session is opened when somebody is first sent there.
- A host tells the one above what there is at home below it: at most once a second, when that has
  changed by a fiftieth, or ten seconds after it was told last. Those who are just on their way
  are counted with those at home, for ten seconds.
- For one who does not listen no session is opened below the leader of this one: else few who
  listen would lead ever more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.lobby.messages import Counted, Opened
from core.sessions.messages import Arrive, Node
from core.sessions.model import Guide

if TYPE_CHECKING:
    from core.lobby.slots import LobbySlots
    from core.sessions.reflector import Reflector

TELL_SECONDS: Final = 1.0
TELL_SHARE: Final = 0.02
TELL_ALL_SECONDS: Final = 10.0
ON_THEIR_WAY_SECONDS: Final = 10.0


class Below:
    """What is known of one child session."""

    __slots__ = ("asked", "came_before", "given", "nodes", "sent", "sent_at", "spaces")

    def __init__(self, given: int, spaces: int) -> None:
        self.given = given  # of this assignment of it
        self.nodes = 1  # as it told: its leader at least
        self.spaces = spaces  # less those who were sent there since it told
        self.sent = 0  # from here, in all
        self.sent_at = 0.0
        self.asked = 0  # of these, those that it told of
        self.came_before = -1 if given > 1 else 0  # of all that it told of; -1: it has yet to tell

    def estimate(self, now: float) -> int:
        """How many are at home there, or will be as soon as they arrive."""
        late = now - self.sent_at >= ON_THEIR_WAY_SECONDS
        return self.nodes if late else self.nodes + max(0, self.sent - self.asked)

    def tell(self, counted: Counted) -> None:
        """It told that just now."""
        self.nodes, self.spaces = counted.nodes, counted.spaces
        if self.came_before < 0:
            self.came_before = counted.asked
        self.asked = counted.asked - self.came_before


class Usher(Guide):
    """The guide of one session."""

    __slots__ = (
        "_below", "_told", "_told_at", "_told_by", "_turns", "_turns_of_leaves", "_waits", "asked",
        "calls",
    )  # fmt: skip

    def __init__(self, reflector: Reflector) -> None:
        super().__init__(reflector)
        self.asked = 0  # arrivals that were new to all
        self.calls = 0  # of those at home here: what they told of below
        self._below: dict[int, Below] = {}
        self._turns: list[int] = []  # child sessions, as far as they have equally few nodes
        self._turns_of_leaves: list[int] = []  # the same for those who do not listen
        self._told: tuple[int, int] = (0, 0)  # nodes and spaces
        self._told_at = 0.0
        self._told_by: Node | None = None
        self._waits = False  # until it may tell again

    @property
    def slots(self) -> LobbySlots:
        slots: LobbySlots = self.reflector.model.slots
        return slots

    # -- arrivals --------------------------------------------------------------------------

    def seat(self, arrival: Arrive, child: int | None) -> int | None:
        if arrival.past is None and arrival.node != self.reflector.opener:
            self.asked += 1
        listens = arrival.address is not None
        if child is not None and listens and self.slots.worker[child] is None:
            return child
        return self.slots.free(listens, self.reflector.carrier.now)

    def seated(self, arrival: Arrive, number: int) -> None:
        """Who comes with a team of its own leads it on, under the slot that it has now."""
        if arrival.past is not None and arrival.past.bound and arrival.address is not None:
            self._open(number)

    def way(self, arrival: Arrive, child: int | None) -> int | None:
        if child is not None and self.slots.listens[child]:
            self._open(child)
            return child
        child = self._next(arrival.address is not None)
        if child is not None:
            self._open(child)
            self._send(child, arrival)
        return child

    def _next(self, listens: bool) -> int | None:
        turns = self._turns if listens else self._turns_of_leaves
        if not turns:
            turns += self._fewest(listens)
        return turns.pop() if turns else None

    def _fewest(self, listens: bool) -> list[int]:
        """The child sessions that have the fewest nodes, the last one first."""
        now, fewest, found = self.reflector.carrier.now, -1, list[int]()
        for i in self._open_to(listens):
            below = self._below.get(i)
            nodes = 1 if below is None else below.estimate(now)
            if fewest < 0 or nodes < fewest:
                fewest, found = nodes, [i]
            elif nodes == fewest:
                found.append(i)
        found.reverse()
        return found

    def _open_to(self, listens: bool) -> list[int]:
        """The child sessions to which somebody may be sent, by whether it listens."""
        slots = self.slots
        there = slots.listening()
        if not listens:
            there = [i for i in there if self._spaces(i)]
        return [i for i in there if not slots.draining[i]] or there

    def _spaces(self, child: int) -> int:
        """How many more who do not listen that child session has room for."""
        below, slots = self._below.get(child), self.slots
        if below is not None:
            return below.spaces
        leads = slots.worker[child] == self.reflector.state.leader
        return 0 if leads or not slots.listens[child] else slots.leaves

    def _send(self, child: int, arrival: Arrive) -> None:
        below = self._known(child)
        if arrival.past is None:
            below.sent += 1
            below.sent_at = self.reflector.carrier.now
        if arrival.address is None:
            below.spaces -= 1
            if not below.spaces:
                self._turns_of_leaves = [i for i in self._turns_of_leaves if i != child]
        self._changed()

    def _open(self, child: int) -> None:
        if not self.slots.led[child]:
            self.reflector.order(Opened(child))

    # -- counts ----------------------------------------------------------------------------

    def heard(self, node: Node, call: Any) -> None:
        if type(call) is not Counted or not self.slots.gave(call.child, node):
            return
        self.calls += 1
        if self.slots.led[call.child]:
            below = self._known(call.child)
            below.tell(call)
            self._turns, self._turns_of_leaves = [], []
            self._changed()

    def _known(self, child: int) -> Below:
        if child not in self._below:
            self._below[child] = Below(self.slots.times(child), self._spaces(child))
        return self._below[child]

    def ordered(self) -> None:
        """Of child sessions that others lead by now nothing is known yet."""
        self._turns, self._turns_of_leaves, slots = [], [], self.slots
        for child, below in list(self._below.items()):
            if slots.worker[child] is None or below.given != slots.times(child):
                del self._below[child]
        self._changed()

    def nodes(self) -> int:
        """How many are at home in this session and below it."""
        now, total = self.reflector.carrier.now, 0
        for i, worker in enumerate(self.slots.worker):
            if worker is not None:
                below = self._below.get(i)
                total += 1 if below is None else below.estimate(now)
        return total

    def spaces(self) -> int:
        """How many more who do not listen could be at home here and below."""
        slots = self.slots
        first = len(slots.worker) - slots.leaves
        own = sum(
            [slots.worker[i] is None and not slots.led[i] for i in range(first, len(slots.worker))]
        )
        return own + sum([self._spaces(i) for i in slots.listening()])

    def _changed(self) -> None:
        """Tell the host above, in time."""
        if not self._waits and len(self.reflector.place.route) > 1:
            self._waits = True
            self.reflector.carrier.call_later(TELL_SECONDS, self._look)

    def _look(self) -> None:
        """Tell what there is by now, if it is time; else look again."""
        self._waits = False
        reflector, now = self.reflector, self.reflector.carrier.now
        leader = reflector.state.leader
        if not reflector.live or leader not in reflector.members:
            return  # whoever leads next joins before, which is a change
        if leader != self._told_by:  # who leads from now on has told nothing
            self._told, self._told_at, self._told_by = (0, 0), 0.0, leader
        told, due = (self.nodes(), self.spaces()), self._told_at + TELL_ALL_SECONDS
        if told != self._told and (due <= now or self._has_changed_much(*told)):
            self._told, self._told_at = told, now
            counted: Any = Counted(-1, *told, self.asked)
            reflector.reply(reflector.members[leader], counted)
        if told != self._told or self._on_their_way(now):
            self._waits = True
            reflector.carrier.call_later(TELL_SECONDS, self._look)

    def _has_changed_much(self, nodes: int, spaces: int) -> bool:
        before_nodes, before_spaces = self._told
        return _is_much(nodes, before_nodes) or _is_much(spaces, before_spaces)

    def _on_their_way(self, now: float) -> bool:
        return any(below.estimate(now) != below.nodes for below in self._below.values())


def _is_much(new: int, old: int) -> bool:
    return new != old and abs(new - old) >= TELL_SHARE * old
