"""A world whose nodes only come, stay and go: they are at home in a lobby, and no job is there.

Everything else is as in any world: arrivals, lifetimes, links, faults, who listens.
"""

from __future__ import annotations

from typing import Any

import attrs

from core import Host
from core import messages as m
from core.lobby import FANOUT_MIN, Lobby, Resident, Usher
from core.messages import Node
from core.sessions.states import PAUSED
from plugins.console.memory import peak_rss_bytes
from sim.faults import script
from sim.faults.actions import Fault
from sim.faults.injection import Faults
from sim.links.network import Network
from sim.record import COMPILED
from sim.world import World

FANOUT = 32  # of a lobby, unless it is said


@attrs.frozen
class IdleReport:
    """How it stands at home. Times in simulated seconds, except `wall_seconds`."""

    nodes: int
    fanout: int
    listening: float  # the share
    seconds: float  # that were simulated
    arrived: int
    left: int
    crashed: int
    at_home: int
    turned_away: int  # that are there, and ask again later
    without: int  # that are there, and neither: on their way, or looking for what they lost
    levels: int  # of sessions
    sessions: int
    settled_seconds: float  # by then everyone who ever was at home was so for the first time
    connections_max: int
    messages: int
    root_ordered: int  # messages, in the root session as it is now
    root_arrivals: int  # that came to it, but for those who came back
    root_calls: int  # counts that its people told it
    faults: int
    faults_in_vain: list[str]
    faults_left: int
    digest: str
    seed: int
    wall_seconds: float
    peak_rss_bytes: int
    compiled: bool


class IdleFaults(Faults):
    """Knows what can be corrupted in a lobby such that nobody's place is another."""

    def spoil(self, model: Any) -> None:
        model.slots.kinds.append(None)


class IdleWorld(World):
    """A world without a job. Raises ValueError with one clear line for what cannot be."""

    failing = IdleFaults

    def __init__(self, seconds: float, **options: Any) -> None:
        self.seconds = seconds
        super().__init__(**{**options, "fanout": options.get("fanout") or FANOUT})
        if self.shape.fanout < FANOUT_MIN:
            raise ValueError(f"fanout must be {FANOUT_MIN} or more, not {self.shape.fanout!r}")

    def _network(self) -> Network:
        network = super()._network()
        network.kind, network.participant = Lobby, Resident
        return network

    def _submit(self, epoch: m.Epoch, again: bool = False) -> None:
        network, node, key = self.network, self.submitter, self.blueprint.key
        network.alive[node] = 1
        network.hosts[node] = host = Host(node, network, network.kind, self._store, key)
        host.open(node, m.Open(self.root, epoch, [self.shape.fanout], again))
        network.arrive(node, self.root, listens=True, observes=True)

    # -- looking -----------------------------------------------------------------------------

    def is_at_home(self, node: Node) -> bool:
        """Whether all that the node has of the lobby are seats."""
        chain = self.network.chain(node)
        return bool(chain) and all(view.takes_part for view in chain)

    def is_turned_away(self, node: Node) -> bool:
        """Whether it was told to ask again later."""
        chain = self.network.chain(node)
        return bool(chain) and chain[0].state is PAUSED and chain[0].turned_away > 0

    def idle_report(self) -> IdleReport:
        """How things stand now."""
        record, clock, root = self.record, self.clock, self.network.newest("0")
        guide = root.admission.guide if root is not None else None
        done = [] if self._faults is None else self._faults.done
        there = [n for n, yes in enumerate(self.network.alive) if yes and n != self.submitter]
        home = [node for node in there if self.is_at_home(node)]
        away = sum(map(self.is_turned_away, there))
        names = [
            n for host in self.network.hosts.values() for n, r in host.reflectors.items() if r.live
        ]
        return IdleReport(
            nodes=self.nodes,
            fanout=self.shape.fanout,
            listening=self.listening,
            seconds=self.now,
            arrived=record.arrived,
            left=record.left,
            crashed=record.crashed,
            at_home=len(home),
            turned_away=away,
            without=len(there) - len(home) - away,
            levels=max([name.count("-") + 1 for name in names], default=0),
            sessions=len(set(names)),
            settled_seconds=self._seconds(min(record.formed_tick, clock.tick)),
            connections_max=record.connections_max,
            messages=clock.entries - clock.timers,
            root_ordered=root.state.seq if root else 0,
            root_arrivals=guide.asked if isinstance(guide, Usher) else 0,
            root_calls=guide.calls if isinstance(guide, Usher) else 0,
            faults=len(done),
            faults_in_vain=[script.line(Fault(d.at, d.action)) for d in done if d.in_vain],
            faults_left=self._planned,
            digest=record.digest(),
            seed=self.seed,
            wall_seconds=self._wall_seconds,
            peak_rss_bytes=peak_rss_bytes(),
            compiled=COMPILED,
        )
