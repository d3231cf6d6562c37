"""Another model than a computation, on real sockets: the shared counter of the session layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from core import Session, Shape
from core import messages as m
from core.messages import Node, Place
from tests.sessions.counter import Counted, Counter, Counting
from tests.transports.living import OPEN, Pieces
from tests.transports.talking import until
from transports.net import wire
from transports.net.connection import Me
from transports.net.errors import RemoteProtocolError
from transports.net.frames import HEADER
from transports.process.keys import NO_KEYS, Keys, digest_of
from transports.process.process import Process, nodes_of
from transports.process.station import Station
from transports.process.trust import Trust
from transports.values.blobs import Blobs

SECONDS_MAX = 60  # before something is called hung
GOAL, NODES, DEPTH, FANOUT = 10, 3, 2, 2


class Believing(Trust):
    """Only who speaks for a node is looked at."""

    def check(self, hello: wire.Hello, session: str, node: Node, call: Any) -> bool:
        self._check_node(hello, node)
        return True

    def check_answer(self, session: str, reply: m.Reply, listens: bool) -> None:
        pass

    def check_ordered(self, state: Session, time: float, message: Any) -> None:
        pass

    def followed(self, place: Place, snapshot: dict[str, m.Value]) -> Session:
        return Session.restore(Counter, snapshot)


class Counters(Process):
    """Its nodes count to the goal, wherever they are seated."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        port: Any = self.port
        port.goal, port.heard = GOAL, _ignore

    def judge(self, begin: wire.Begin) -> Trust:
        return Believing(Shape.root(1, 2), self.host)


def _ignore(view: Counting, count: int) -> None:
    pass


async def opened(nursery: trio.Nursery, folder: Path, number: int, keys: Keys) -> Counters:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    me = Me(number, f"127.0.0.1:{listener.socket.getsockname()[1]}", NODES)
    station, blobs = Station(me, OPEN, nursery), Blobs(folder)
    process = Counters(station, nursery, blobs, keys=keys, kind=Counter, participant=Counting)
    nursery.start_soon(trio.serve_listeners, process.connections.accept, [listener])
    nursery.start_soon(process.run)
    return process


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_DECODER", wire.decoder(Counted))


@pytest.mark.usefixtures("counted")
async def test_a_counter_is_kept_by_all_and_ended_by_the_submitter(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with trio.open_nursery() as nursery:
            keys = Keys.drawn()
            host = await opened(nursery, tmp_path / "host", 1, keys)
            place = Place("0", (host.me.name,))
            end = digest_of(keys.end)
            begin = wire.Begin("counter", {}, "", 1, 2, None, 0, place, 0.0, end)
            host.begin(begin, Pieces(host))  # type: ignore[arg-type]
            (submitter,) = nodes_of(1, 1)
            host.submit(m.Open(place, (1,), [DEPTH, FANOUT]), submitter, None)
            others = [await opened(nursery, tmp_path / str(i), i, NO_KEYS) for i in (2, 3)]
            for process in others:
                process.on_begin = _entering(process)
                await process.reach(host.me.name)
            root: Any = host.host.reflectors["0"]
            await until(lambda: root.model.value == 2 * NODES * GOAL)
            assert {f"0-{i}" for i in range(FANOUT)} == {
                session for process in others for session in process.host.reflectors
            }
            replicas = [
                replica for process in others for replica in process.following.replicas.values()
            ]
            assert {replica.state.name for replica in replicas} > {"0"}
            assert any(replica.seal for replica in replicas)
            host.views.living[submitter].end(root.model.value, None)
            await until(lambda: all(process.over.is_set() for process in others))
            assert host.outcome == m.Ended(2 * NODES * GOAL, None, keys.end)
            assert [process.offences for process in (host, *others)] == [0, 0, 0]
            nursery.cancel_scope.cancel()


def _entering(process: Process) -> Any:
    def begin(begin: wire.Begin) -> None:
        process.begin(begin, Pieces(process))  # type: ignore[arg-type]
        for node in nodes_of(process.me.number, NODES):
            process.enter(node, begin.root)

    return begin


def test_what_another_model_says_is_said_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    said = wire.Call("0", 1, Counted(1, 5))  # type: ignore[arg-type]
    ordered = wire.Ordered("0", 7, 1.5, Counted(1, 5, 0))  # type: ignore[arg-type]
    usual = wire.Call("0", 1, m.Leave())
    with monkeypatch.context() as patched:
        patched.setattr(wire, "_DECODER", wire.decoder(Counted))
        for envelope in (said, ordered, usual):
            assert wire.decode(wire.encode(envelope)[HEADER.size :]) == envelope
        wrong = wire.encode(replace(said, call=Counted(1, "x")))  # type: ignore[arg-type]
        with pytest.raises(RemoteProtocolError, match="malformed"):
            wire.decode(wrong[HEADER.size :])
    for envelope in (said, ordered):
        with pytest.raises(RemoteProtocolError, match="malformed"):
            wire.decode(wire.encode(envelope)[HEADER.size :])
