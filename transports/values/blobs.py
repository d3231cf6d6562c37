"""Large values: files named by the SHA-256 of their content, and handles in place of the values.

Rules it keeps:
- A value whose msgpack is longer than LARGE_BYTES is a file in the folder of each process that
  needs it, and its handle is what the messages carry. Only whole values have handles: an input,
  an output, the job's input, its result. No job's own value can be taken for one.
- A file has its name only when it is complete and its content was checked; until then it is a
  draft, `*.part`. So whatever has the name may be read without another check. After a power cut
  a file may be shorter than it was: its size is compared on each use. Nothing else is lost by
  one but what the disk had not written yet; the death of a process costs nothing.
- What cannot be written now (a full disk, say) is no fault of whoever brings it. It is kept in
  memory, up to a limit, and written later; meanwhile computing processes have it with their calls.
- Paths are made of 64 hexadecimal digits and nothing else, whatever a handle says.
- A folder belongs to one process, which holds a lock on it, and to its computing processes, which
  read and write in it. A temporary folder goes with its process. After kill -9 it stays, with
  its blobs; the next process that makes one here removes those that nobody has locked.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import re
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from core import messages as m
from core.messages import Command, Message, Value
from plugins.jobs.values import given, packed, unpacked

LARGE_BYTES = 2048  # of msgpack; what is longer is a blob
BLOB_BYTES_MAX = 2**31
PIECE_BYTES = 2**20  # hashed and written at a time
LEFT_SHARE = 20  # of a disk, one part of so many is left free of what others bring,
LEFT_BYTES_MAX = 2**30  # but no more than that
KEY = "\0blob"
TEMPORARY = "million-nodes-"
MEMORY_BYTES_MAX = 2**27  # of what cannot be written now
QUIET_SECONDS = 60.0  # in which all could be written, before it is said that there is room again

Handle = dict[str, Any]  # {KEY: SHA-256 in hexadecimal, "size": bytes}

_name = re.compile("[0-9a-f]{64}").fullmatch


class BlobError(Exception):
    """The folder cannot be used, or a blob cannot be kept in it."""


class BlobMissing(BlobError):
    """Nobody who was asked has it."""


class NoRoom(BlobError):
    """It cannot be written here, at least not now. The message says where, and why."""


# -- handles -------------------------------------------------------------------------------


def handle(sha: str, size: int) -> Handle:
    return {KEY: sha, "size": size}


def is_handle(value: Value) -> bool:
    """Whether it stands for a blob. What only resembles a handle is a value like others."""
    if type(value) is not dict or KEY not in value or len(value) != 2:
        return False
    sha, size = value[KEY], value.get("size")
    return (
        type(sha) is str and type(size) is int and 0 < size <= BLOB_BYTES_MAX and bool(_name(sha))
    )


_CARRIED: dict[type, str] = {
    m.Finished: "outputs",
    m.Compute: "inputs",
    m.Prepared: "inputs",
    m.Collected: "output",
    m.HandUp: "output",
    m.Given: "input",
    m.Ended: "result",
}


def handles(message: Message | Command) -> list[Handle]:
    """Those in a message of the core, in order."""
    name = _CARRIED.get(type(message))
    if name is None:
        return []
    carried = getattr(message, name)
    return among(carried if name[-1] == "s" else (carried,))


def among(values: Iterable[Value]) -> list[Handle]:
    """Those of `values` that are handles."""
    return [value for value in values if type(value) is dict and is_handle(value)]


# -- values --------------------------------------------------------------------------------


def stored(folder: Path, value: Value) -> Value:
    """A job's value as it would arrive elsewhere; if it is large, its handle, once it is a file.

    Takes as long as the disk does. Raises TypeError where it is not plain data, ValueError where it
    is too large, NoRoom where it cannot be written.
    """
    head, body = _packed(value)
    size = len(head) + len(body)
    if size <= LARGE_BYTES:
        return msgspec.msgpack.decode(head + body)
    if size > BLOB_BYTES_MAX:
        raise ValueError(f"a value of {size} bytes, above the limit of {BLOB_BYTES_MAX}")
    draft = Draft(folder)
    try:
        draft.add(head)
        draft.add(body)
        return handle(draft.keep(), size)
    finally:
        draft.drop()


def loaded(folder: Path, value: Value) -> Value:
    """The value as a job's function is given it. Raises BlobMissing if its file is not here."""
    if not is_handle(value):
        return given(value)
    sha, size = value[KEY], value["size"]
    try:
        with (folder / sha).open("rb") as file:
            if os.fstat(file.fileno()).st_size != size:
                raise BlobMissing(f"the blob {sha:.16} is not {size} bytes long in {folder}")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return unpacked(content)
    except FileNotFoundError:
        raise BlobMissing(f"the blob {sha:.16} of {size} bytes is not in {folder}") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BlobError(f"the blob {sha:.16} is no value: {error}") from error


