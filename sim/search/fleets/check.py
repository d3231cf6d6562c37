"""What must hold of a fleet, checked after every ordered message and now and then in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from core import Reflector
from core import messages as m
from core.messages import Node
from sim.faults.actions import Action
from sim.fleet.fleet import Fleet
from sim.fleet.job import Job
from sim.fleet.members import AGAIN_SECONDS_MAX
from sim.search.events import Events
from sim.search.fleets.order import Order
from sim.search.fleets.probes import Probes
from sim.search.invariants import NOBODY_ELSE, RELEASED
from sim.search.sound import Broken, check_sound, check_tried

LOOK_SECONDS = 0.5
HOPS = 6  # on the way from the root to a node and back, with what waits in their queues
CALLS = 200  # in the queue of a host


def idle_seconds(fleet: Fleet) -> float:
    """In which everyone hears that a job is over: the heartbeat limit, until both ends have
    noticed a broken connection, and what it takes to say and hear it."""
    lines = fleet.network.lines
    ticks = max(lines.ticks(0, node) for node in range(2 * len(fleet.network.alive)))
    way = HOPS * ticks * fleet.clock.tick_seconds + CALLS * fleet.service_seconds
    return 1.25 * fleet.heartbeat + AGAIN_SECONDS_MAX + way


class Checker:
    """Watches a fleet. Raises Broken out of `Fleet.run`."""

    def __init__(
        self,
        fleet: Fleet,
        wanted: tuple[dict[str, Any], ...],
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.fleet = fleet
        self.network = fleet.network
        self.events = Events(fleet.clock, tell)
        self.probes = Probes(fleet, wanted)
        self.order = Order(fleet, wanted)
        self._last_fault = 0.0
        self._is_calm = False
        self._idle_seconds = idle_seconds(fleet)
        self.network.watch = self.ordered
        self.network.equip()
        self.broke, self.mended = self.probes.broke, self.probes.mended
        self.crashing = self.probes.crashing
        fleet.faults.links.watcher = self
        self._look(None, None, None)

    # -- what happens ----------------------------------------------------------------------

    def acted(self, action: Action, nodes: list[Node]) -> None:
        """A fault."""
        self.events.acted(action, nodes)
        self._last_fault = self.fleet.clock.now
        self.probes.acted(action, nodes)
        self.order.acted(action, nodes)

    def corrupted(self, reflector: Reflector) -> None:
        """A replica is wrong from now on."""

    def recovered(self) -> None:
        """No more faults happen."""
        self._is_calm = True
        self._last_fault = self.fleet.clock.now

    def ordered(self, reflector: Reflector, message: m.Message) -> None:
        """A message was ordered, and applied to the host's own replica."""
        self.events.ordered(reflector, message, getattr(message, "node", -1))
        self.order.check()
        self.probes.look()
        if reflector.host not in self.network.all_hosts() or reflector.state.moved:
            return  # a timer of one who sleeps, or nobody is there any more
        check_sound(reflector.state)
        if type(message) is m.Failed:
            check_tried(reflector.state, message)

    def _look(self, _a: None, _b: None, _c: None) -> None:
        """At what is so until somebody has heard otherwise."""
        clock = self.fleet.clock
        self.order.check()
        self.probes.look()
        if self._is_calm:
            self._check_over()
        clock.at(clock.tick + clock.ticks(LOOK_SECONDS), (self._look, None, None, None))

    # -- promises --------------------------------------------------------------------------

    def _check_over(self) -> None:
        """Nobody works for a job that is over, when all have had the time to hear of it."""
        now = self.fleet.clock.now
        over = {str(job.number): job for job in self.fleet.jobs if job.over}
        for session, node in self._parts():
            job = over.get(session)
            if job is None:
                continue
            self.probes.hit("a node still had part in a job that was over")
            since = max(job.ended or 0.0, self._last_fault)
            if now - since > self._idle_seconds:
                what = f"node {node} takes part, {now - since:.1f} s after job {session} ended"
                raise Broken(NOBODY_ELSE, what, session, node)

    def _parts(self) -> Iterator[tuple[str, Node]]:
        """Who takes part in what, of those who are there."""
        for session, tree in self.network.trees.items():
            for node, alive in enumerate(self.network.alive):
                if alive and tree.takes_part(node):
                    yield session, node

    def check_ended(self, jobs: list[Job]) -> None:
        """All jobs have, each as it should."""
        self.order.check_ended(jobs)

    def check_idle(self) -> None:
        """Nothing is left of the jobs, and everyone is at home. Raises Broken."""
        network = self.network
        for session, node in self._parts():
            raise Broken(RELEASED, f"node {node} has part in job {session}", session, node)
        hosts = [host for host in network.all_hosts() if network.alive[host.address]]
        if hosts:
            raise Broken(RELEASED, f"node {hosts[0].address} holds sessions", "", hosts[0].address)
        for session, tree in network.trees.items():
            dead = [n for n, alive in enumerate(network.alive) if not alive and tree.takes_part(n)]
            if not dead:
                raise Broken(RELEASED, f"job {session} is kept, and nobody takes part", session)
        if len(self.fleet.clock.after_tick) > 1 + len(network.trees):
            raise Broken(RELEASED, f"{len(self.fleet.clock.after_tick)} still count messages")
        away = [n for n, alive in enumerate(network.alive) if alive and n]
        away = [node for node in away if node not in self.fleet.members.there]
        if away:
            raise Broken(RELEASED, f"node {away[0]} is not at home", "", away[0])
