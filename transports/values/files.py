"""Blobs as files: large values, and what is on its way into a folder.

Rules it keeps:
- A file has its name only when it is complete and its content was checked; until then it is a
  draft, `*.part`. So whatever has the name may be read without another check. After a power cut
  a file may be shorter than it was: its size is compared on each use. Nothing else is lost by
  one but what the disk had not written yet; the death of a process costs nothing.
- What cannot be written now (a full disk, say) is told apart from all else, as NoRoom.

Computing processes read and write with these, in the folder of the process that they work for.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from core.messages import Value
from plugins.jobs.values import given, packed, unpacked
from transports.values.handles import BLOB_BYTES_MAX, KEY, LARGE_BYTES, Handle, handle, is_handle

PIECE_BYTES = 2**20  # hashed and written at a time


class BlobError(Exception):
    """The folder cannot be used, or a blob cannot be kept in it."""


class BlobMissing(BlobError):
    """Nobody who was asked has it."""


class NoRoom(BlobError):
    """It cannot be written here, at least not now. The message says where, and why."""


# -- values --------------------------------------------------------------------------------


def stored(folder: Path, value: Value) -> Value:
    """A job's value as it would arrive elsewhere; if it is large, its handle, once it is a file.

    Takes as long as the disk does. Raises TypeError where it is not plain data, ValueError where it
    is too large, NoRoom where it cannot be written.
    """
    head, body = _packed(value)
    if len(head) + len(body) <= LARGE_BYTES:
        return msgspec.msgpack.decode(head + body)
    return written(folder, head, body)


def written(folder: Path, *parts: bytes | bytearray) -> Handle:
    """The handle of a value whose msgpack is this, once it is a file. Raises as `stored`."""
    size = sum(map(len, parts))
    if size > BLOB_BYTES_MAX:
        raise ValueError(f"a value of {size} bytes, above the limit of {BLOB_BYTES_MAX}")
    draft = Draft(folder)
    try:
        for part in parts:
            draft.add(part)
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


# -- drafts --------------------------------------------------------------------------------


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
