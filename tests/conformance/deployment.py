"""What a case asks of a deployment, on whichever transport it runs.

A case starts nodes, waits for conditions, looks at reflectors, views and logs, and lets things go
wrong. It knows nodes by what `start` returns: no transport numbers them like another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from core import Host, Reflector, Session, Shape, Worker
from core import messages as m
from core.messages import Node, Value
from core.sessions.states import HELD, PAUSED, STANDBY
from tests.conformance.hands import Hands, answer
from tests.conformance.record import Record

INPUT = 7  # of every job here
HEARTBEAT_SECONDS = 4.0
LIMIT_SECONDS = 60.0  # for any condition, by the deployment's clock

Condition = Callable[[], bool]


@attrs.frozen
class Divergence:
    """A replica that was wrong: of `node`, or the host's own (core.sessions.votes.HOST)."""

    session: str
    seq: int
    node: Node
    fields: tuple[str, ...]


class Deployment(ABC):
    """One computation: the submitter is there, nodes are yet to come."""

    submitter: Node

    def __init__(self, partitions: int, fanout: int) -> None:
        self.shape = Shape.root(partitions, fanout)
        self.hands = Hands()
        self.record = Record()
        self.always: list[Callable[[], None]] = []  # checked after whatever happens

    # -- what each transport does in its own way -----------------------------------------------

    @property
    @abstractmethod
    def now(self) -> float:
        """Seconds, by the clock of the deployment."""

    @property
    @abstractmethod
    def outcome(self) -> m.Ended | None:
        """What the submitter has heard."""

    @property
    @abstractmethod
    def nodes(self) -> list[Node]:
        """Those who are there, without the submitter, in the order in which they came."""

    @property
    @abstractmethod
    def divergences(self) -> list[Divergence]:
        """Replicas that were found to differ."""

    @abstractmethod
    async def start(self, nodes: int, together: int = 1, listens: bool = True) -> list[Node]:
        """Start nodes, `together` in a process where nodes share one; they ask at the root."""

    @abstractmethod
    async def until(self, condition: Condition) -> None:
        """Go on until it holds. It is looked at after whatever happens."""

    @abstractmethod
    async def rest(self, seconds: float) -> None:
        """Let time pass."""

    @abstractmethod
    def crash(self, node: Node) -> list[Node]:
        """Its process ends, its connections close without a word. Returns who goes with it."""

    @abstractmethod
    def silence(self, *nodes: Node) -> None:
        """Nothing passes any more between the processes of these and all others."""

    @abstractmethod
    def heal(self) -> None:
        """It passes again."""

    @abstractmethod
    def lose_next(self, sender: Node, receiver: Node) -> None:
        """What one says next to the other is lost, and their connection with it."""

    @abstractmethod
    def hosts(self) -> list[Host]:
        """All that there are, the submitter's first."""

    @abstractmethod
    def host(self, node: Node) -> Host | None:
        """That in the node's own process."""

    @abstractmethod
    def chain(self, node: Node) -> list[Worker]:
        """The views of a node, from the highest level down."""

    @abstractmethod
    def connected(self, node: Node) -> int:
        """To how many other processes that of the node is connected."""

    # -- what follows from that ----------------------------------------------------------------

    def reflectors(self) -> list[Reflector]:
        """All that still order something."""
        found = [r for host in self.hosts() for r in host.reflectors.values()]
        return [r for r in found if not (r.closed or r.state.moved)]

    def incarnations(self, session: str) -> list[Reflector]:
        """Those of a session that still order something, the newest last."""
        found = [r for r in self.reflectors() if r.session == session]
        return sorted(found, key=lambda reflector: reflector.state.epoch)

    def session(self, name: str) -> Reflector:
        """The newest incarnation of a session."""
        return self.incarnations(name)[-1]

    def open(self, name: str) -> bool:
        """Whether anybody is in that session."""
        found = self.incarnations(name)
        return bool(found) and bool(found[-1].members)

    def view(self, node: Node, session: str) -> Worker | None:
        """What a node has of a session in which it has a seat."""
        views = [v for v in self.chain(node) if v.place.session == session and v.takes_part]
        return views[0] if views else None

    def replica(self, node: Node, session: str) -> Session:
        """The state that a participant reads: the host's, where that is in its own process."""
        view = self.view(node, session)
        assert view is not None, (node, session)
        assert view.seat is not None
        return view.seat.state

    def people(self, session: str) -> list[Node]:
        """Who is in a session, without the submitter, in join order."""
        return [node for node in self.session(session).state.people if node != self.submitter]

    def leader(self, session: str) -> Node:
        leader = self.session(session).state.leader
        assert leader is not None
        return leader

    def host_of(self, session: str) -> Node:
        """Somebody of the process that holds the session's newest incarnation."""
        host = self.session(session).host
        alike = [node for node in self.nodes if self.host(node) is host]
        return alike[0] if alike else self.submitter

    def followers(self, session: str) -> list[Node]:
        """Participants in other processes than that which holds the session."""
        host = self.session(session).host
        return [node for node in self.people(session) if self.host(node) is not host]

    def publish(self, node: Node, session: str, message: m.Message) -> None:
        """Have the node's view of a session say something there."""
        view = self.view(node, session)
        assert view is not None, (node, session)
        view.port.send(view, view.place, message)

    def done(self, session: str) -> list[int]:
        """The slots that are done, as the host has it."""
        return list(self.session(session).model.facts())

    def worker(self, session: str, slot: int) -> Node:
        worker: Node | None = self.session(session).model.slots.worker[slot]
        assert worker is not None
        return worker

    def slot(self, session: str, worker: Node) -> int:
        """The one that a worker has."""
        found: int = self.session(session).model.slots.worker.index(worker)
        return found

    def computing(self, node: Node) -> bool:
        """Whether the node has a piece, and knows it."""
        views = self.chain(node)
        return bool(views) and views[-1].takes_part and self.hands.busy(node)

    def settled(self, node: Node) -> bool:
        """Whether there is nothing more for the node until a piece is done."""
        views = self.chain(node)
        return self.computing(node) or (bool(views) and views[-1].state in (STANDBY, PAUSED, HELD))

    def formed(self) -> bool:
        """Whether everyone has a piece, or waits."""
        return all(map(self.settled, self.nodes))

    def agree(self, session: str) -> bool:
        """Whether all who are in a session have seen all that was ordered in it."""
        seq = self.session(session).state.seq
        seen = [self.view(node, session) for node in self.people(session)]
        return all(v is not None and v.seat and v.seat.state.seq == seq for v in seen)

    async def form(self, nodes: int, together: int = 1, listens: bool = True) -> list[Node]:
        """Start nodes, and wait until each has its place and all know of it."""
        started = await self.start(nodes, together, listens)
        await self.until(self.formed)
        await self.until(lambda: all(self.agree(r.session) for r in self.reflectors()))
        return started

    async def form_with_standby(self, nodes: int) -> tuple[Node, str]:
        """The same with one more than there are slots. Returns it, and the session it waits in."""
        started = await self.form(nodes)
        (standby,) = (node for node in started if not self.computing(node))
        found = (r.session for r in self.reflectors() if standby in r.admission.standbys)
        (session,) = found
        return standby, session

    async def finish(self) -> None:
        """Let all pieces be done; the answer is that which one alone would come to."""
        self.hands.let_go()
        await self.until(lambda: self.outcome is not None)
        assert self.outcome is not None
        assert self.outcome.failure is None
        assert self.outcome.result == self.answer
        await self.until(lambda: not any(map(self.chain, self.nodes)))  # all have heard of it

    @property
    def answer(self) -> Value:
        return answer(INPUT, self.shape.partitions)


class Opener(Protocol):
    """Opens a deployment on one transport."""

    def __call__(self, partitions: int, fanout: int) -> AbstractAsyncContextManager[Deployment]: ...
