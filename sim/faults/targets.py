"""Whom a fault means, at the moment at which it happens."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import assert_never

from core.messages import Node
from sim.faults import actions as a
from sim.links.network import Network


def nodes(target: a.Target, network: Network, random: Random) -> list[Node]:
    """Whom a target means now, in the order of their numbers."""
    match target:
        case a.Nodes(numbers):
            return sorted({node for node in numbers if 0 <= node < len(network.alive)})
        case a.HostOf(session):
            reflector = network.newest(network.meant(session))
            return [] if reflector is None else [reflector.host.address]
        case a.LeaderOf(session):
            reflector = network.newest(network.meant(session))
            leader = None if reflector is None else reflector.state.leader
            return [] if leader is None else [leader]
        case a.Everyone(session):
            meant = network.meant(session)
            return _members(network, lambda name: name == meant)
        case a.Subtree(session):
            top = network.meant(session)
            return _members(network, lambda name: name == top or name.startswith(top + "-"))
        case a.Share(share):
            alive, submitter = network.alive, network.submitter
            there = [node for node in range(len(alive)) if alive[node] and node != submitter]
            return drawn(share, there, random)
        case _:
            assert_never(target)


def _members(network: Network, wanted: Callable[[str], bool]) -> list[Node]:
    found = {
        node
        for host in network.all_hosts()
        for reflector in host.reflectors.values()
        if wanted(reflector.session) and not reflector.closed
        for node in reflector.members
    }
    return sorted(found - {network.submitter})


def drawn(share: float, among: list[Node], random: Random) -> list[Node]:
    """So large a part of them."""
    return sorted(random.sample(among, round(share * len(among))))
