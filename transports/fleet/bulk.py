"""Inputs and results that are too large for a message, at either end: at a client, and at the root.

Rules it keeps:
- What is longer than INLINE_BYTES does not travel with what is said of a job. There its handle
  stands, and whoever needs it fetches it (`transports/values`) from whoever says so.
- The root never makes objects of it: it is a file, to which the job's process has a second name.
- What nobody needs any more is removed: no job that is known, and nobody who is just at it.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Set
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import msgspec
import trio

from core.messages import Value
from transports.net import wire
from transports.net.peer import Link, Peer
from transports.values.blobs import Blobs
from transports.values.files import BlobError, NoRoom, written
from transports.values.handles import KEY, is_handle, is_name
from transports.values.transfer import Transfers

INLINE_BYTES = 2**20  # of msgpack
BRINGING_MAX = 100  # at once
SESSION = "0"  # which is of no job of a fleet

REMEDY = "write it to a file that all can read, and pass the name"

Said = wire.Fetch | wire.Chunk | wire.Missing


class TooLarge(ValueError):
    """It cannot travel at all. The message is one line."""


class Bulk:
    """What one end has. `send` takes a frame to a process; `needed` says the names of what is
    to stay. Raises BlobError where the folder cannot be used; without one it is a temporary one.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        send: Callable[[str, bytes], object],
        needed: Callable[[], Set[str]] = frozenset,
        folder: Path | None = None,
    ) -> None:
        self.blobs = Blobs(folder)
        self._nursery = nursery
        self._send = send
        self._needed = needed
        self._held: Counter[str] = Counter()
        self._writing = 0
        self._bringing = 0
        self._transfers = Transfers(
            self.blobs, nursery, self._say, up=_nobody, near=_nobody, named=_unknown
        )

    def _say(self, name: str, envelope: wire.Envelope) -> None:
        self._send(name, wire.encode(envelope))

    def close(self) -> None:
        """It is not used any more."""
        self.blobs.close()

    def said(self, peer: Peer, said: Said, link: Link) -> None:
        """`peer` asks for bytes, or answers. Raises RemoteProtocolError."""
        self._transfers.received(peer.name, said)

    def lost(self, peer: Peer) -> None:
        """It answers no more."""
        self._transfers.lost(peer.name)

    # -- for as long as somebody is at it --------------------------------------------------

    @asynccontextmanager
    async def offered(self, value: Value) -> AsyncIterator[Value]:
        """What is to be said in place of that input, which others can fetch meanwhile. Raises
        TypeError where it is no plain data, TooLarge, and NoRoom."""
        self._writing += 1
        try:
            said = await trio.to_thread.run_sync(_written, self.blobs.folder, value)
        finally:
            self._writing -= 1
        with self._holding(said):
            yield said

    @asynccontextmanager
    async def brought(self, value: Value, name: str) -> AsyncIterator[None]:
        """It is here, if it is a handle; the process `name` has it. Raises BlobError."""
        with self._holding(value):
            if is_handle(value):
                await self._transfers.fetch(value, SESSION, [name])
            yield

    def bring(
        self, value: Value, name: str, then: Callable[[], None], refuse: Callable[[str], None]
    ) -> None:
        """The same, and then do that; at once where it is no handle. Where it cannot be had, or
        too many are brought already, `refuse` is told why."""
        if not is_handle(value):
            then()
        elif self._bringing >= BRINGING_MAX:
            refuse(f"{BRINGING_MAX} large inputs are on their way: submit it again later")
        else:
            self._bringing += 1
            self._nursery.start_soon(self._bring, value, name, then, refuse)

    async def _bring(
        self, value: Value, name: str, then: Callable[[], None], refuse: Callable[[str], None]
    ) -> None:
        try:
            async with self.brought(value, name):
                then()
        except BlobError as error:
            refuse(f"the input cannot be had: {error}")
        finally:
            self._bringing -= 1

    async def loaded(self, value: Value, name: str) -> Value:
        """The plain data that it stands for, if it is a handle; the process `name` has it. Raises
        BlobError."""
        if not is_handle(value):
            return value
        async with self.brought(value, name):
            return await trio.to_thread.run_sync(self._loaded, value[KEY], value["size"])

    def _loaded(self, sha: str, size: int) -> Value:
        try:
            return msgspec.msgpack.decode(self.blobs.read(sha, 0, size))
        except (OSError, msgspec.DecodeError, RecursionError) as error:
            raise BlobError(f"the blob {sha:.16} is no value: {error}") from error

    @contextmanager
    def _holding(self, value: Value) -> Iterator[None]:
        if not is_handle(value):
            yield
            return
        self._held[value[KEY]] += 1
        try:
            yield
        finally:
            self._held[value[KEY]] -= 1
            self.tidy_up()

    # -- files -----------------------------------------------------------------------------

    def has(self, value: Value) -> bool:
        """Whether it is here, if it is a handle."""
        return not is_handle(value) or self.blobs.size(value[KEY]) == value["size"]

    def lend(self, value: Value, blobs: Blobs) -> None:
        """Those have it, too. Raises BlobError."""
        if is_handle(value):
            _name_twice(value[KEY], self.blobs, blobs)

    def take(self, value: Value, blobs: Blobs) -> None:
        """The same the other way round."""
        if is_handle(value):
            _name_twice(value[KEY], blobs, self.blobs)

    def tidy_up(self) -> None:
        """Remove what nobody needs, as far as that can be done."""
        if self._writing:
            return  # something that is just complete may not be known yet
        needed = self._needed()
        with suppress(OSError):  # the folder may be gone
            for name in os.listdir(self.blobs.folder):
                if is_name(name) and name not in needed and not self._held[name]:
                    self.blobs.remove(name)


def _written(folder: Path, value: Value) -> Value:
    try:
        data = msgspec.msgpack.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TypeError(f"the input is no plain data: {error}") from error
    try:
        return value if len(data) <= INLINE_BYTES else written(folder, data)
    except ValueError as error:
        raise TooLarge(f"the input is {error}: {REMEDY}") from None


def _name_twice(sha: str, here: Blobs, there: Blobs) -> None:
    if there.has(sha):
        return
    here.settle()
    if not here.path(sha).exists():
        raise BlobError(f"the blob {sha:.16} is not in {here.folder}")
    try:
        os.link(here.path(sha), there.path(sha))
    except OSError:  # on another disk, say
        _copy(here.path(sha), there.path(sha))


def _copy(source: Path, target: Path) -> None:
    draft = target.with_suffix(".part")
    try:
        shutil.copyfile(source, draft)
        os.replace(draft, target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise NoRoom(f"a blob does not fit into {target.parent}: {error.strerror}") from error


def _nobody(*asked: str) -> list[str]:
    return []


def _unknown(session: str, sha: str) -> bool:
    return False
