"""The root of a fleet asks who is there what was printed, and believes nobody but of his own."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from core.sessions.messages import NODE_BITS
from tests.transports.fleet.storing import key, spec
from tests.transports.talking import settled
from transports.fleet import logs as rooms
from transports.fleet.jobs import Jobs
from transports.fleet.logs import Logs
from transports.net import wire
from transports.net.connection import Me
from transports.net.errors import RemoteProtocolError
from transports.net.frames import Frames
from transports.net.peer import Link, Peer


class Root:
    """In place of the station of a root. `said`: to whom, and what."""

    def __init__(self, *members: str) -> None:
        self.handlers: dict[type, Any] = {}
        self.peers = {name: peer(name, 2**42 + i, nodes=2) for i, name in enumerate(members)}
        self.peers["client"] = peer("client", 99, nodes=0)
        self.connections = self
        self.said: list[tuple[str, wire.Envelope]] = []
        self.jobs = Jobs()
        self.jobs.submit(key(1), spec())
        station: Any = self
        self.logs = Logs(station, self.jobs)

    def send_back(self, name: str, frame: bytes) -> None:
        self.said.append((name, wire.decode(frame[4:])))

    def reaches(self, name: str) -> bool:
        return name in self.peers

    def hear(self, name: str, envelope: wire.Envelope) -> None:
        one = self.peers[name]
        self.handlers[type(envelope)](one, envelope, one.links[0])

    def lose(self, name: str) -> None:
        self.logs.lost(self.peers.pop(name))

    @property
    def told(self) -> dict[str, Any]:
        """The client's answer, the last that was said."""
        name, logged = self.said.pop()
        assert (name, type(logged)) == ("client", wire.Logged)
        assert isinstance(logged, wire.Logged)
        assert logged.log is not None
        return logged.log


def peer(name: str, number: int, nodes: int) -> Peer:
    link = Link(trio.testing.memory_stream_pair()[0], Frames(), None)
    return Peer(name, Me(number, None, nodes).hello(token=False), links=[link])


async def test_all_who_are_there_are_asked_and_who_is_late_is_named(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    root = Root("a", "b", "c")
    nursery.start_soon(root.logs.run)
    root.hear("client", wire.Log(1))
    await settled()
    assert root.said == [(name, wire.Recall(1, 2**16)) for name in "abc"]
    root.said.clear()
    root.hear("a", wire.Printed(1, b"one", 5))
    root.hear("b", wire.Printed(2, b"of another job", 0))
    root.lose("c")
    await trio.sleep(rooms.ANSWER_SECONDS + 0.1)
    told = root.told
    assert told["printed"] == [["memory", b"one", 5]]
    assert told["unreached"] == ["memory", "memory"]  # b and c
    root.hear("b", wire.Printed(1, b"too late", 0))
    root.hear("client", wire.Log(2))
    assert root.said == [("client", wire.Logged(2, None))]
    nursery.cancel_scope.cancel()


async def test_what_all_say_together_fits_into_one_frame(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "PRINTED_BYTES_MAX", 10)
    root = Root("a", "b", "c")
    nursery.start_soon(root.logs.run)
    root.hear("client", wire.Log(1))
    await settled()
    assert root.said.pop() == ("c", wire.Recall(1, 3))
    for name in "abc":
        root.hear(name, wire.Printed(1, b"more than that", 0))
    await settled()
    assert root.told["printed"] == [["memory", b"hat", 0]] * 3
    nursery.cancel_scope.cancel()


def test_nobody_speaks_for_others() -> None:
    root = Root("a", "b")
    own, other = (
        wire.Raised("1", 3, root.peers[name].number << NODE_BITS, "no", 2) for name in "ab"
    )
    for name, said in (
        ("a", wire.Reported(1, (own, other))),
        ("client", wire.Reported(1, ())),
        ("client", wire.Printed(1, b"", 0)),
    ):
        with pytest.raises(RemoteProtocolError):
            root.hear(name, said)
    root.hear("a", wire.Reported(7, (own,)))  # of a job that is forgotten
    root.hear("a", wire.Reported(1, (own,)))
    failures = root.jobs.failures(1)
    assert failures
    assert failures.times == {("no", "1", 3, own.node, "memory"): 2}
