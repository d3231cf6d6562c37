"""What goes wrong, by name: the actions of `sim.faults.actions`, done to a network."""

from __future__ import annotations

from random import Random
from typing import Any, Protocol, assert_never

import attrs

from core import Host, Reflector
from core import messages as m
from core.messages import Node
from core.sessions.chain import View
from core.sessions.states import Event
from sim.faults import actions as a
from sim.faults import script, targets
from sim.faults.targets import drawn
from sim.links.each import EachNetwork
from sim.links.failing import Cut, FailingLines
from sim.links.network import Network

Everywhere = a.Heal | a.Drop | a.Duplicate | a.Hold  # what concerns nobody in particular
Ailment = a.Slow | a.Break | a.Hang  # what nodes have until it is healed


class Births(Protocol):
    """Starts a node, or the submitter, anew; `memory`: of the submitter, its store."""

    def __call__(self, node: Node, memory: bool) -> None: ...


@attrs.frozen
class Done:
    """What was done when, and the nodes that it concerned."""

    at: float  # simulated seconds
    action: a.Action
    concerned: list[Node]

    @property
    def in_vain(self) -> bool:
        """Whether it was to concern somebody and did not."""
        if isinstance(self.action, a.Restart) and isinstance(self.action.target, a.Share):
            return False  # of those who are down, if anyone is
        return not self.concerned and not isinstance(self.action, Everywhere)