def _packed(value: Value) -> tuple[bytes, bytes | bytearray]:
    """Its msgpack, in two parts, so that a long string of bytes is not copied."""
    size = len(value) if type(value) in (bytes, bytearray) else 0
    if LARGE_BYTES < size <= BLOB_BYTES_MAX:
        return (b"\xc5" + size.to_bytes(2) if size < 2**16 else b"\xc6" + size.to_bytes(4)), value
    return b"", packed(value)


# -- files ---------------------------------------------------------------------------------


class Draft:
    """A blob on its way into a folder: added piece by piece, in order, and hashed meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.size = 0
        self._hash = sha256()
        try:
            self._fd, self._path = tempfile.mkstemp(".part", "", folder)
        except OSError as error:
            raise NoRoom(f"nothing can be written in {folder}: {error.strerror}") from error

    def add(self, data: bytes | bytearray) -> None:
        """Raises NoRoom; what was added before is there then, and nothing more is to be added."""
        view = memoryview(data)
        try:
            for start in range(0, len(view), PIECE_BYTES):
                piece = view[start : start + PIECE_BYTES]
                self._hash.update(piece)
                while piece:
                    piece = piece[os.write(self._fd, piece) :]
        except OSError as error:
            raise NoRoom(f"a blob does not fit into {self.folder}: {error.strerror}") from error
        self.size += len(view)

    def content(self) -> bytes:
        """What was added. Raises OSError."""
        return os.pread(self._fd, self.size, 0)

    def keep(self, sha: str | None = None) -> str:
        """Give it its name, which is `sha` or nothing happens. Returns what it is."""
        found = self._hash.hexdigest()
        if sha is None or found == sha:
            try:
                os.replace(self._path, self.folder / found)
            except OSError as error:
                raise NoRoom(f"{self.folder} has gone: {error.strerror}") from error
        return found

    def drop(self) -> None:
        """Nothing more is added. Without a name, it is removed."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            with suppress(FileNotFoundError):
                os.unlink(self._path)


class Spare:
    """The same in memory, until there is room."""

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


class Blobs:
    """The folder of one process: `folder`, made where it is missing, or a temporary one.

    Raises BlobError where it cannot be used.
    """

    def __init__(self, folder: Path | None = None) -> None:
        try:
            if folder is None:
                _sweep(Path(tempfile.gettempdir()))
                self.folder = Path(tempfile.mkdtemp(prefix=TEMPORARY))
            else:
                self.folder = folder
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _locked(self.folder, folder is None)
        except OSError as error:
            place = folder or tempfile.gettempdir()
            raise BlobError(f"no folder for blobs at {place}: {_why(error)}") from error
        if folder is not None:  # nobody writes them any more
            for draft in folder.glob("*.part"):
                draft.unlink(missing_ok=True)
        self.memory: dict[str, bytes] = {}  # what is not written yet
        self.memory_left = MEMORY_BYTES_MAX
        self.trouble = ""  # why something could not be written
        self._lacked_at = 0.0  # by the monotonic clock
        self.on_trouble: Callable[[str], None] = _ignore  # told that, and "" when there is room
        self._close = weakref.finalize(self, _leave, self.folder, lock, folder is None, os.getpid())

    def path(self, sha: str) -> Path:
        if not _name(sha):
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
        self._close()

    def __enter__(self) -> Blobs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _ignore(trouble: str) -> None:
    pass


def _locked(folder: Path, temporary: bool) -> int:
    """Lock `folder` for this process. A temporary one has no lock file before it is locked."""
    path = folder / "lock"
    fd = os.open(folder / "lock.new" if temporary else path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if temporary:
            os.rename(folder / "lock.new", path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _leave(folder: Path, lock: int, temporary: bool, pid: int) -> None:
    if os.getpid() != pid:
        return  # a fork of the process that it belongs to
    if temporary:
        shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove the temporary folders of processes of this user that are no more."""
    for folder in parent.glob(TEMPORARY + "*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            fd = os.open(folder / "lock", os.O_RDWR)
        except OSError:
            continue  # just made, or just removed
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # its process lives
        finally:
            os.close(fd)


def _why(error: OSError) -> str:
    if error.errno in (errno.EWOULDBLOCK, errno.EACCES) and error.filename is None:
        return "another process has it open"
    return error.strerror or str(error)


def _left_bytes(disk: os.statvfs_result) -> int:
    """What is to be left free of it."""
    return min(disk.f_blocks * disk.f_frsize // LEFT_SHARE, LEFT_BYTES_MAX)
