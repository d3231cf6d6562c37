"""What is asked of other processes: how many pieces are to come, and which nobody waits for.

Rules it keeps:
- An answer comes for each piece asked for, in the order in which a source was asked. So what was
  not asked is recognised, and what was asked of a source that has been given up is ignored.
- Only so many pieces are asked of one process, for all blobs. Who wants more of it waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import trio

from transports.net.errors import RemoteProtocolError
from transports.net.wire import Chunk, Envelope, Fetch, Missing

FLYING_MAX = 128  # pieces asked of one process, for all blobs: half of what may wait for a peer
LATE_MAX = 10_000  # blobs of which late answers are known


class Asked:
    """By process, for all blobs together. `send` takes an envelope to a process."""

    def __init__(self, send: Callable[[str, Envelope], None]) -> None:
        self._send = send
        self._flying: Counter[str] = Counter()  # pieces asked for
        self._late: dict[tuple[str, str], int] = {}  # answers to be ignored, by process and SHA-256
        self._queues: dict[str, trio.lowlevel.ParkingLot] = {}  # until less is flying

    def ask(self, name: str, fetch: Fetch) -> None:
        self._flying[name] += 1
        self._send(name, fetch)

    def may_ask(self, name: str) -> bool:
        return self._flying[name] < FLYING_MAX

    async def until_less(self, name: str) -> None:
        """Too much is asked of it already: wait for that, or for `wake`."""
        if name not in self._queues:
            self._queues[name] = trio.lowlevel.ParkingLot()
        await self._queues[name].park()

    def wake(self, name: str) -> None:
        """Whoever waits to ask `name` is to look again."""
        if name in self._queues:
            self._queues[name].unpark_all()

    def landed(self, name: str, pieces: int) -> None:
        """So many less are to come from `name`. Others may ask it, in the place of those or so."""
        self._flying[name] -= pieces
        if self._flying[name] <= 0:
            del self._flying[name]
        if name in self._queues:
            self._queues[name].unpark(count=max(pieces, 1))
            if not self._queues[name]:
                del self._queues[name]

    def abandon(self, name: str, sha: str, pieces: int) -> None:
        """So many are not waited for any more; what still comes of them is late."""
        if pieces:
            self._late[name, sha] = self._late.pop((name, sha), 0) + pieces
            if len(self._late) > LATE_MAX:
                del self._late[next(iter(self._late))]
        self.landed(name, pieces)

    def is_late(self, name: str, sha: str) -> bool:
        """Whether an answer of `name` is to what was given up: one less is to come then."""
        key = name, sha
        if key not in self._late:
            return False
        self._late[key] -= 1
        if not self._late[key]:
            del self._late[key]
        return True

    def ignore(self, name: str, answer: Chunk | Missing) -> None:
        """It is late. Raises RemoteProtocolError where `name` says what it was not asked."""
        if isinstance(answer, Chunk) and not answer.data and (name, answer.sha) in self._late:
            return  # it only says that it is at it
        if not self.is_late(name, answer.sha):
            said = type(answer).__name__
            raise RemoteProtocolError(f"a {said} of the blob {answer.sha:.16}, not asked for")

    def lost(self, name: str) -> None:
        """It will not answer."""
        for key in [key for key in self._late if key[0] == name]:
            del self._late[key]
