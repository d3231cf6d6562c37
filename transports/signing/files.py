"""Files that must be nobody else's to read, or to change.

What a file is, is seen on the file that was opened, as is what its folder is: neither can become
another one between the look and the reading.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

READABLE, WRITABLE = 0o077, 0o022  # by others, of a mode
FILE_BYTES_MAX = 2**20


class SigningError(ValueError):
    """A key, a list of keys or what is to be signed cannot be used. The message is one line that
    names it, and says what to do."""


def read_private(path: str, what: str, remedy: str) -> bytes:
    """What is in a file that only this user can read; `remedy`, where there is none. Raises
    SigningError."""
    with _opened(path, what, remedy) as (file, folder):
        mode, name = os.fstat(file).st_mode, os.path.dirname(os.path.realpath(path))
        if mode & READABLE:
            raise SigningError(
                f"{what} {path!r} can be read or written by others: chmod 600 it, and make a new "
                "one if they may have read it"
            )
        place = os.fstat(folder)
        if place.st_mode & WRITABLE or place.st_uid not in (0, os.geteuid()):
            raise SigningError(
                f"{what} {path!r} is in a folder in which others can write: chmod go-w {name!r}, "
                "or move it"
            )
        return os.read(file, FILE_BYTES_MAX)


def read_own(path: str, what: str, remedy: str) -> bytes:
    """What is in a file that only this user can change; `remedy`, where there is none. Raises
    SigningError."""
    with _opened(path, what, remedy) as (file, _):
        if os.fstat(file).st_mode & WRITABLE:
            raise SigningError(f"{what} {path!r} can be written by others: chmod go-w it")
        if os.fstat(file).st_size > FILE_BYTES_MAX:
            raise SigningError(f"{what} {path!r} is too large to be one: give another")
        return os.read(file, FILE_BYTES_MAX)


@contextmanager
def _opened(path: str, what: str, remedy: str) -> Iterator[tuple[int, int]]:
    """The file and its folder, if the file is a plain one, of this user or the system's."""
    try:
        with _folder(path) as (folder, name):
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            try:
                found = os.fstat(file)
                if not stat.S_ISREG(found.st_mode):
                    raise SigningError(f"{what} {path!r} is no file: give another")
                if found.st_uid not in (0, os.geteuid()):
                    raise SigningError(f"{what} {path!r} is another user's: give one of your own")
                yield file, folder
            finally:
                os.close(file)
    except FileNotFoundError:
        raise SigningError(f"{what} {path!r} is not there: give another, or {remedy}") from None
    except OSError as error:
        raise SigningError(f"{what} {path!r} cannot be read: {error.strerror}") from error


def write_private(path: str, data: bytes, what: str) -> None:
    """A new file that only this user can read. Raises SigningError, also where there is one."""
    try:
        with _folder(path) as (folder, name):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            file = os.open(name, flags, 0o600, dir_fd=folder)
            try:
                _write(file, data)
            except OSError:
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise
            finally:
                os.close(file)
    except FileExistsError:
        raise SigningError(
            f"{what} {path!r} is there already, and is not written over: give another file"
        ) from None
    except OSError as error:
        raise SigningError(f"{what} {path!r} cannot be written: {error.strerror}") from error


def _write(file: int, data: bytes) -> None:
    os.fchmod(file, 0o600)  # whatever the umask says
    while data:
        data = data[os.write(file, data) :]
    os.fsync(file)


@contextmanager
def _folder(path: str) -> Iterator[tuple[int, str]]:
    """The folder in which a file really is, opened, and the name of the file in it."""
    folder, name = os.path.split(os.path.realpath(path))
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield opened, name
    finally:
        os.close(opened)
