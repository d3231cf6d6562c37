"""Fetching one blob here: it is asked for piece by piece, of one source after the other.

Rules it keeps:
- It has one source at a time. That is asked for one piece until it has sent it; then for a window
  of them. A source that is lost, has not got it or says nothing for a while is followed by the next
  one, which goes on where it stopped. When content was wrong, all begins anew.
- Where the source that we wait for asks us, it waits, and we go on to our next source. When none is
  left we tell it so, before we wait for it again; and if it asks again, it has nothing for us. In a
  ring of more than two nobody sees the ring, but all are silent: that ends it.
- When it cannot be had, or not be kept, all who wait here hear so, and may ask again later.
"""

from __future__ import annotations

import logging
from collections import deque

import trio

from transports.net.errors import RemoteProtocolError
from transports.net.limits import CHUNK_BYTES
from transports.net.wire import Chunk, Fetch
from transports.values.asked import Asked
from transports.values.content import Content
from transports.values.files import BlobError, BlobMissing, NoRoom
from transports.values.giving import Giving
from transports.values.handles import BLOB_BYTES_MAX
from transports.values.sources import Sources

WINDOW = 8  # pieces that are asked for, or here and not written yet
SILENT_SECONDS = 30.0  # of one source
SEARCH_SECONDS = 90.0  # without progress, whatever the number of sources
TELL_SECONDS = 10.0

_log = logging.getLogger("million_nodes.tcp")


