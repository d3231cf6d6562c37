"""Calls that wait until the large values that they name are here.

Rules it keeps:
- The calls of one node count in the order in which they were said. So what comes after one that
  waits, waits as well. Only what is to be kept for others does not: it may come in any order, and
  whoever says it may be gone soon.
- A replica from before a loss waits, too, for what others have of it; what is kept for others and
  given to a node here counts as its bytes come. What nobody has is left out.
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
from transports.process.needed import facts_here, failed, of_call, of_fact
from transports.process.queue import Queue
from transports.process.values import Values
from transports.values.files import BlobMissing, NoRoom
from transports.values.handles import KEY, Handle

HELD_BYTES_MAX = 2**28  # of the calls of one process that wait for bytes
HELD_CALL_BYTES = 4096  # of each, whatever its size: the task that gets the bytes, and so on
ROOM_SECONDS_MIN, ROOM_SECONDS_MAX = 1.0, 30.0  # until it is tried again to keep what did not fit

Said = wire.Call | wire.Answer
Then = Callable[[Peer, wire.Call], None]
ThenAnswer = Callable[[Peer, wire.Answer], None]


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

    def with_values_later(self, peer: Peer, said: wire.Answer, then: ThenAnswer) -> wire.Answer:
        """What counts at once of what was kept elsewhere, and is given to a node here.

        `then` is called with the rest when its bytes are here: they are to outlive who kept them.
        """
        assert type(said.reply) is m.Backup
        session, facts = said.reply.session, said.reply.facts
        here = facts_here(facts, self._blobs.has)
        if later := {number: fact for number, fact in facts.items() if number not in here}:
            rest = wire.Answer(said.session, said.node, m.Backup(session, later))
            self._count(peer, rest)
            self._nursery.start_soon(self._fetch_kept, peer, rest, then)
        return wire.Answer(said.session, said.node, m.Backup(session, here))

    async def _fetch_kept(self, peer: Peer, said: wire.Answer, then: ThenAnswer) -> None:
        assert type(said.reply) is m.Backup
        await self._fetched_by(peer, said)
        self._uncount(peer, said)
        if not peer.refused:
            kept = wire.Answer(said.session, said.node, self.with_values_here(said.reply))
            self._queue.post(self._incoming.attempt, peer, said, then, peer, kept)

    def with_values_here(self, backup: m.Backup) -> m.Backup:
        """What of it can be kept: the bytes of other values would be lost with who says it."""
        return m.Backup(backup.session, facts_here(backup.facts, self._blobs.has))

    def _hold(self, peer: Peer, said: wire.Call) -> None:
        """Until the bytes are here that this or an earlier call of the same node names."""
        self._count(peer, said)
        self.held.setdefault((peer, said.node), deque()).append(said)

    def _count(self, peer: Peer, said: Said) -> None:
        size = _held_bytes(said)
        if self.held_bytes[peer] + size > HELD_BYTES_MAX:
            raise RemoteProtocolError("too many of its calls wait for bytes")
        self.held_bytes[peer] += size

    def _uncount(self, peer: Peer, said: Said) -> None:
        self.held_bytes[peer] -= _held_bytes(said)
        if peer.gone or self.held_bytes[peer] <= 0:
            self.held_bytes.pop(peer, None)

    def _to_fetch(self, said: Said) -> list[Handle]:
        """The bytes that are to be here before that counts."""
        if isinstance(said, wire.Answer):
            assert type(said.reply) is m.Backup
            return [handle for fact in said.reply.facts.values() for handle in of_fact(fact)]
        return of_call(self._host.reflectors.get(said.session), said.node, said.call)

    def _lacking(self, said: Said) -> list[Handle]:
        """Those that are not."""
        return [handle for handle in self._to_fetch(said) if not self._blobs.has(handle[KEY])]

    async def _fetch(self, peer: Peer, node: Node, then: Then) -> None:
        """Get the bytes that the calls of `node` name, and then have the calls count."""
        held = self.held[peer, node]
        while held and not peer.gone:
            said = held[0]
            fetched = await self._fetched_by(peer, said)
            held.popleft()
            self._uncount(peer, said)
            judged = trio.Event()
            counts = self._with_what_can_be_had(said)
            self._queue.post(self._incoming.attempt, peer, said, then, peer, counts)
            self._queue.post(judged.set)
            await judged.wait()  # whether the next one is needed depends on it
            self._leave_out(peer, said, fetched)
        del self.held[peer, node]
        if peer.gone or self.held_bytes[peer] <= 0:
            self.held_bytes.pop(peer, None)

    async def _fetched_by(self, peer: Peer, said: Said) -> list[Handle]:
        """Get the bytes that `said` needs. Returns those that were not here before."""
        fetched = []
        for handle in self._lacking(said):
            self.fetched[peer.number] += handle["size"]
            if self.fetched[peer.number] > self.values_max:
                self.fetched[peer.number] -= handle["size"]
                limit = f"{self.values_max} bytes, which --values-max is for"
                self._incoming.cut(peer, f"its values would take more than {limit}")
                break
            try:
                await self._fetch_one(peer, handle, said)
                fetched.append(handle)
            except BlobMissing as error:
                self.fetched[peer.number] -= handle["size"]
                event(logging.WARNING, "missing", peer=peer.name, reason=str(error))
        return fetched

    async def _fetch_one(self, peer: Peer, handle: Handle, said: Said) -> None:
        """It is tried until there is room for it, or the peer is gone. Raises BlobMissing."""
        wait = ROOM_SECONDS_MIN
        while not peer.gone:
            try:
                sources = self._sources(peer, said)
                return await self._values.transfers.fetch(handle, said.session, sources)
            except NoRoom as error:
                self._blobs.lacks(error)
            await trio.sleep(wait)
            wait = min(2 * wait, ROOM_SECONDS_MAX)

    def _sources(self, peer: Peer, said: Said) -> list[str]:
        """Who may have what it names: of a replica's values each survivor may have other ones."""
        brings = isinstance(said, wire.Call) and type(said.call) is m.StateTransfer
        return [peer.name, *(self._values.near(said.session) if brings else ())]

    def _with_what_can_be_had(self, said: wire.Call) -> wire.Call:
        """That call, if its bytes are here; else that its node has failed."""
        reflector, lacking = self._host.reflectors.get(said.session), self._lacking(said)
        if reflector is None or not lacking:
            return said
        call = failed(reflector, said.node, said.call, lacking)
        return said if call is None else wire.Call(said.session, said.node, call)

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


def _held_bytes(said: Said) -> int:
    return HELD_CALL_BYTES + len(wire.encode(said))
