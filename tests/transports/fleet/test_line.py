"""The line of a program to a fleet: what several threads ask at once, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import trio

from tests.processes import until
from tests.transports.talking import OPEN, serve
from transports.fleet.asked import user
from transports.fleet.errors import FleetLost
from transports.fleet.line import Line
from transports.fleet.thread import Portal
from transports.net import wire
from transports.net.connection import Connections, Me, Peer
from transports.net.peer import Link

SECONDS = 60.0
PROGRESS = wire.Progress(7, "running", 0, 2, 10, 5)
DONE = wire.Outcome(7, "done", "result")


@dataclass
class Root:
    """In place of the root of a fleet, in a thread of its own: it says what a test has it say."""

    portal: Portal = field(default_factory=Portal)
    heard: list[wire.Envelope] = field(default_factory=list)
    known: bool = False

    async def listen(self) -> str:
        me = Me(wire.random_number(), "127.0.0.1:1")
        nursery = self.portal.nursery
        self.connections = Connections(me, OPEN, nursery, self._receive, lambda peer: None)
        return await serve(nursery, self.connections.accept)

    async def _receive(self, peer: Peer, envelope: wire.Envelope, link: Link) -> None:
        if isinstance(envelope, wire.Ask) and not self.known:  # which fleet it is
            self.known = True
            self.connections.send_back(peer.name, wire.encode(wire.Told({"fleet": "one"})))
        else:
            self.heard.append(envelope)

    async def _say(self, envelope: wire.Envelope) -> None:
        await trio.lowlevel.checkpoint()
        (peer,) = self.connections.peers.values()
        self.connections.send_back(peer.name, wire.encode(envelope))

    def say(self, envelope: wire.Envelope) -> None:
        self.portal.call(self._say, envelope)


@pytest.fixture
def root() -> Iterator[Root]:
    root = Root()
    yield root
    root.portal.close()


@pytest.fixture
def last() -> threading.Event:
    """Set when the line is over."""
    return threading.Event()


@pytest.fixture
def line(root: Root, last: threading.Event) -> Iterator[Line]:
    line = Line(root.portal.call(root.listen), OPEN, 0.5, last.set)
    yield line
    line.close()


def test_all_who_ask_for_a_job_wait_until_something_is_known(root: Root, line: Line) -> None:
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(line.watched, 7) for _ in range(3)]
        until(lambda: root.heard)
        root.say(PROGRESS)
        one, *others = [each.result(SECONDS) for each in asked]
    assert all(other is one for other in others)
    assert one.latest == PROGRESS
    assert root.heard == [wire.Watch(7)]
    root.say(DONE)
    assert one.outcome.result(SECONDS) == DONE


def test_a_job_that_was_not_there_is_asked_for_again(root: Root, line: Line) -> None:
    """Also while somebody holds what was said of it then."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(line.watched, 7)
        until(lambda: root.heard == [wire.Watch(7)])
        root.say(wire.Outcome(7, "unknown"))
        before = asked.result(SECONDS)
        until(before.outcome.done)
        again = pool.submit(line.watched, 7)
        until(lambda: root.heard[1:] == [wire.Watch(7)])
        root.say(DONE)
        assert again.result(SECONDS).outcome.result(SECONDS) == DONE


def test_what_is_known_outlives_the_fleet(root: Root, line: Line) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(line.watched, 7)
        until(lambda: root.heard)
        root.say(DONE)
        job = asked.result(SECONDS)
    root.portal.close()
    with pytest.raises(FleetLost, match="is lost"):
        line.status()
    assert isinstance(line.watched(8).outcome.exception(), FleetLost)
    assert job.outcome.result() == DONE
    assert line.watched(7) is job


def test_whoever_waits_when_it_is_closed_is_told(
    root: Root, line: Line, last: threading.Event
) -> None:
    with ThreadPoolExecutor(2) as pool:
        asked = pool.submit(line.watched, 7), pool.submit(line.status)
        until(lambda: len(root.heard) == 2)
        line.close()
        job, status = asked
        assert isinstance(job.result(SECONDS).outcome.exception(), FleetLost)
        assert isinstance(status.exception(SECONDS), FleetLost)
    with pytest.raises(FleetLost, match="the fleet is closed"):
        line.watched(7)
    assert last.is_set()
    line.close()  # again


def test_what_is_withdrawn_is_submitted_with_the_same_key_and_cancelled(
    root: Root, line: Line
) -> None:
    spec, key = wire.Spec("plugins.demo", {}, None), b"k" * 16
    with ThreadPoolExecutor(1) as pool:
        withdrawn = pool.submit(line.withdraw, spec, key)
        until(lambda: root.heard == [wire.Submit(key, spec, user())])
        root.say(wire.Accepted(key, 7))
        until(lambda: root.heard[1:] == [wire.Cancel(7)])
        root.say(DONE)
        withdrawn.result(SECONDS)
