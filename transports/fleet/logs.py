"""What was raised and printed in the jobs of a fleet, as its root tells it to clients.

Rules it keeps:
- What functions raise comes from those who compute as it happens, and is kept here. What they print
  stays where it was printed, and is asked for when a client wants to know it.
- One job is asked about at a time, and all answers together fit into one frame. Who does not answer
  in time is named.
"""

from __future__ import annotations

from typing import Any

import trio

from core.sessions.messages import process_of
from transports.fleet.jobs import Jobs
from transports.net import wire
from transports.net.errors import RemoteProtocolError
from transports.net.peer import Link, Peer, called, joins
from transports.process.station import Station
from transports.work.printing import KEPT_BYTES

PRINTED_BYTES_MAX = 2**23  # of all processes together
ANSWER_SECONDS = 3.0


class Logs:
    """Of one fleet."""

    def __init__(self, station: Station, jobs: Jobs) -> None:
        self._station = station
        self._jobs = jobs
        self._wanted: dict[int, set[str]] = {}  # by job, the clients that wait
        self._asked: dict[str, str] = {}  # who has not answered yet, and what each is called
        self._asked_of = 0  # the number of the job that these were asked about
        self._most = KEPT_BYTES  # that each is to tell
        self._printed: list[list[Any]] = []
        self._news = trio.Event()
        station.handlers |= {
            wire.Log: self._log,
            wire.Reported: self._reported,
            wire.Printed: self._heard,
        }

    async def run(self) -> None:
        """Answer clients, one job after the other, until cancelled."""
        while True:
            while self._wanted:
                number = next(iter(self._wanted))
                await self._ask(number)
                self._tell(number, self._wanted.pop(number))
            self._news = trio.Event()
            await self._news.wait()

    def lost(self, peer: Peer) -> None:
        """It answers nothing any more."""
        for names in self._wanted.values():
            names.discard(peer.name)
        self._news.set()

    # -- what others say -------------------------------------------------------------------

    def _log(self, peer: Peer, said: wire.Log, link: Link) -> None:
        if self._jobs.get(said.number) is None:
            return self._say(peer.name, wire.Logged(said.number, None))
        self._wanted.setdefault(said.number, set()).add(peer.name)
        return self._news.set()

    def _reported(self, peer: Peer, said: wire.Reported, link: Link) -> None:
        if not joins(peer) or any(process_of(one.node) != peer.number for one in said.raised):
            raise RemoteProtocolError("Reported of nodes that are not its own")
        if failures := self._jobs.failures(said.number):
            failures.hear(called(peer), said.raised)

    def _heard(self, peer: Peer, said: wire.Printed, link: Link) -> None:
        if not joins(peer):
            raise RemoteProtocolError("Printed, of one that has no nodes")
        if said.number == self._asked_of and (name := self._asked.pop(peer.name, "")):
            if said.data:
                self._printed.append([name, said.data[-self._most :], said.missing])
            self._news.set()

    # -- what clients are told -------------------------------------------------------------

    async def _ask(self, number: int) -> None:
        """Everybody who is there."""
        peers = [peer for peer in self._station.connections.peers.values() if joins(peer)]
        self._most = min(KEPT_BYTES, PRINTED_BYTES_MAX // max(1, len(peers)))
        self._asked_of, self._printed = number, []
        self._asked = {peer.name: called(peer) for peer in peers}
        for name in self._asked:
            self._say(name, wire.Recall(number, self._most))
        with trio.move_on_after(ANSWER_SECONDS):
            while any(map(self._station.connections.reaches, self._asked)):
                self._news = trio.Event()
                await self._news.wait()

    def _tell(self, number: int, names: set[str]) -> None:
        """What is known by now."""
        job, failures = self._jobs.get(number), self._jobs.failures(number)
        log: dict[str, Any] | None = None
        if job is not None and failures is not None:
            failure = job.outcome.failure if job.outcome else None
            log = {
                "job": job.name,
                "state": job.state.value,
                "failed_by": failure.plain() if failure else None,
                "missing": job.missing,
                **failures.plain(),
                "printed": sorted(self._printed),
                "unreached": sorted(self._asked.values()),
            }
        self._asked = {}
        for name in names:
            self._say(name, wire.Logged(number, log))

    def _say(self, name: str, envelope: wire.Envelope) -> None:
        self._station.connections.send_back(name, wire.encode(envelope))
