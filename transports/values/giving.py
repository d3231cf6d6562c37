"""Giving blobs to other processes: at once what is here, and later what is on its way here.

Rules it keeps:
- Only what is complete and checked is given to anybody.
- To be waiting is not to be silent: those who wait are told of progress, by a `Chunk` without data
  whose offset is how much there is so far.
- Whoever waits is answered in the end, unless it is lost: with the piece, or that it is missing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

import trio

from transports.net.limits import CHUNK_BYTES
from transports.net.wire import Chunk, Envelope, Fetch, Missing
from transports.values.blobs import Blobs

HELD_MAX = 1000  # requests of one process that wait here

_log = logging.getLogger("million_nodes.tcp")

Request = tuple[str, int]  # who waits for which offset


class Giving:
    """Those who ask this process for blobs. `send` takes an envelope to a process."""

    def __init__(self, blobs: Blobs, send: Callable[[str, Envelope], None], tree: int = 0) -> None:
        self._tree = tree
        self._blobs = blobs
        self._send = send
        self._held: dict[str, dict[Request, None]] = {}  # requests that wait here, by SHA-256
        self._counts: Counter[str] = Counter()  # how many, by process

    def answer(self, name: str, sha: str, offset: int) -> bool:
        """Send the piece, if it is here."""
        try:
            size = self._blobs.size(sha)
            if size is None:
                return False
            data = self._blobs.read(sha, offset, CHUNK_BYTES)
        except OSError as error:
            _log.error("blob_unreadable sha=%.16s error=%s", sha, error)
            return False
        if data:
            self._send(name, Chunk(sha, offset, size, data, self._tree))
        return bool(data)

    def refuse(self, name: str, sha: str) -> None:
        self._send(name, Missing(sha, self._tree))

    # -- those who wait --------------------------------------------------------------------

    def may_wait(self, name: str) -> bool:
        return self._counts[name] < HELD_MAX

    def hold(self, name: str, fetch: Fetch) -> None:
        """It waits, for as long as the blob is on its way. If it did so, it had given that up."""
        held = self._held.setdefault(fetch.sha, {})
        if (name, fetch.offset) in held:
            self.refuse(name, fetch.sha)
        else:
            held[name, fetch.offset] = None
            self._counts[name] += 1

    def waiting(self, sha: str) -> dict[str, None]:
        """Who waits for that blob, in the order of asking."""
        return dict.fromkeys(name for name, _ in self._held.get(sha, ()))

    def tell(self, sha: str, so_far: int, size: int) -> None:
        """There is progress."""
        for name in self.waiting(sha):
            self._send(name, Chunk(sha, so_far, size, b"", self._tree))

    def deny(self, sha: str, names: set[str]) -> None:
        """Tell those of `names` who wait that they wait in vain."""
        for name, _ in self._held.get(sha, ()):
            if name in names:
                self._release(name)
                self.refuse(name, sha)
        self._forget(sha, names)

    async def settle(self, sha: str) -> None:
        """It is here, or never will be: answer those who wait."""
        for name, offset in self._held.pop(sha, {}):
            if name not in self._counts:
                continue  # it was lost meanwhile
            self._release(name)
            if not self.answer(name, sha, offset):
                self.refuse(name, sha)
            await trio.lowlevel.checkpoint()

    def lost(self, name: str) -> None:
        """It wants no answer."""
        for sha in list(self._held):
            self._forget(sha, {name})
        self._counts.pop(name, None)

    def _release(self, name: str) -> None:
        self._counts[name] -= 1
        if self._counts[name] <= 0:
            del self._counts[name]

    def _forget(self, sha: str, names: set[str]) -> None:
        held = self._held.get(sha, {})
        for request in [request for request in held if request[0] in names]:
            del held[request]
        if not held:
            self._held.pop(sha, None)
