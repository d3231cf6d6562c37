"""What may be wrong for a while, because somebody has not noticed yet, but must not stay so."""

from __future__ import annotations

from collections.abc import Iterator

from core import Host, Reflector, Worker
from core.messages import Node
from core.sessions.states import GONE
from sim.links.each import EachNetwork
from sim.search.invariants import EQUAL, MEMBERSHIP, NOTHING_LOST
from sim.search.memory import Memory
from sim.search.places import Places
from sim.search.taint import Taint
from sim.search.wrong import Wrong
from sim.world import ROOT, World


class Lasting:
    """Looks at all of a world; yields what is wrong now."""

    def __init__(self, world: World, taint: Taint) -> None:
        self.taint = taint
        self.world = world
        self.network = world.network
        self.corrupted: dict[Reflector, int] = {}  # since which message, the last time
        self._chains: dict[Node, list[Worker]] = {}  # of the present look
        self.places = Places(world)
        self.memory = Memory(world, self.corrupted)

    def wrong(self) -> Iterator[Wrong]:
        """All that is wrong now, but what faults that go on may keep from being mended."""
        network = self.network
        self._chains = {n: network.chain(n) for n, alive in enumerate(network.alive) if alive}
        yield from self._missing()
        if not self.world.faults.links.active:
            yield from self._forgotten()
            yield from self._unkept()
            yield from self._unrepaired()
            if not self.taint.nodes:  # who lies has others sent about, and what is untrue kept
                yield from self.places.wrong(self._chains, self._wrong_unheard())
                yield from self.memory.wrong()

    def reflectors(self) -> Iterator[Reflector]:
        """Those in which something may still happen."""
        for host in self.network.hosts.values():
            for reflector in host.reflectors.values():
                if reflector.live:
                    yield reflector

    def views(self) -> Iterator[Worker]:
        """Those of all nodes that are there."""
        for node, alive in enumerate(self.network.alive):
            if alive:
                yield from self.network.chain(node)

    def _views(self) -> Iterator[Worker]:
        """The same, as they are at the present look."""
        for chain in self._chains.values():
            yield from chain

    def current(self, session: str) -> Reflector | None:
        """The incarnation to which those who are assigned to it from the root down lead.

        None where there is none just now, or its output is not wanted any more.
        """
        address, name = self.world.submitter, ROOT.session
        for slot in [*map(int, session.split("-")[1:]), None]:
            host = self.network.hosts.get(address)
            reflector = host.reflectors.get(name) if host else None
            if reflector is None or slot is None:
                return reflector
            if reflector.closed or reflector.state.moved:
                return None
            slots = reflector.model.slots
            if slots.done[slot] or slots.worker[slot] is None:
                return None
            leads = reflector.state.addresses[slots.worker[slot]]
            address, name = reflector.host.address if leads is None else leads, f"{name}-{slot}"
        return None

    def _missing(self) -> Iterator[Wrong]:
        """People of models who are not there, and those who are there but in no model."""
        liars = self.taint.nodes
        for reflector in self.reflectors():
            for node in reflector.members:
                if {node, reflector.host.address} & liars:
                    continue
                if not self._has_seat(node, reflector):
                    host = reflector.host.address
                    what = f"the model on node {host} has node {node}, who has no seat there"
                    yield Wrong(MEMBERSHIP, what, reflector.session, node)
        for view in self._views():
            if {view.node, view.place.address} & liars:
                continue
            if view.takes_part and not self._is_member(view):
                what = f"node {view.node} has a seat that no model knows"
                yield Wrong(MEMBERSHIP, what, view.place.session, view.node)

    def _has_seat(self, node: Node, reflector: Reflector) -> bool:
        return any(
            view.takes_part and view.at(reflector.place) for view in self._chains.get(node, ())
        )

    def _is_member(self, view: Worker) -> bool:
        host = self.network.hosts.get(view.place.address)
        reflector = None if host is None else host.reflectors.get(view.place.session)
        return reflector is not None and (
            view.node in reflector.members or bool(reflector.state.moved or reflector.state.ended)
        )

    def _forgotten(self) -> Iterator[Wrong]:
        """Outputs that were acknowledged, and that a survivor's replica has, but not the newest."""
        for view in self._views():
            if view.seat is None or view.state is GONE:
                continue
            session, state = view.place.session, view.seat.state
            current = self.current(session)
            if current is None or current.state is state:
                continue
            theirs = {view.node, *view.place.route, view.seat.place.address, current.host.address}
            if theirs & self.taint.nodes:  # who is below one who lies is sent anywhere
                continue
            if current.state.moved or current.state.ended:
                continue
            forgotten = [*(state.model.facts().keys() - current.model.facts().keys())]
            if forgotten:
                what = (
                    f"slot {min(forgotten)} is done on node {view.node}, but not on "
                    f"{current.host.address}, where the session is now"
                )
                yield Wrong(NOTHING_LOST, what, session, view.node)

    def _unkept(self) -> Iterator[Wrong]:
        """What is done in interior sessions of one process only, and not kept in another."""
        for reflector in self.reflectors():
            session, host = reflector.session, reflector.host
            alone = [*reflector.members] == [host.address]
            if reflector.model.shape.leaf or not alone or self.current(session) is not reflector:
                continue
            other = self._other_host_above(reflector)
            if other is None or {other.address, host.address} & self.taint.nodes:
                continue
            known = other.backups.known(session)
            kept = [found.facts for found in known if found.session == session]
            if missing := reflector.model.facts().keys() - set().union(*kept):
                what = (
                    f"slot {min(missing)} is known on node {host.address} alone, "
                    f"and not kept on {other.address}"
                )
                yield Wrong(NOTHING_LOST, what, session, host.address)

    def _other_host_above(self, reflector: Reflector) -> Host | None:
        above: Reflector | None = reflector
        while above is not None and above.host is reflector.host:
            up = above.place.parent()
            above = None if up is None else self.current(up.session)
        return None if above is None else above.host

    def _wrong_unheard(self) -> set[str]:
        """The sessions of which a replica is wrong, and nothing was ordered since to show it."""
        return {
            reflector.session for reflector, seq in self.corrupted.items()
            if reflector.state.seq - seq <= self.network.vote_every
        }  # fmt: skip

    def _unrepaired(self) -> Iterator[Wrong]:
        """Replicas that differ from their host's though much was ordered since they were wrong."""
        if not isinstance(self.network, EachNetwork):
            return
        followers = self.network.replicas
        for reflector in self.reflectors():
            if reflector.state.seq <= self.corrupted.get(reflector, reflector.state.seq):
                continue
            for node in reflector.members:
                if {node, reflector.host.address} & self.taint.nodes:
                    continue  # it may have said that it is right
                replica = followers.get((reflector, node))
                if replica is None or replica.state.seq != reflector.state.seq:
                    continue
                if replica.state.snapshot() != reflector.state.snapshot():
                    what = f"that of node {node} was not repaired"
                    yield Wrong(EQUAL, what, reflector.session, node)
