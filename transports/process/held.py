"""Calls that wait until the large values that they name are here.

Rules it keeps:
- The calls of one node count in the order in which they were said. So what comes after one that
  waits, waits as well. Only what is to be kept for others does not: it may come in any order, and
  whoever says it may be gone soon.
- Bytes that would change nothing are not fetched (`needed.py`), and of one process only so many.
- How much waits of one process is bounded.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable

import trio

from core import Host
from core import messages as m
from core.messages import Node
from transports.logs import event
from transports.net import wire
from transports.net.errors import RemoteProtocolError
from transports.net.peer import Peer
from transports.process.incoming import Incoming
from transports.process.needed import of_call, of_fact
from transports.process.queue import Queue
from transports.process.values import Values
from transports.values.files import BlobMissing, NoRoom
from transports.values.handles import KEY, Handle

HELD_BYTES_MAX = 2**28  # of the calls of one process that wait for bytes
HELD_CALL_BYTES = 4096  # of each, whatever its size: the task that gets the bytes, and so on
ROOM_SECONDS_MIN, ROOM_SECONDS_MAX = 1.0, 30.0  # until it is tried again to keep what did not fit

Then = Callable[[Peer, wire.Call], None]


class HeldCalls:
    """`values_max`: bytes of values that one other process may bring."""

    def __init__(
        self,
        queue: Queue,
        incoming: Incoming,
        nursery: trio.Nursery,
        host: Host,
        values: Values,
        values_max: int,
    ) -> None:
        self.values_max = values_max
        self.held: dict[tuple[Peer, Node], deque[wire.Call]] = {}  # whose bytes are on their way
        self.held_bytes: Counter[Peer] = Counter()
        self.fetched: Counter[int] = Counter()  # bytes, by the number of each process
        self._queue = queue
        self._incoming = incoming
        self._nursery = nursery
        self._host = host
        self._values = values
        self._blobs = values.blobs

    def holds(self, peer: Peer, said: wire.Call, then: Then) -> bool:
        """Whether the call has to wait; `then` is called when its values are here."""
        waits = (peer, said.node) in self.held
        if not waits and not self._lacking(said):
            return False
        self._hold(peer, said)
        if not waits:
            self._nursery.start_soon(self._fetch, peer, said.node, then)
        return True

    def with_values_here(self, backup: m.Backup) -> m.Backup:
        """What of it can be kept: the bytes of other values would be lost with who says it."""
        facts = {
            number: fact
            for number, fact in backup.facts.items()
            if all(self._blobs.has(handle[KEY]) for handle in of_fact(fact))
        }
        return m.Backup(backup.session, facts)

    def _hold(self, peer: Peer, said: wire.Call) -> None:
        """Until the bytes are here that this or an earlier call of the same node names."""
        size = _held_bytes(said)
        if self.held_bytes[peer] + size > HELD_BYTES_MAX:
            raise RemoteProtocolError("too many of its calls wait for bytes")
        self.held.setdefault((peer, said.node), deque()).append(said)
        self.held_bytes[peer] += size

    def _to_fetch(self, said: wire.Call) -> list[Handle]:
        """The bytes that are to be here before the call counts."""
        return of_call(self._host.reflectors.get(said.session), said.node, said.call)

    def _lacking(self, said: wire.Call) -> list[Handle]:
        """Those that are not."""
        return [handle for handle in self._to_fetch(said) if not self._blobs.has(handle[KEY])]

    async def _fetch(self, peer: Peer, node: Node, then: Then) -> None:
        """Get the bytes that the calls of `node` name, and then have the calls count."""
        held = self.held[peer, node]
        while held and not peer.gone:
            said = held[0]
            fetched = await self._fetched_by(peer, said)
            held.popleft()
            self.held_bytes[peer] -= _held_bytes(said)
            judged = trio.Event()
            self._queue.post(self._incoming.attempt, peer, said, then, peer, said)
            self._queue.post(judged.set)
            await judged.wait()  # whether the next one is needed depends on it
            self._leave_out(peer, said, fetched)
        del self.held[peer, node]
        if peer.gone or self.held_bytes[peer] <= 0:
            self.held_bytes.pop(peer, None)

    async def _fetched_by(self, peer: Peer, said: wire.Call) -> list[Handle]:
        """Get the bytes that one call needs. Returns those that were not here before."""
        fetched = []
        for handle in self._lacking(said):
            self.fetched[peer.number] += handle["size"]
            if self.fetched[peer.number] > self.values_max:
                self.fetched[peer.number] -= handle["size"]
                limit = f"{self.values_max} bytes, which --values-max is for"
                self._incoming.cut(peer, f"its values would take more than {limit}")
                break
            try:
                await self._fetch_one(peer, handle, said.session)
                fetched.append(handle)
            except BlobMissing as error:  # whoever needs them will fail, and say so
                self.fetched[peer.number] -= handle["size"]
                event(logging.WARNING, "missing", peer=peer.name, reason=str(error))
        return fetched

    async def _fetch_one(self, peer: Peer, handle: Handle, session: str) -> None:
        """It is tried until there is room for it, or the peer is gone. Raises BlobMissing."""
        wait = ROOM_SECONDS_MIN
        while not peer.gone:
            try:
                return await self._values.transfers.fetch(handle, session, [peer.name])
            except NoRoom as error:
                self._blobs.lacks(error)
            await trio.sleep(wait)
            wait = min(2 * wait, ROOM_SECONDS_MAX)

    def _leave_out(self, peer: Peer, said: wire.Call, fetched: list[Handle]) -> None:
        """Remove what was fetched for a call that did not count, or came too late."""
        for handle in fetched:
            named = self._values.names(said.session, handle[KEY])
            if not named and not self._is_wanted(handle):
                self.fetched[peer.number] -= handle["size"]
                self._blobs.remove(handle[KEY])

    def _is_wanted(self, handle: Handle) -> bool:
        """Whether any other session here names that value, or a call that waits for its bytes."""
        held = [said for calls in self.held.values() for said in calls]
        if any(handle in self._to_fetch(said) for said in held):
            return True
        return self._values.names_anywhere(handle[KEY])


def _held_bytes(said: wire.Call) -> int:
    return HELD_CALL_BYTES + len(wire.encode(said))