class Faults:
    """The faults of one network."""

    lines: type[FailingLines] = FailingLines

    def __init__(
        self, network: Network, seed: int, heartbeat_seconds: float, birth: Births
    ) -> None:
        self.network = network
        self.clock = network.clock
        self.crashed: dict[Node, list[Host]] = {}  # who is down, and its host
        self.done: list[Done] = []
        self._birth = birth
        self._random = Random(f"{seed}/faults")
        self._heals = 0
        self._diverged: dict[Reflector, None] = {}
        self._doomed: dict[Node, None] = {}  # who crashes before it opens a session
        network.watch_openings = self._opens
        self.links = self.lines(network, self._random, heartbeat_seconds)

    def do(self, action: a.Action) -> list[Node]:
        """Have it happen now. Returns the nodes that it concerned, none if there were none."""
        concerned = self._do(action)
        self.done.append(Done(self.clock.now, action, concerned))
        if self.network.trace is not None:
            self.network.trace.fault(self.clock.now, script.said(action), concerned)
        if self.links.watcher is not None:
            self.links.watcher.acted(action, concerned)
        return concerned

    def _do(self, action: a.Action) -> list[Node]:
        match action:
            case a.Crash(target, silently):
                return self._crash(target, silently)
            case a.CrashBeforeSession(target):
                return self._doom(target)
            case a.Restart(target, memory):
                return self._restart(target, memory)
            case a.Partition(target, others, one_way):
                return self._partition(target, others, one_way)
            case a.Slow(target) | a.Break(target) | a.Hang(target):
                return self._befall(self._meant(target), action)
            case a.SlowLink(one, other, factor):
                self.links.slow_links[min(one, other), max(one, other)] = factor
                return [one, other]
            case a.Flap(target, every, times):
                return self._flap(target, every, times)
            case a.Diverge(session, node):
                return self._diverge(session, node)
            case a.DivergeSomewhere():
                return self._diverge_somewhere()
            case a.Heal() | a.Drop() | a.Duplicate() | a.Hold():
                self._everywhere(action)
                return []
            case _:
                assert_never(action)

    def _befall(self, nodes: list[Node], ailment: Ailment) -> list[Node]:
        match ailment:
            case a.Slow():
                self.links.slow.update(dict.fromkeys(nodes, ailment.factor))
            case a.Break():
                self.network.work.broken |= dict.fromkeys(nodes)
            case a.Hang():
                self.network.work.hanging |= dict.fromkeys(nodes)
            case _:
                assert_never(ailment)
        return nodes

    def _everywhere(self, action: Everywhere) -> None:
        match action:
            case a.Heal():
                self._heals += 1
                self.links.heal()
                self.network.work.heal()
                self._doomed.clear()
            case a.Drop(share):
                self.links.drop = share
            case a.Duplicate(share):
                self.links.duplicate = share
            case a.Hold(share, seconds):
                self.links.hold, self.links.hold_ticks = share, self.clock.ticks(seconds)
            case _:
                assert_never(action)

    def _meant(self, target: a.Target) -> list[Node]:
        return targets.nodes(target, self.network, self._random)

    # -- processes that end and begin ------------------------------------------------------

    def _crash(self, target: a.Target, silently: bool) -> list[Node]:
        up = [node for node in self._meant(target) if self.network.alive[node]]
        for node in up:
            self._end(node, silently)
        return up

    def _end(self, node: Node, silently: bool) -> None:
        network = self.network
        if self.links.watcher is not None:
            self.links.watcher.crashing(node)
        network.record.crashed += 1
        if network.trace is not None:
            network.trace.gone(self.clock.now, node)
        self.links.close(node, silently)
        self.crashed[node] = network.detach(node)

    def _doom(self, target: a.Target) -> list[Node]:
        doomed = [node for node in self._meant(target) if self.network.alive[node]]
        self._doomed |= dict.fromkeys(doomed)
        return doomed

    def _opens(self, view: View, opening: m.Open) -> None:
        node, own = view.node, opening.place.address == view.node
        if node in self._doomed and self.network.alive[node]:
            del self._doomed[node]
            if own:  # behind what waits in its own queue by now, and before this opening
                self.clock.at(self.clock.tick, (self._end_if_alive, node, None, None))
            else:
                self._end(node, silently=True)

    def _end_if_alive(self, node: Node, _b: None, _c: None) -> None:
        if self.network.alive[node]:
            self._end(node, silently=True)

    def _restart(self, target: a.Target, memory: bool) -> list[Node]:
        if isinstance(target, a.Share):
            down = drawn(target.share, list(self.crashed), self._random)
        else:
            down = [node for node in self._meant(target) if node in self.crashed]
        for node in down:
            self._begin(node, memory)
        return down

    def _begin(self, node: Node, memory: bool) -> None:
        hosts = self.crashed.pop(node)
        self.links.begin(node)
        if memory and node != self.network.submitter:
            if self.network.trace is not None:
                self.network.trace.back(self.clock.now, node)
            self.links.wake(node, hosts)
            return
        self.links.forget(node)
        for view in self.network.chain(node):
            view.step(Event.END)
        for host in hosts:
            host.close()
        self._birth(node, memory)

    # -- partitions ------------------------------------------------------------------------

    def _partition(self, target: a.Target, others: a.Target | None, one_way: bool) -> list[Node]:
        nodes = self._meant(target)
        apart_from = None if others is None else frozenset(self._meant(others))
        self.links.part(Cut(frozenset(nodes), apart_from, one_way))
        return nodes

    def _flap(self, target: a.Target, every: float, times: int) -> list[Node]:
        nodes = self._meant(target)
        self._cut_for(Cut(frozenset(nodes), None, False), every, times)
        return nodes

    def _cut_for(self, cut: Cut, every: float, times: int) -> None:
        """Have it be there for so long, gone for so long, and so on."""
        number, ticks = self.links.part(cut), max(1, self.clock.ticks(every))
        self.clock.at(self.clock.tick + ticks, (self._flapped, cut, number, (every, times - 1)))

    def _flapped(self, cut: Cut, number: int, left: tuple[float, int]) -> None:
        if number in self.links.cuts:  # else it was healed with the rest
            self.links.mend([number])
            every, times = left
            if times:
                due = self.clock.tick + self.clock.ticks(every)
                self.clock.at(due, (self._flap_again, cut, self._heals, left))

    def _flap_again(self, cut: Cut, heals: int, left: tuple[float, int]) -> None:
        if heals == self._heals:
            self._cut_for(cut, *left)

    # -- replicas --------------------------------------------------------------------------

    def _diverge(self, session: str, node: Node | None) -> list[Node]:
        reflector = self.network.newest(self.network.meant(session))
        if reflector is None:
            return []
        host = reflector.host.address
        return self._corrupt(reflector, host if node is None else node, of_host=node is None)

    def _diverge_somewhere(self) -> list[Node]:
        hosts = self.network.all_hosts()
        found = [r for host in hosts for r in host.reflectors.values() if len(r.members) > 1]
        found = [r for r in found if r.live]
        found = [r for r in found if r not in self._diverged]  # else the wrong may be the majority
        if not found:
            return []
        reflector = self._random.choice(found)
        self._diverged[reflector] = None
        if len(reflector.members) > 2 and self._random.random() < 0.3:
            return self._corrupt(reflector, reflector.host.address, of_host=True)
        return self._corrupt(reflector, self._random.choice(list(reflector.members)))

    def _corrupt(self, reflector: Reflector, node: Node, of_host: bool = False) -> list[Node]:
        network, model = reflector.carrier, reflector.model
        if not of_host:
            if not isinstance(network, EachNetwork) or (reflector, node) not in network.replicas:
                return []
            model = network.replicas[reflector, node].state.model
        self.spoil(model)
        if self.links.watcher is not None:
            self.links.watcher.corrupted(reflector)
        return [node]

    def spoil(self, model: Any) -> None:
        """Have a replica's model differ from the others, such that no result is wrong."""
        done = model.slots.done.find(1)  # those never change again by themselves
        model.slots.seconds[max(0, done)] += 1.0