class Fetching:
    """One blob on its way here, whoever wants it and however many."""

    def __init__(
        self, sha: str, session: str, content: Content, asked: Asked, giving: Giving
    ) -> None:
        self.sha = sha
        self.content = content
        self.sources = Sources()
        self.sizes: set[int] = set()  # that handles name
        self.done = trio.Event()
        self.error: BlobError = BlobMissing("this process ended")
        self._session = session
        self._asked = asked
        self._giving = giving
        self._told_at = self._progress_at = trio.current_time()
        self._news = trio.Event()
        self._inbox: list[bytes] = []
        # Of the present source.
        self._heard = False  # it has it
        self._useless = False
        self._offsets: deque[int] = deque()  # asked for
        self._reported = 0  # how much it has itself, so far

    @property
    def complete(self) -> bool:
        return self.content.have == self.content.size and not self._inbox

    async def run(self) -> None:
        """Until it is here, or `error` says why it never will be."""
        try:
            while not self.complete and self._turn():
                await self._ask()
            wrong = f" (wrong content from {', '.join(sorted(self.sources.wrong))})"
            why = "nobody who was asked has it" + (wrong if self.sources.wrong else "")
            self.error = BlobMissing(why)
        except NoRoom as error:
            self.error = error
        finally:
            self._leave()
            self.content.drop()

    def _turn(self) -> bool:
        """To whom to ask now: those who wait for it themselves last, and told so first."""
        if trio.current_time() > self._progress_at + SEARCH_SECONDS:
            return False
        sources, sha = self.sources, self.sha
        if sources.turn(self._giving.waiting(sha)):
            return True
        self._giving.deny(sha, sources.passed())
        wanted = self._giving.waiting(sha) or self.sizes
        return bool(wanted) and sources.turn_to_last_hope()

    # -- one source ------------------------------------------------------------------------

    async def _ask(self) -> None:
        """Take from the present source what it has, until it is all here or no more comes."""
        assert self.sources.present is not None
        name, deep = self.sources.present
        self._heard, self._useless, self._reported = False, False, 0
        while self._inbox or not self._useless:
            self._demand(name, deep)
            if not self._inbox and not self._offsets:
                await self._asked.until_less(name)
            elif not self._inbox and not await self._hear():
                break
            await self._write()
            if self.complete:
                if not self.content.keep():
                    self._doubt(name)
                break
            self._tell()
        self._leave()

    def _demand(self, name: str, deep: bool) -> None:
        """Ask for as many pieces as may be on their way."""
        offsets = self._offsets
        offset = self.content.have + sum(map(len, self._inbox)) + CHUNK_BYTES * len(offsets)
        window = WINDOW - len(self._inbox) if self._heard else 1
        size = self.content.size if self._heard else None
        while len(offsets) < window and self._asked.may_ask(name) and not self._useless:
            if size is not None and offset >= size:
                break
            offsets.append(offset)
            self._asked.ask(name, Fetch(self.sha, self._session, offset, deep))
            offset += CHUNK_BYTES

    async def _hear(self) -> bool:
        """Wait for news of the present source; not for ever."""
        with trio.move_on_after(SILENT_SECONDS) as patience:
            await self._news.wait()
            self._news = trio.Event()
        if patience.cancelled_caught:
            _log.warning("blob_source_silent sha=%.16s peer=%s", self.sha, self.sources.present)
        return not patience.cancelled_caught

    async def _write(self) -> None:
        pieces, self._inbox = self._inbox, []
        if pieces:
            await self.content.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _tell(self) -> None:
        """Say that there is progress, now and then, to those who wait."""
        now = trio.current_time()
        if now >= self._told_at + TELL_SECONDS:
            self._told_at = now
            so_far = max(self.content.have, self._reported)
            self._giving.tell(self.sha, so_far, max(so_far, self.content.size or 0))

    def _leave(self) -> None:
        """The present source is asked no more; what it still sends is late."""
        if self.sources.present is not None:
            self._asked.abandon(self.sources.present[0], self.sha, len(self._offsets))
            self._offsets.clear()
            self.sources.present = None

    # -- what it says ----------------------------------------------------------------------

    def waits_for(self, name: str) -> bool:
        """Whether an answer of `name` is to come that is not late."""
        return self.sources.is_present(name) and bool(self._offsets) and not self._useless

    def take(self, name: str, chunk: Chunk) -> None:
        """A piece. Raises RemoteProtocolError where it is not what was asked for."""
        if chunk.offset != self._offsets[0]:
            self._asked.ignore(name, chunk)
            return
        self._insist_sound(chunk)
        self._offsets.popleft()
        self._asked.landed(name, 1)
        content = self.content
        if chunk.size not in (self.sizes or {chunk.size}) or chunk.size > BLOB_BYTES_MAX:
            self._blame({name})
            self._give_up()
        elif content.have and not self._heard and chunk.size != content.size:
            self._doubt(name)
            self._give_up()
        else:
            self._heard, content.size = True, chunk.size
            content.givers[name] = None
            self._inbox.append(chunk.data)
            self._progress()

    def _insist_sound(self, chunk: Chunk) -> None:
        size, rest = len(chunk.data), chunk.size - chunk.offset
        other = self._heard and chunk.size != self.content.size
        if size != min(CHUNK_BYTES, rest) or other:
            raise RemoteProtocolError(f"{size} bytes at {chunk.offset} of a blob of {chunk.size}")

    def _progress(self) -> None:
        self._progress_at = trio.current_time()
        self._news.set()

    def goes_on(self, so_far: int) -> None:
        """The source has so much by now."""
        if self._reported < so_far <= BLOB_BYTES_MAX:
            self._reported = so_far
            self._progress()

    def is_missing(self, name: str) -> None:
        """The source has not got it."""
        if not self._asked.is_late(name, self.sha):
            self._offsets.popleft()
            self._asked.landed(name, 1)
            self._give_up()

    def wanted_by(self, name: str) -> None:
        """Who asks for it has not got it."""
        if self.sources.is_present(name) and not self._heard:
            self.sources.pass_over()
            self._give_up()

    def lost(self, name: str) -> None:
        """It will not answer."""
        if self.sources.is_present(name):
            self._asked.landed(name, len(self._offsets))
            self._offsets.clear()
            self._give_up()
        self.sources.lost(name)

    def _give_up(self) -> None:
        self._useless = True
        self._news.set()
        if self.sources.present is not None:
            self._asked.wake(self.sources.present[0])

    # -- who is to blame -------------------------------------------------------------------

    def _doubt(self, name: str) -> None:
        """It is wrong, and `name` sent the last of it: who sent all of it is to blame.

        Where there were several, `name` may be right; the others are not asked again, it is.
        """
        others = self.content.givers.keys() - {name}
        self._blame(others or {name})
        if others:
            self.sources.keep()
        self.content.begin_anew()

    def _blame(self, names: set[str]) -> None:
        self.sources.wrong |= names
        for name in sorted(names):
            _log.warning("blob_wrong sha=%.16s peer=%s", self.sha, name)
