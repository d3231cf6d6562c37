"""Processes and hosts, with lanes between them, in memory: the test says what is delivered next.

A process does the work of a job in a lane of its own. Every participant has a replica of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import attrs

from core import Computation, Host, Reflector, Replica, Session, Shape, Worker
from core import messages as m
from core.messages import Call, Command, Facts, Message, Node, Place, Reply, Value
from core.sessions import Store
from core.sessions.digest import digest
from core.sessions.states import GONE, STANDBY, Event
from tests.core.lanes import Action, Lane, Lanes
from tests.core.spans import Spans
from tests.wired import wired

SUBMITTER = 0
ROOT = Place("0", (SUBMITTER,))
PIECE_SECONDS = 0.03
ROOT_KEY = b"the root's key"
END_KEY = b"the end"


@attrs.define(eq=False)
class Process:
    """What one node is made of."""

    node: Node
    host: Host | None = None
    views: list[Worker] = attrs.Factory(list)
    replicas: dict[Reflector, Replica] = attrs.Factory(dict)
    ended: list[m.Ended] = attrs.Factory(list)
    alive: bool = True


class Net(Lanes):
    """The port of every view and the carrier of every reflector."""

    def __init__(
        self,
        shape: Shape,
        job: Any = None,
        compare: bool = False,
        vote_every: int = 0,
        store: Store | None = None,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.job = job or Spans()
        self.compare = compare  # the digests of all replicas, after every message
        self.vote_every = vote_every
        self.store = store  # of the submitter's host
        self.openings = 0  # of the root
        self.differences: list[tuple[str, int, Node, list[str]]] = []
        self.offences: list[tuple[str, Node, Call]] = []  # what nobody honest says
        self.liars: set[Node] = set()  # who may have committed them
        self.broken: set[Node] = set()  # of whom every function raises
        self.hung: set[tuple[str, Node]] = set()  # functions of nodes that never end
        self.end_key = END_KEY
        self.processes: dict[Node, Process] = {}
        self.connected: dict[tuple[Node, Node], None] = {}
        self.computed: list[tuple[Node, int]] = []  # who computed which partition, in order
        self.known: set[int] = set()  # partitions of which an output was accepted
        self.repeated: list[int] = []  # partitions given out after that
        self.calls: list[tuple[Node, str, Call]] = []  # who said what to which session
        self.ordered: list[tuple[str, Message]] = []
        self.accepted: dict[tuple[Reflector, int], Value] = {}
        self.piece_seconds = PIECE_SECONDS

    # -- nodes come and go -----------------------------------------------------------------

    def submit(self, input: Value = None) -> Process:
        self.openings += 1
        process = self.arrive(SUBMITTER, observes=True, open=True)
        self.send(process.views[0], ROOT, m.Given([0, self.shape.partitions]))
        return process

    def arrive(
        self, node: Node, listens: bool = True, observes: bool = False, open: bool = False
    ) -> Process:
        self.processes[node] = process = Process(node)
        if listens:
            store = self.store if node == SUBMITTER else None
            key = ROOT_KEY if node == SUBMITTER else b""
            process.host = Host(node, self, Computation, store, key)
        worker = Worker(self, node, node if listens else None, ROOT, observes)
        if open:
            again = self.openings > 1
            self.open(worker, m.Open(ROOT, (self.openings,), self.shape.plain(), again))
        worker.enter(ROOT)
        return process

    def leave(self, node: Node, keep: Callable[[int], int] = lambda sent: sent) -> None:
        """`node` is gone; of what it sent on each lane and had not arrived, `keep` arrives."""
        process = self.processes[node]
        process.alive = False
        if process.host is not None:
            process.host.close()
        for view in process.views:
            view.step(Event.END)
        others = [other for pair in self.connected if node in pair for other in pair]
        self._sever([(node, other) for other in others if other != node], keep)

    def restart(self) -> Process:
        """The submitter, who was lost, begins again where it was."""
        for lane in [lane for lane in self.lanes if lane[1] == SUBMITTER]:
            for _, otherwise in self.lanes.pop(lane):
                if otherwise is not None:
                    otherwise()
        self.cut -= {lane for lane in self.cut if lane[0] == SUBMITTER}  # it knows of nobody
        return self.submit()

    def disconnect(self, one: Node, other: Node) -> None:
        """Their connection breaks and takes what was on its way with it; both stay."""
        if not self.cut & {(one, other), (other, one)}:
            self._sever([(one, other)], lambda sent: 0)

    def _sever(self, pairs: list[Lane], keep: Callable[[int], int]) -> None:
        for one, other in pairs:
            del self.connected[min(one, other), max(one, other)]
            for lane in ((one, other), (other, one)):
                self.cut.discard(lane)
                if lane[0] == one or self.processes[one].alive:
                    sent = list(self.lanes.pop(lane, ()))
                    if kept := sent[: keep(len(sent))]:
                        self.lanes[lane] = deque(kept)
                self._put(lane, lambda lane=lane: self._lost(lane[1], lane[0]))
            if self.processes[one].alive:
                self.cut |= {(one, other), (other, one)}

    def _lost(self, node: Node, other: Node) -> None:
        """`node` notices that its connection to the other is gone."""
        process = self.processes[node]
        self.cut.discard((node, other))
        if process.host is not None:
            process.host.lose(other)
        for view in list(process.views):
            view.lost(other)

    def live(self) -> list[Process]:
        return [process for process in self.processes.values() if process.alive]

    def lives(self, node: Node) -> bool:
        return self.processes[node].alive

    @property
    def outcome(self) -> m.Ended | None:
        return next(iter(self.processes[SUBMITTER].ended), None)

    # -- the port of the views -------------------------------------------------------------

    def send(self, worker: Worker, place: Place, call: Call) -> None:
        node, address = worker.node, place.address
        process = self.processes[node]
        if worker not in process.views:
            process.views = [view for view in process.views if view.state is not GONE]
            process.views.append(worker)
        if node != address:
            self.connected[min(node, address), max(node, address)] = None
        self.calls.append((node, place.session, call))

        def receive() -> None:
            host = self.processes[address].host
            assert host is not None, f"{node} sent to {address}, who does not listen: {call}"
            host.receive(worker, node, place.session, call)

        def nobody_there() -> None:
            self.connected.pop((min(node, address), max(node, address)), None)
            self._put((address, node), lambda: self._lost(node, address))

        self._put((node, address), receive, nobody_there)

    def open(self, worker: Worker, opening: m.Open) -> None:
        self.send(worker, opening.place, opening)

    def later(self, worker: Worker, seconds: float, place: Place) -> None:
        def retry() -> None:
            if self.processes[worker.node].alive:
                worker.retry(place)

        self.call_later(seconds, retry)

    def ended(self, worker: Worker, ended: m.Ended) -> None:
        assert self.is_end(ended)
        self.processes[worker.node].ended.append(
            m.Ended(ended.result, ended.failure, b"", ended.lost)
        )

    def compute(self, worker: Worker, command: m.Compute) -> None:
        def work() -> None:
            outputs: list[Value] = []
            for slot, value in zip(command.slots, command.inputs, strict=True):
                self.computed.append((worker.node, command.first + slot))
                try:
                    self._break(worker.node)
                    outputs.append(wired(self.job.compute(wired(value), command.first + slot)))
                except ArithmeticError as error:
                    return worker.raised(command.session, slot, repr(error))
            seconds = self.piece_seconds * len(outputs)
            return worker.computed(command.session, command.slots, outputs, seconds)

        self._begin("compute", worker, work)

    def prepare(self, worker: Worker, session: str, value: Value, sizes: list[int]) -> None:
        def work() -> None:
            try:
                self._break(worker.node)
                inputs = wired(self.job.prepare(wired(value), sizes))
            except ArithmeticError as error:
                return worker.raised(session, None, repr(error))
            return worker.prepared(session, inputs)

        self._begin("prepare", worker, work)

    def collect(self, worker: Worker, session: str, outputs: list[Value]) -> None:
        def work() -> None:
            try:
                self._break(worker.node)
                output = wired(self.job.collect(wired(outputs)))
            except ArithmeticError as error:
                return worker.raised(session, None, repr(error))
            return worker.collected(session, output)

        self._begin("collect", worker, work)

    def _begin(self, kind: str, worker: Worker, work: Action) -> None:
        if (kind, worker.node) not in self.hung:
            self._put((kind, worker.node), work)

    def _break(self, node: Node) -> None:
        if node in self.broken:
            raise ArithmeticError(f"node {node} is broken")

    # -- the carrier of the reflectors -----------------------------------------------------

    def reply(self, host: Host, link: Worker, place: Place, reply: Reply) -> None:
        process = self.processes[host.address]
        if process.alive and process.host is host:
            self._put((host.address, link.node), lambda: link.answered(place, reply))

    def welcome(self, reflector: Reflector, link: Worker, node: Node) -> None:
        snapshot, seal = wired(reflector.state.snapshot()), reflector.seal_of(node)

        def follow() -> None:
            replica = Replica(Session.restore(Computation, snapshot), reflector.place, seal)
            replica.views[node] = link
            self.processes[node].replicas[reflector] = replica

        self._put((reflector.host.address, node), follow)

    def broadcast(
        self, reflector: Reflector, message: Message, commands: list[tuple[Node, Command]]
    ) -> None:
        state, shape, now = reflector.state, reflector.model.shape, self.now
        seq = state.seq
        self.ordered.append((state.name, message))
        for _, command in commands:
            if isinstance(command, m.Compute):
                partitions = [command.first + slot for slot in command.slots]
                self.repeated += [index for index in partitions if index in self.known]
        if isinstance(message, m.Finished) and shape.leaf:
            self.known.update(shape.first + slot for slot in message.slots)
        self._check(reflector, message)
        expected = digest(state.snapshot()) if self.compare else None

        def follow(node: Node) -> None:
            replica = self.processes[node].replicas[reflector]
            replica.apply(seq, now, message)
            if self.compare and replica.state.seq == seq:
                assert digest(replica.state.snapshot()) == expected, (state.name, seq)
            view = replica.views[node]
            if self.vote_every and seq % self.vote_every == 0 and view.seat is replica:
                self.send(view, reflector.place, replica.vote())

        for node in reflector.members:
            self._put((reflector.host.address, node), lambda node=node: follow(node))

    def restorable(self, facts: Facts, context: Any) -> m.Restored:
        return m.Restored(facts, context)

    def party(self, node: Node) -> Node:
        return node

    def owns(self, host: Host, node: Node) -> bool:
        return bool(node == host.address)

    def is_end(self, ended: m.Ended) -> bool:
        return ended.key == self.end_key

    def offended(self, host: Host, link: Worker, place: Place, call: Call) -> None:
        """Note it. No history of honest nodes has any, so that any other one ends here."""
        self.offences.append((place.session, link.node, call))
        assert link.node in self.liars, self.offences[-1]
        pair = min(link.node, host.address), max(link.node, host.address)
        if pair in self.connected:
            self.disconnect(*pair)

    def voters(self, reflector: Reflector) -> int:
        return len(reflector.members) + 1

    def diverged(self, reflector: Reflector, seq: int, node: Node, fields: list[str]) -> None:
        self.differences.append((reflector.place.session, seq, node, fields))

    def repair(self, reflector: Reflector, link: Worker, node: Node) -> None:
        snapshot = wired(reflector.state.snapshot())

        def adopt() -> None:
            state = Session.restore(Computation, snapshot)
            self.processes[node].replicas[reflector].state = state

        self._put((reflector.host.address, node), adopt)

    def _check(self, reflector: Reflector, message: Message) -> None:
        """What has to hold of a session whenever something was ordered."""
        state, shape, slots = reflector.state, reflector.model.shape, reflector.model.slots
        for i, done in enumerate(slots.done):
            if done:
                output = slots.outputs[i]
                assert self.accepted.setdefault((reflector, i), output) == output
            else:
                assert (reflector, i) not in self.accepted
        if not isinstance(message, m.Moved):
            assert reflector.members is state.people
            assert all(link.node == node for node, link in state.people.items())
        standbys = reflector.admission.standbys
        if not shape.leaf:
            assert not standbys
        assert len(standbys) <= shape.fanout
        assert not standbys.keys() & state.people.keys()

    # -- what can be seen ------------------------------------------------------------------

    def open_reflectors(self) -> list[Reflector]:
        """Those of live processes that order messages."""
        hosts = [process.host for process in self.live() if process.host]
        found = [reflector for host in hosts for reflector in host.reflectors.values()]
        return [reflector for reflector in found if not reflector.closed]

    def reflector(self, session: str) -> Reflector:
        """That of the newest assignment."""
        found = [r for r in self.open_reflectors() if r.place.session == session]
        return max(found, key=lambda reflector: reflector.state.epoch)

    def reflector_at(self, session: str, address: Node) -> Reflector:
        """That on a certain host."""
        host = self.processes[address].host
        assert host is not None
        return host.reflectors[session]

    def seated(self, node: Node) -> list[str]:
        """The sessions that a node has a seat in, from the root down."""
        views = self.processes[node].views
        return sorted((view.place.session for view in views if view.takes_part), key=len)

    def others(self, node: Node) -> set[Node]:
        """Whom a node is connected to; not those whom it is just sending on."""
        process = self.processes[node]
        found = {v.place.address for v in process.views if v.takes_part or v.state is STANDBY}
        for reflector in process.host.reflectors.values() if process.host else ():
            if not reflector.closed:
                found.update(reflector.members, reflector.admission.standbys)
        return found - {node}
