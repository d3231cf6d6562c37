"""Every node has a place, or was told when to ask for one again."""

from __future__ import annotations

from collections.abc import Iterator

from core import Host, Worker
from core import messages as m
from core.messages import Node, Place, Reply
from core.sessions import Participant
from core.sessions.participant import PAUSE_SECONDS_MAX
from core.sessions.states import PAUSED, STANDBY
from sim.search.invariants import ANSWERED
from sim.search.wrong import Wrong
from sim.world import World


class Places:
    """Who of a world is without a place."""

    def __init__(self, world: World) -> None:
        self.network = world.network
        self._turned_away: dict[Node, float] = {}  # when, the last time
        self.network.watch_replies.append(self._replied)

    def _replied(self, host: Host, link: Participant, place: Place, reply: Reply) -> None:
        if type(reply) is m.TurnedAway:
            self._turned_away[link.node] = self.network.now

    def wrong(self, chains: dict[Node, list[Worker]], misled: set[str]) -> Iterator[Wrong]:
        """Nodes that are without a place now, though somebody is there to give them one.

        `chains`: the views of each node that is there. `misled`: sessions in which somebody may
        not have heard what it is to do; who is sent from there may find nothing.
        """
        network = self.network
        if not network.alive[network.submitter] or network.outcome is not None:
            return
        for node, chain in chains.items():
            misled_here = any(f"{view.place.session}-".startswith(f"{name}-")
                              for view in chain for name in misled)  # fmt: skip
            if not (misled_here or self._has_place(node, chain)):
                what = f"node {node} has no place, nor was it told when to ask again"
                yield Wrong(ANSWERED, what, "", node)

    def _has_place(self, node: Node, chain: list[Worker]) -> bool:
        """Whether any of its views takes part, stands by, or pauses for as long as it was told."""
        return any(
            view.takes_part
            or (view.state is STANDBY and self._stands_by(view))
            or (view.state is PAUSED and self._is_told(node))
            for view in chain
        )

    def _stands_by(self, view: Worker) -> bool:
        """Whether the host on which it waits knows of it."""
        host = self.network.hosts.get(view.place.address)
        reflector = None if host is None else host.reflectors.get(view.place.session)
        return reflector is not None and view.node in reflector.admission.standbys

    def _is_told(self, node: Node) -> bool:
        told = self._turned_away.get(node)
        return told is not None and self.network.now - told <= PAUSE_SECONDS_MAX
