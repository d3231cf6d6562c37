"""Transfers of blobs: from other processes to this one, and from here to others.

Rules it keeps:
- One transfer for a blob, whoever wants it here and however many: callers of `fetch`, and other
  processes that asked us deep (to get it from elsewhere if we have not got it).
- What others ask for deep is brought only where something here names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from transports.net.wire import Chunk, Envelope, Fetch, Missing
from transports.values.asked import Asked
from transports.values.blobs import Blobs
from transports.values.content import Content
from transports.values.fetching import Fetching
from transports.values.files import BlobMissing
from transports.values.giving import Giving
from transports.values.handles import KEY, Handle


class Transfers:
    """The blobs that come to this process, and what it gives to others.

    `send` takes an envelope to a process and never calls back. `up(session, asker)` names the
    processes nearer to the root than this one, the nearest first; `near(session)` those that
    follow the session here. `named(session, sha)`: whether what is known here of that session, or
    of one above it, names that blob. `tree` is the number of the computation.
    """

    def __init__(
        self,
        blobs: Blobs,
        nursery: trio.Nursery,
        send: Callable[[str, Envelope], None],
        up: Callable[[str, str], list[str]],
        near: Callable[[str], list[str]],
        named: Callable[[str, str], bool],
        tree: int = 0,
    ) -> None:
        self.blobs = blobs
        self._nursery = nursery
        self._up = up
        self._near = near
        self._named = named
        self._coming: dict[str, Fetching] = {}  # by SHA-256
        self._asked = Asked(send)
        self._giving = Giving(blobs, send, tree)
        self._threads = trio.CapacityLimiter(4)

    async def fetch(self, handle: Handle, session: str, sources: Sequence[str]) -> None:
        """Have the blob here. Raises BlobMissing in bounded time if it cannot be had, NoRoom if it
        cannot be kept."""
        sha, size = handle[KEY], handle["size"]
        if not await self._stands(sha, size):
            one = self._fetching(sha, session)
            one.sizes.add(size)
            for name in sources:
                one.sources.add(name, deep=True, again=True)
            await one.done.wait()
            if not self.blobs.has(sha):
                raise type(one.error)(f"the blob {sha:.16} of {size} bytes: {one.error}")
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
            self._requested(name, envelope)
            return
        one = self._coming.get(envelope.sha)
        if one is None or not one.waits_for(name):
            self._asked.ignore(name, envelope)
        elif isinstance(envelope, Missing):
            one.is_missing(name)
        elif envelope.data:
            one.take(name, envelope)
        else:
            one.goes_on(envelope.offset)

    def lost(self, name: str) -> None:
        """`name` is not connected any more: it will not answer, and wants no answer."""
        self._asked.lost(name)
        self._giving.lost(name)
        for one in self._coming.values():
            one.lost(name)

    def _requested(self, name: str, fetch: Fetch) -> None:
        sha, giving = fetch.sha, self._giving
        if giving.answer(name, sha, fetch.offset):
            return
        known = sha in self._coming or self._named(fetch.session, sha)
        if not fetch.deep or not known or not giving.may_wait(name):
            giving.refuse(name, sha)
            return
        one = self._fetching(sha, fetch.session)
        for other in self._up(fetch.session, name):
            one.sources.add(other, deep=True)
        for other in self._near(fetch.session):
            one.sources.add(other, deep=False)
        giving.hold(name, fetch)
        one.wanted_by(name)

    def _fetching(self, sha: str, session: str) -> Fetching:
        """The transfer of that blob, begun if it was not."""
        if sha not in self._coming:
            content = Content(sha, self.blobs, self._threads, self._bytes_coming)
            self._coming[sha] = Fetching(sha, session, content, self._asked, self._giving)
            self._nursery.start_soon(self._fetch, self._coming[sha])
        return self._coming[sha]

    def _bytes_coming(self) -> int:
        return sum([one.content.coming for one in self._coming.values()])

    async def _fetch(self, one: Fetching) -> None:
        try:
            await one.run()
        finally:
            del self._coming[one.sha]
            one.done.set()
        await self._giving.settle(one.sha)
