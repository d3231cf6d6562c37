"""Bringing blobs here from other processes, and giving them to others.

Rules it keeps:
- One transfer for a blob, whoever wants it here and however many: callers of `fetch`, and other
  processes that asked us deep (to get it from elsewhere if we have not got it). It has one source
  at a time. Only what is complete and checked is given to anybody.
- An answer comes for each piece asked for, in the order in which a source was asked. So what was
  not asked is recognised, and what was asked of a source that has been given up is ignored.
- What does not fit on the disk is kept in memory as far as that goes; beyond that all who wait here
  hear so, and may ask again later. No source is blamed for it.
- A source is asked for one piece until it has sent that; then for a window of them. A source that
  is lost, has not got it or says nothing for a while is followed by the next one, which goes on
  where it stopped. A source of wrong content is not asked again, and all begins anew.
- Processes that wait for each other never do so for long. Who asks for a blob has not got it: where
  the source that we wait for asks us, it waits, and we go on to our next source. When none is left
  we tell it so, before we wait for it again; and if it asks again, it has nothing for us. In a
  ring of more than two nobody sees the ring, but all are silent: that ends it.
- What others ask for deep is brought only where something here names it, and nothing is brought for
  which there is no room.
- To be waiting is not to be silent: whose own source makes progress tells those who wait, by a
  `Chunk` without data whose offset is how much there is so far.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence

import attrs
import trio

from transports.net.limits import CHUNK_BYTES
from transports.net.wire import Chunk, Envelope, Fetch, Missing, RemoteProtocolError
from transports.values.blobs import Blobs, Spare
from transports.values.files import BlobError, BlobMissing, Draft, NoRoom
from transports.values.handles import BLOB_BYTES_MAX, KEY, Handle

WINDOW = 8  # pieces that are asked for, or here and not written yet
FLYING_MAX = 128  # pieces asked of one process, for all blobs: half of what may wait for a peer
SILENT_SECONDS = 30.0  # of one source
SEARCH_SECONDS = 90.0  # without progress, whatever the number of sources
TELL_SECONDS = 10.0
HELD_MAX = 1000  # requests of one process that wait here
LATE_MAX = 10_000  # blobs of which late answers are known
INLINE_BYTES = 2**16  # fewer are written at once, more in a thread

_log = logging.getLogger("million_nodes.tcp")

Source = tuple[str, bool]  # the process, and whether to ask it deep


@attrs.define(eq=False)
class _Transfer:
    """One blob on its way here."""

    sha: str
    session: str
    sources: dict[Source, None] = attrs.Factory(dict)  # to be asked
    asked: set[Source] = attrs.Factory(set)  # ever
    passed: dict[Source, None] = attrs.Factory(dict)  # they asked us, and may find it yet
    wrong: set[str] = attrs.Factory(set)
    held: dict[tuple[str, int], None] = attrs.Factory(dict)  # who waits for which offset
    sizes: set[int] = attrs.Factory(set)  # that handles name
    done: trio.Event = attrs.Factory(trio.Event)
    error: BlobError = attrs.field(factory=lambda: BlobMissing("this process ended"))
    # What has come so far, and from whom.
    draft: Draft | Spare | None = None
    have: int = 0
    size: int | None = None
    givers: dict[str, None] = attrs.Factory(dict)
    # Of the present source.
    source: Source | None = None
    last_hope: bool = False  # there was no other
    heard: bool = False  # it has it
    useless: bool = False
    offsets: deque[int] = attrs.Factory(deque)  # asked for
    inbox: list[bytes] = attrs.Factory(list)
    reported: int = 0  # how much it has itself, so far
    told_at: float = 0.0
    progress_at: float = attrs.Factory(trio.current_time)
    news: trio.Event = attrs.Factory(trio.Event)

    @property
    def complete(self) -> bool:
        return self.have == self.size and not self.inbox

    def waits_for(self, name: str) -> bool:
        """Whether an answer of `name` is to come that is not late."""
        source = self.source
        return source is not None and source[0] == name and bool(self.offsets) and not self.useless

    def add(self, name: str, deep: bool, again: bool = False) -> None:
        """One more that may be asked; `again` even if it was asked before."""
        source = name, deep
        known = source in self.sources or source == self.source or source in self.passed
        if not known and (again or source not in self.asked):
            self.sources[source] = None


class Transfers:
    """The blobs that come to this process, and what it gives to others.

    `send` takes an envelope to a process and never calls back. `up(session, asker)` names the
    processes nearer to the root than this one, the nearest first; `near(session)` those that
    follow the session here. `named(session, sha)`: whether what is known here of that session, or
    of one above it, names that blob.
    """

    def __init__(
        self,
        blobs: Blobs,
        nursery: trio.Nursery,
        send: Callable[[str, Envelope], None],
        up: Callable[[str, str], list[str]],
        near: Callable[[str], list[str]],
        named: Callable[[str, str], bool],
    ) -> None:
        self.blobs = blobs
        self._nursery = nursery
        self._send = send
        self._up = up
        self._near = near
        self._named = named
        self._transfers: dict[str, _Transfer] = {}  # by SHA-256
        self._flying: Counter[str] = Counter()  # pieces asked for, by process
        self._late: dict[tuple[str, str], int] = {}  # answers to be ignored, by process and SHA-256
        self._held: Counter[str] = Counter()  # requests that wait here, by process
        self._queues: dict[str, trio.lowlevel.ParkingLot] = {}  # until less is flying, by process
        self._threads = trio.CapacityLimiter(4)

    async def fetch(self, handle: Handle, session: str, sources: Sequence[str]) -> None:
        """Have the blob here. Raises BlobMissing in bounded time if it cannot be had, NoRoom if it
        cannot be kept."""
        sha, size = handle[KEY], handle["size"]
        if not await self._stands(sha, size):
            transfer = self._transfer(sha, session)
            transfer.sizes.add(size)
            for name in sources:
                transfer.add(name, deep=True, again=True)
            await transfer.done.wait()
            if not self.blobs.has(sha):
                error = transfer.error
                raise type(error)(f"the blob {sha:.16} of {size} bytes: {error}")
        if (found := self.blobs.size(sha)) != size:
            raise BlobMissing(f"the blob {sha:.16} has {found} bytes, not {size}")

    async def _stands(self, sha: str, size: int) -> bool:
        """Whether it is here. One that was cut short by a power cut is not, and is removed."""
        found = self.blobs.size(sha)
        if found is not None and found != size:
            return await trio.to_thread.run_sync(self.blobs.check, sha, limiter=self._threads)
        return found is not None

    def received(self, name: str, envelope: Fetch | Chunk | Missing) -> None:
        """`name` says this. Raises RemoteProtocolError for what nobody may say."""
        if isinstance(envelope, Fetch):
            self._asked(name, envelope)
            return
        transfer = self._transfers.get(envelope.sha)
        if transfer is None or not transfer.waits_for(name):
            self._ignore(name, envelope)
        elif isinstance(envelope, Missing):
            if not self._is_late(name, envelope.sha):
                transfer.offsets.popleft()
                self._landed(name, 1)
                self._give_up(transfer)
        elif envelope.data:
            self._take(transfer, name, envelope)
        elif transfer.reported < envelope.offset <= BLOB_BYTES_MAX:
            transfer.reported = envelope.offset
            transfer.progress_at = trio.current_time()
            transfer.news.set()

    def lost(self, name: str) -> None:
        """`name` is not connected any more: it will not answer, and wants no answer."""
        for key in [key for key in self._late if key[0] == name]:
            del self._late[key]
        for transfer in self._transfers.values():
            transfer.held = {request: None for request in transfer.held if request[0] != name}
            if transfer.source is not None and transfer.source[0] == name:
                self._landed(name, len(transfer.offsets))
                transfer.offsets.clear()
                self._give_up(transfer)
            for deep in (True, False):
                transfer.passed.pop((name, deep), None)
        self._held.pop(name, None)

    # -- what others ask -------------------------------------------------------------------

    def _asked(self, name: str, fetch: Fetch) -> None:
        if self._answer(name, fetch.sha, fetch.offset):
            return
        known = fetch.sha in self._transfers or self._named(fetch.session, fetch.sha)
        if not fetch.deep or not known or self._held[name] >= HELD_MAX:
            self._send(name, Missing(fetch.sha))
            return
        transfer = self._transfer(fetch.sha, fetch.session)
        for other in self._up(fetch.session, name):
            transfer.add(other, deep=True)
        for other in self._near(fetch.session):
            transfer.add(other, deep=False)
        if (name, fetch.offset) in transfer.held:  # it had given that up
            self._send(name, Missing(fetch.sha))
        else:
            transfer.held[name, fetch.offset] = None
            self._held[name] += 1
        source = transfer.source
        if source is not None and source[0] == name and not transfer.heard:
            if not transfer.last_hope:
                transfer.passed[source] = None
            self._give_up(transfer)

    def _answer(self, name: str, sha: str, offset: int) -> bool:
        """Send the piece, if it is here."""
        try:
            size = self.blobs.size(sha)
            if size is None:
                return False
            data = self.blobs.read(sha, offset, CHUNK_BYTES)
        except OSError as error:
            _log.error("blob_unreadable sha=%.16s error=%s", sha, error)
            return False
        if data:
            self._send(name, Chunk(sha, offset, size, data))
        return bool(data)

    def _tell(self, transfer: _Transfer) -> None:
        """Say that there is progress, now and then, to those who wait."""
        now = trio.current_time()
        if now < transfer.told_at + TELL_SECONDS:
            return
        transfer.told_at = now
        so_far = max(transfer.have, transfer.reported)
        for name in dict.fromkeys(name for name, _ in transfer.held):
            self._send(name, Chunk(transfer.sha, so_far, max(so_far, transfer.size or 0), b""))

    def _deny(self, transfer: _Transfer, names: set[str]) -> None:
        """Tell those of `names` who wait that they wait in vain."""
        for name, _ in transfer.held:
            if name in names:
                self._release(name)
                self._send(name, Missing(transfer.sha))
        transfer.held = {request: None for request in transfer.held if request[0] not in names}

    async def _settle(self, transfer: _Transfer) -> None:
        """It is here, or never will be: answer those who wait."""
        held, transfer.held = transfer.held, {}
        for name, offset in held:
            if name not in self._held:
                continue  # it was lost meanwhile
            self._release(name)
            if not self._answer(name, transfer.sha, offset):
                self._send(name, Missing(transfer.sha))
            await trio.lowlevel.checkpoint()

    def _release(self, name: str) -> None:
        self._held[name] -= 1
        if self._held[name] <= 0:
            del self._held[name]

    # -- what is asked ---------------------------------------------------------------------

    def _transfer(self, sha: str, session: str) -> _Transfer:
        if sha not in self._transfers:
            self._transfers[sha] = transfer = _Transfer(sha, session)
            transfer.told_at = trio.current_time()
            self._nursery.start_soon(self._run, transfer)
        return self._transfers[sha]

    async def _run(self, transfer: _Transfer) -> None:
        try:
            while not transfer.complete and (source := self._next(transfer)) is not None:
                await self._ask(transfer, source)
            wrong = f" (wrong content from {', '.join(sorted(transfer.wrong))})"
            why = "nobody who was asked has it" + (wrong if transfer.wrong else "")
            transfer.error = BlobMissing(why)
        except NoRoom as error:
            transfer.error = error
        finally:
            self._leave(transfer)
            del self._transfers[transfer.sha]
            if transfer.draft is not None:
                transfer.draft.drop()
            transfer.done.set()
        await self._settle(transfer)

    def _next(self, transfer: _Transfer) -> Source | None:
        """Whom to ask now: those who wait for it themselves last, and told so first."""
        if trio.current_time() > transfer.progress_at + SEARCH_SECONDS:
            return None
        waiting = {name for name, _ in transfer.held}
        while transfer.sources:
            source = next(iter(transfer.sources))
            del transfer.sources[source]
            if source[0] in transfer.wrong:
                continue
            if source[0] not in waiting:
                transfer.last_hope = False
                return source
            transfer.passed[source] = None
        self._deny(transfer, {name for name, _ in transfer.passed})
        if not transfer.passed or not (transfer.held or transfer.sizes):
            return None
        source = next(iter(transfer.passed))
        del transfer.passed[source]
        transfer.last_hope = True
        return source

    async def _ask(self, transfer: _Transfer, source: Source) -> None:
        """Take from `source` what it has, until it is all here or no more comes."""
        transfer.source, transfer.heard, transfer.useless = source, False, False
        transfer.reported = 0
        transfer.asked.add(source)
        while transfer.inbox or not transfer.useless:
            self._demand(transfer)
            if not transfer.inbox and not transfer.offsets:
                await self._queue(source[0]).park()  # too much is asked of it already
            elif not transfer.inbox and not await self._hear(transfer):
                break
            await self._write(transfer)
            if transfer.complete:
                self._verify(transfer, source[0])
                break
            self._tell(transfer)
        self._leave(transfer)

    async def _hear(self, transfer: _Transfer) -> bool:
        """Wait for news of the present source; not for ever."""
        with trio.move_on_after(SILENT_SECONDS) as patience:
            await transfer.news.wait()
            transfer.news = trio.Event()
        if patience.cancelled_caught:
            _log.warning("blob_source_silent sha=%.16s peer=%s", transfer.sha, transfer.source)
        return not patience.cancelled_caught

    def _demand(self, transfer: _Transfer) -> None:
        """Ask for as many pieces as may be on their way."""
        assert transfer.source is not None
        name, deep = transfer.source
        offsets = transfer.offsets
        offset = transfer.have + sum(map(len, transfer.inbox)) + CHUNK_BYTES * len(offsets)
        window = WINDOW - len(transfer.inbox) if transfer.heard else 1
        size = transfer.size if transfer.heard else None
        while len(offsets) < window and self._flying[name] < FLYING_MAX and not transfer.useless:
            if size is not None and offset >= size:
                break
            offsets.append(offset)
            self._flying[name] += 1
            self._send(name, Fetch(transfer.sha, transfer.session, offset, deep))
            offset += CHUNK_BYTES

    def _take(self, transfer: _Transfer, name: str, chunk: Chunk) -> None:
        if chunk.offset != transfer.offsets[0]:
            self._ignore(name, chunk)
            return
        rest = chunk.size - chunk.offset
        if len(chunk.data) != min(CHUNK_BYTES, rest) or (
            transfer.heard and chunk.size != transfer.size
        ):
            size, offset = len(chunk.data), chunk.offset
            raise RemoteProtocolError(f"{size} bytes at {offset} of a blob of {chunk.size}")
        transfer.offsets.popleft()
        self._landed(name, 1)
        if chunk.size not in (transfer.sizes or {chunk.size}) or chunk.size > BLOB_BYTES_MAX:
            self._blame(transfer, {name})
            self._give_up(transfer)
        elif transfer.have and not transfer.heard and chunk.size != transfer.size:
            self._doubt(transfer, name)
            self._give_up(transfer)
        else:
            transfer.heard, transfer.size = True, chunk.size
            transfer.givers[name] = None
            transfer.progress_at = trio.current_time()
            transfer.inbox.append(chunk.data)
            transfer.news.set()

    def _give_up(self, transfer: _Transfer) -> None:
        transfer.useless = True
        transfer.news.set()
        if transfer.source is not None:
            self._queue(transfer.source[0]).unpark_all()

    def _queue(self, name: str) -> trio.lowlevel.ParkingLot:
        if name not in self._queues:
            self._queues[name] = trio.lowlevel.ParkingLot()
        return self._queues[name]

    def _leave(self, transfer: _Transfer) -> None:
        """The present source is asked no more; what it still sends is late."""
        if transfer.source is None:
            return
        name = transfer.source[0]
        if transfer.offsets:
            key = name, transfer.sha
            self._late[key] = self._late.pop(key, 0) + len(transfer.offsets)
            if len(self._late) > LATE_MAX:
                del self._late[next(iter(self._late))]
        self._landed(name, len(transfer.offsets))
        transfer.offsets.clear()
        transfer.source = None

    def _landed(self, name: str, pieces: int) -> None:
        """So many less are to come from `name`. Others may ask it, in the place of those or so."""
        self._flying[name] -= pieces
        if self._flying[name] <= 0:
            del self._flying[name]
        if name in self._queues:
            self._queues[name].unpark(count=max(pieces, 1))
            if not self._queues[name]:
                del self._queues[name]

    def _is_late(self, name: str, sha: str) -> bool:
        """Whether an answer of `name` is to what was given up: one less is to come then."""
        key = name, sha
        if key not in self._late:
            return False
        self._late[key] -= 1
        if not self._late[key]:
            del self._late[key]
        return True

    def _ignore(self, name: str, answer: Chunk | Missing) -> None:
        """It is late, or `name` says what it was not asked."""
        if isinstance(answer, Chunk) and not answer.data and (name, answer.sha) in self._late:
            return  # it only says that it is at it
        if not self._is_late(name, answer.sha):
            said = type(answer).__name__
            raise RemoteProtocolError(f"a {said} of the blob {answer.sha:.16}, not asked for")

    # -- what has come ---------------------------------------------------------------------

    async def _write(self, transfer: _Transfer) -> None:
        """Add what has come, in a thread where it is much."""
        pieces, transfer.inbox = transfer.inbox, []
        size = sum(map(len, pieces))
        if not size:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if size <= INLINE_BYTES:
            self._add(transfer, data)
        else:
            await trio.to_thread.run_sync(self._add, transfer, data, limiter=self._threads)
        transfer.have += size

    def _add(self, transfer: _Transfer, data: bytes) -> None:
        """Raises NoRoom."""
        draft = transfer.draft
        try:
            if draft is None:
                self._insist_room(transfer)
                draft = transfer.draft = Draft(self.blobs.folder)
            draft.add(data)
        except NoRoom as error:
            assert not isinstance(draft, Spare)  # there is room for these
            spare = self.blobs.spare(draft, transfer.size or 0, error)
            if draft is not None:
                draft.drop()
            spare.add(data)
            transfer.draft = spare

    def _insist_room(self, transfer: _Transfer) -> None:
        """Raises NoRoom where it does not fit beside all else that is on its way."""
        others = [one for one in self._transfers.values() if one.draft is not None]
        coming = sum([(one.size or one.have) - one.have for one in others])
        room, size = self.blobs.room_bytes() - coming, transfer.size or 0
        if size > room:
            what = f"a blob of {size} bytes does not fit into {self.blobs.folder}"
            raise NoRoom(f"{what}: there is room for {max(room, 0)}")

    def _verify(self, transfer: _Transfer, name: str) -> None:
        """Give the file its name, or find who is to blame."""
        assert transfer.draft is not None
        if transfer.draft.keep(transfer.sha) != transfer.sha:
            self._doubt(transfer, name)

    def _doubt(self, transfer: _Transfer, name: str) -> None:
        """It is wrong, and `name` sent the last of it: who sent all of it is to blame.

        Where there were several, `name` may be right; the others are not asked again, it is.
        """
        others = transfer.givers.keys() - {name}
        self._blame(transfer, others or {name})
        if others and transfer.source is not None:
            transfer.sources = {transfer.source: None, **transfer.sources}
        if transfer.draft is not None:
            transfer.draft.drop()
        transfer.draft, transfer.have, transfer.size = None, 0, None
        transfer.givers.clear()

    def _blame(self, transfer: _Transfer, names: set[str]) -> None:
        transfer.wrong |= names
        for name in sorted(names):
            _log.warning("blob_wrong sha=%.16s peer=%s", transfer.sha, name)
