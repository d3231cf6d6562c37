"""A node that lies: it says any well-typed thing at any time, besides what an honest node says.

It speaks for itself alone, as on TCP, where each process speaks for its own nodes. What it may
spoil is what was in its hands: the outputs of its own slots, the sessions that it led or hosted
with all that lies under them, and, after a loss, the sessions that it was in.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from core import Worker
from core import messages as m
from core.messages import Node, Place
from sim.world import World

GAP_SECONDS = 0.6  # between two lies, on average
WRONG = [-1]  # an output that nobody computed


class Liar:
    """Has `node` of a world lie, from now on until the submitter has its answer."""

    def __init__(self, world: World, node: Node) -> None:
        self.world = world
        self.network = world.network
        self.node = node
        self.random = Random(f"{world.seed}/liar/{node}")
        self.brought: dict[str, None] = {}  # sessions to which it has brought a replica
        self._later()

    def _later(self) -> None:
        clock = self.world.clock
        ticks = max(1, clock.ticks(self.random.expovariate(1 / GAP_SECONDS)))
        clock.at(clock.tick + ticks, (self._lie, None, None, None))

    def _lie(self, _a: None, _b: None, _c: None) -> None:
        if self.network.alive[self.node] and (chain := self.network.chain(self.node)):
            view = self.random.choice(chain)
            if self.random.random() < 0.75:
                self._say(view)
            else:
                self._answer()
        if self.network.outcome is None:
            self._later()

    # -- to hosts --------------------------------------------------------------------------

    def _say(self, view: Worker) -> None:
        """Say something about some session, to its host."""
        place = self._place(view)
        call = self.random.choice(_CALLS)(self, place)
        if isinstance(call, m.StateTransfer):
            self.brought[place.session] = None
        self.network.spoken.setdefault(self.node, {})[place.address] = None
        self.network.port.send(view, place, call)

    def _place(self, view: Worker) -> Place:
        """Mostly its own; at times any that is open."""
        if self.random.random() < 0.6:
            return view.place
        hosts = self.network.hosts.values()
        places = [r.place for host in hosts for r in host.reflectors.values() if r.live]
        return self.random.choice(places) if places else view.place

    def _node(self) -> Node:
        """Mostly itself."""
        some = self.random.randrange(len(self.network.alive))
        return self.node if self.random.random() < 0.8 else some

    def _slots(self, place: Place) -> tuple[int, ...]:
        count = self.world.shape.fanout + 1
        return tuple(self.random.sample(range(count), self.random.choice((1, 1, 1, 2))))

    def _facts(self) -> m.Facts:
        fanout = self.world.shape.fanout
        return {i: (WRONG, 0.1) for i in range(fanout) if self.random.random() < 0.5}

    def _epoch(self, place: Place) -> m.Epoch:
        levels = place.session.count("-") + 1
        top = self.random.choice((1, 2, 10**6))
        return (top, *[self.random.choice((1, 2, 3)) for _ in range(levels - 1)])

    def _child(self, place: Place) -> str:
        return f"{place.session}-{self.random.randrange(self.world.shape.fanout)}"

    def _finished(self, place: Place) -> Any:
        slots = self._slots(place)
        return m.Finished(self._node(), slots, [WRONG] * len(slots), self.random.random())

    def _failed(self, place: Place) -> Any:
        slot = self.random.choice((None, *self._slots(place)))
        session = self.random.choice((place.session, self._child(place)))
        failure = m.Failure(session, slot, "a lie")
        return m.Failed(self._node(), slot, failure, self.random.random() < 0.5)

    def _prepared(self, place: Place) -> Any:
        return m.Prepared([WRONG] * self.random.randint(1, self.world.shape.fanout))

    def _collected(self, place: Place) -> Any:
        return m.Collected(WRONG)

    def _moved(self, place: Place) -> Any:
        route = (*place.route, self.random.randrange(len(self.network.alive)))
        to = self.random.choice((Place(self._child(place), route), place))
        return m.Moved(self._node(), to)

    def _reflectors_own(self, place: Place) -> Any:
        return self.random.choice(
            (
                m.Joined(self._node(), None, None, self._slots(place), False),
                m.Left(self._node()),
                m.Restored(self._facts(), None),
                m.Alarm(),
            )
        )

    def _brought(self, place: Place) -> Any:
        """A replica of the session with outputs that nobody computed."""
        reflector = self.network.newest(place.session)
        if reflector is None:
            return m.Leave()
        snapshot = reflector.state.snapshot()
        count = len(snapshot["done"])
        false: dict[str, Any] = {"outputs": [WRONG] * count, "done": bytes([1] * count)}
        if self.random.random() < 0.3:
            false = {"given": True, "inputs": [WRONG] * count}
        return m.StateTransfer({**snapshot, **false})

    def _arrival(self, place: Place) -> Any:
        past = m.Past(
            self.random.choice(("", self._child(place))),
            self._slots(place),
            self._epoch(place),
            self.random.choice((0, 5, 10**6)),
            self.random.choice((b"", self.random.randbytes(16))),
        )
        address = self.random.choice((None, self.node))
        observes = self.random.random() < 0.1
        return m.Arrive(self._node(), address, self.random.choice((None, 0.001)), past, observes)

    def _open(self, place: Place) -> Any:
        child = place.child(self.random.randrange(self.world.shape.fanout), place.address)
        shape = self.world.shape
        for slot in map(int, child.session.split("-")[1:]):
            if shape.leaf or slot >= shape.slots:
                return m.Leave()
            shape = shape.child(slot)
        return m.Open(child, self._epoch(child), shape.plain())

    # -- to whoever asks it ----------------------------------------------------------------

    def _answer(self) -> None:
        """Answer somebody who asks, or takes part, on its own host."""
        host = self.network.hosts.get(self.node)
        asking = [
            view
            for node, alive in enumerate(self.network.alive)
            if alive and node != self.node
            for view in self.network.chain(node)
            if view.place.address == self.node
        ]
        if host is not None and asking:
            view = self.random.choice(asking)
            reply = self.random.choice(_REPLIES)(self, view.place)
            self.network.reply(host, view, view.place, reply)

    def _redirect(self, place: Place) -> Any:
        route = (*place.route, self.random.randrange(len(self.network.alive)))
        up = place.parent() or place
        false = Place(place.session, (self.node,) * len(place.route))
        return m.Redirect(self.random.choice((place, up, Place(self._child(place), route), false)))


_CALLS: tuple[Callable[[Liar, Place], Any], ...] = (
    Liar._finished,
    Liar._finished,
    Liar._failed,
    lambda liar, place: m.Given(WRONG),
    Liar._prepared,
    Liar._collected,
    Liar._moved,
    lambda liar, place: m.Ended(WRONG, None, liar.random.choice((b"", b"a guess"))),
    Liar._reflectors_own,
    Liar._brought,
    lambda liar, place: m.Vote(liar._epoch(place), liar.random.randint(1, 50), {"people": "none"}),
    lambda liar, place: m.Backup(liar._child(place), liar._facts()),
    lambda liar, place: m.Key(liar._child(place), b"a key"),
    Liar._arrival,
    Liar._open,
)
_REPLIES: tuple[Callable[[Liar, Place], Any], ...] = (
    Liar._redirect,
    Liar._redirect,
    lambda liar, place: m.TurnedAway(liar.random.choice((0.0, 1.0, 1e9))),
    lambda liar, place: m.Absent(),
    lambda liar, place: m.SendState(),
    lambda liar, place: m.Backup(liar._child(place), liar._facts()),
    lambda liar, place: m.Key(liar._child(place), b"a key"),
    lambda liar, place: m.Stop(m.Ended(WRONG, None, b"a guess")),
)
