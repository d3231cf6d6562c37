"""What a process with nodes tells the root of its fleet of the functions of a job: what they raise,
as it happens, and what they print, when it is asked.

Rules it keeps:
- What is alike is told once, with how often it was. There is a pause between two reports; what the
  root could not be told yet waits, as much as there is room for.
- The last that each of the last jobs has printed is kept, for as long as the fleet is the same.
"""

from __future__ import annotations

from functools import partial

import trio

from plugins.jobs.failing import shortened
from transports.net import wire
from transports.net.errors import RemoteProtocolError
from transports.net.peer import Link, Peer
from transports.process.station import Station
from transports.work.calls import Call, Whole
from transports.work.computing import COMPUTE
from transports.work.functions import Work
from transports.work.printing import Kept

JOBS_KEPT = 20
PAUSE_SECONDS = 0.25
WAITING_MAX = 1000  # places of which the root was not told yet
TOLD_MAX = 20  # in one frame

Place = tuple[str, int | None, int, str]
"""Session, partition, node, error."""


class Reporting:
    """Of one process."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._kept: dict[int, Kept] = {}  # by number of the job
        self._roots: dict[int, str] = {}  # by number of the job, where its root is
        self._raised: dict[tuple[int, Place], int] = {}  # how often, since the last report
        self._fleet = ""
        self._news = trio.Event()
        station.handlers |= {wire.Recall: self._recalled}

    def is_of(self, fleet: str) -> None:
        """The root is that of this fleet: of another one's jobs nothing is told."""
        if fleet != self._fleet:
            self._fleet = fleet
            self._kept.clear()
            self._raised.clear()

    def begins(self, tree: int, root: str, work: Work) -> None:
        """That is what runs the functions of a job of the fleet, from now on."""
        self._kept[tree] = kept = self._kept.pop(tree, None) or Kept()
        self._roots[tree] = root
        while len(self._kept) > JOBS_KEPT:
            oldest = next(iter(self._kept))
            del self._kept[oldest], self._roots[oldest]
        work.report(partial(self._hear, tree), kept.add)

    async def run(self) -> None:
        """Tell the root, until cancelled."""
        try:
            while True:
                await self._news.wait()
                self._news = trio.Event()
                if not self._tell():
                    self._news.set()
                await trio.sleep(PAUSE_SECONDS)
        finally:
            self._tell()

    def _hear(self, tree: int, call: Call, piece: int, text: str) -> None:
        session = call.shape.session if isinstance(call, Whole) else call.session
        slot = call.slot(piece)
        partition = None if slot is None or call.kind != COMPUTE else call.first + slot
        place = session, partition, call.worker.node, shortened(text, wire.ERROR_LENGTH_MAX)
        if len(self._raised) < WAITING_MAX or (tree, place) in self._raised:
            self._raised[tree, place] = self._raised.get((tree, place), 0) + 1
            self._news.set()

    def _tell(self) -> bool:
        """Whether nothing is left to be told."""
        for tree in dict.fromkeys(tree for tree, _ in self._raised):
            root = self._roots.get(tree, "")
            if not self._station.connections.reaches(root):
                continue
            places = [place for number, place in self._raised if number == tree]
            raised = [wire.Raised(*place, self._raised.pop((tree, place))) for place in places]
            for i in range(0, len(raised), TOLD_MAX):
                report = wire.Reported(tree, tuple(raised[i : i + TOLD_MAX]))
                self._station.connections.send_back(root, wire.encode(report))
        return not self._raised

    def _recalled(self, peer: Peer, said: wire.Recall, link: Link) -> None:
        """The root asks what that job has printed here."""
        if not self._station.is_root(link):
            raise RemoteProtocolError("Recall, of one that is not the root")
        self._tell()
        data, missing = self._kept.get(said.number, Kept()).last(said.most)
        answer = wire.Printed(said.number, data, missing)
        self._station.connections.send_back(peer.name, wire.encode(answer))
