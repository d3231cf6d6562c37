"""The blobs of one process: in its folder, and in memory what cannot be written now.

Rules it keeps:
- What cannot be written now (a full disk, say) is no fault of whoever brings it. It is kept in
  memory, up to a limit, and written later; meanwhile computing processes have it with their calls.
- Some of the disk is left free of what others bring.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from core.messages import Value
from plugins.jobs.values import unpacked
from transports.values.figures import LEFT_BYTES_MAX, LEFT_SHARE, MEMORY_BYTES_MAX
from transports.values.files import PIECE_BYTES, Draft, NoRoom, loaded
from transports.values.folder import OwnFolder
from transports.values.handles import KEY, Handle, is_handle, is_name

QUIET_SECONDS = 60.0  # in which all could be written, before it is said that there is room again


class Blobs:
    """The folder of one process: `folder`, made where it is missing, or a temporary one.

    Raises BlobError where it cannot be used.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._own = OwnFolder(folder)
        self.folder = self._own.path
        self.memory: dict[str, bytes] = {}  # what is not written yet
        self.memory_left = MEMORY_BYTES_MAX
        self.trouble = ""  # why something could not be written
        self._lacked_at = 0.0  # by the monotonic clock
        self.on_trouble: Callable[[str], None] = _ignore  # told that, and "" when there is room

    def path(self, sha: str) -> Path:
        if not is_name(sha):
            raise ValueError(f"no name of a blob: {sha!r:.80}")
        return self.folder / sha

    def size(self, sha: str) -> int | None:
        """In bytes; None if it is not here."""
        if sha in self.memory:
            return len(self.memory[sha])
        try:
            return os.stat(self.path(sha)).st_size
        except FileNotFoundError:
            return None

    def has(self, sha: str) -> bool:
        return self.size(sha) is not None

    def read(self, sha: str, offset: int, count: int) -> bytes:
        """At most `count` bytes at `offset`. Raises OSError."""
        if (content := self.memory.get(sha)) is not None:
            return content[offset : offset + count]
        fd = os.open(self.path(sha), os.O_RDONLY)
        try:
            return os.pread(fd, count, offset)
        finally:
            os.close(fd)

    def check(self, sha: str) -> bool:
        """Read it all, and remove it if its content is not what its name says. Takes long."""
        if sha in self.memory:
            return True
        try:
            with self.path(sha).open("rb") as file:
                found = sha256()
                while piece := file.read(PIECE_BYTES):
                    found.update(piece)
        except FileNotFoundError:
            return False
        if found.hexdigest() != sha:
            self.path(sha).unlink(missing_ok=True)
        return found.hexdigest() == sha

    def is_whole(self, wanted: Handle) -> bool:
        """Whether that value is here as it was written: all of it is read. Else it is removed."""
        sha = wanted[KEY]
        return self.size(sha) == wanted["size"] and self.check(sha)

    def loaded(self, value: Value) -> Value:
        """As the function of that name, also of what is in memory."""
        content = self.memory.get(value[KEY]) if is_handle(value) else None
        return loaded(self.folder, value) if content is None else unpacked(content)

    # -- what cannot be written now ------------------------------------------------------------

    def spare(self, draft: Draft | None, size: int, error: NoRoom) -> Spare:
        """In place of `draft`, to which nothing can be added. Raises `error` if it is too much."""
        self.lacks(error)
        if size > self.memory_left:
            raise error
        try:
            content = draft.content() if draft is not None else b""
        except OSError:
            raise error from None
        return Spare(self, content, size)

    def lacks(self, error: NoRoom) -> None:
        """Something could not be written. That is told once, for as long as it is so."""
        if not self.trouble:
            self.on_trouble(str(error))
        self.trouble, self._lacked_at = str(error), time.monotonic()

    def settle(self) -> bool:
        """Write what is in memory, as far as there is room. Takes as long as the disk does.

        Says whether all is written.
        """
        try:
            for sha, content in list(self.memory.items()):
                self._write(sha, content)
        except NoRoom as error:
            self.lacks(error)
            return False
        if self.trouble and time.monotonic() >= self._lacked_at + QUIET_SECONDS:
            self.trouble = ""
            self.on_trouble("")
        return True

    def _write(self, sha: str, content: bytes) -> None:
        draft = Draft(self.folder)
        try:
            draft.add(content)
            draft.keep(sha)
        finally:
            draft.drop()
        del self.memory[sha]
        self.memory_left += len(content)

    def remove(self, sha: str) -> None:
        """Nobody needs it any more."""
        self.memory_left += len(self.memory.pop(sha, b""))
        self.path(sha).unlink(missing_ok=True)

    def room_bytes(self) -> int:
        """How much others may bring: what is free of the disk, without what is to be left free."""
        disk = os.statvfs(self.folder)
        return max(0, disk.f_bavail * disk.f_frsize - _left_bytes(disk))

    def most_bytes(self) -> int:
        """How much others could bring if nothing were here: what does not fit waits in memory."""
        disk = os.statvfs(self.folder)
        return disk.f_blocks * disk.f_frsize - _left_bytes(disk) + MEMORY_BYTES_MAX

    def close(self) -> None:
        """It is not used any more. A temporary one goes, with all that is in it."""
        self._own.close()

    def __enter__(self) -> Blobs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Spare:
    """A draft in memory, until there is room."""

    def __init__(self, blobs: Blobs, content: bytes, size: int) -> None:
        self._blobs = blobs
        self._content = bytearray(content)
        self._reserved = size
        blobs.memory_left -= size

    def add(self, data: bytes | bytearray) -> None:
        self._content += data

    def keep(self, sha: str) -> str:
        """Have it found by its name, if that is `sha`. Returns what it is."""
        found = sha256(self._content).hexdigest()
        if found == sha:
            self._blobs.memory[sha] = bytes(self._content)
            self._reserved = 0
        return found

    def drop(self) -> None:
        """Nothing more is added."""
        self._blobs.memory_left += self._reserved
        self._reserved = 0


def _ignore(trouble: str) -> None:
    pass


def _left_bytes(disk: os.statvfs_result) -> int:
    """What is to be left free of it."""
    return min(disk.f_blocks * disk.f_frsize // LEFT_SHARE, LEFT_BYTES_MAX)
