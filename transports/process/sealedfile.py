"""A SQLite file of one program: locked, of one format, and every row in it with a checksum.

Rules it keeps:
- One process has it open at a time. A file of another format or version is left as it is.
- Each row has a checksum over what it says and what it is of, so that a bit that has changed on the
  disk is noticed where it is read.
- Whatever is wrong with it is one line.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import attrs
import msgspec

from core.messages import Value
from transports.net.errors import ProtocolError

HEADER_BYTES = 100  # of any SQLite file
CHECK_BYTES = 8
JOB_APPLICATION = 0x4D4E6F64  # "MNod", at the beginning of the file
FLEET_APPLICATION = 0x4D4E466C  # "MNFl"

_OURS = {
    JOB_APPLICATION: "the store of one job, as 'host --store' makes it",
    FLEET_APPLICATION: "the store of a fleet, as 'serve --store' makes it",
}
_REASONS = {
    sqlite3.SQLITE_BUSY: "another process has it open",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened or made; is its folder there, and writable?",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_NOTADB: "is no store",
    sqlite3.SQLITE_PERM: "may not be written",
    sqlite3.SQLITE_READONLY: "may not be written",
}
_DAMAGES = (
    msgspec.MsgspecError,
    ProtocolError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)


class StoreError(ValueError):
    """The file cannot be used. One line says why."""


@attrs.frozen
class Format:
    """What the file is to be. `synchronous`, as SQLite says it: whether each transaction is on the
    disk when it is done (FULL), or safe against the death of the process only (NORMAL)."""

    application: int
    version: int
    tables: tuple[str, ...]
    synchronous: str


class SealedFile:
    """The one at `path`, which is made where it is missing.

    `open` comes first, in `explained`, which turns whatever is wrong with it into a StoreError.
    """

    def __init__(self, path: Path, format: Format) -> None:
        self.path = path
        self.format = format
        self._database: sqlite3.Connection | None = None

    @property
    def database(self) -> sqlite3.Connection:
        """Raises StoreError where it was closed."""
        if self._database is None:
            raise StoreError(f"{self.path} was closed")
        return self._database

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Raises sqlite3.Error."""
        return self.database.execute(statement, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is executed meanwhile is done, or nothing of it."""
        with self.database:
            self.execute("BEGIN")
            yield

    def close(self) -> None:
        """Others may open it."""
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None

    # -- rows ------------------------------------------------------------------------------

    def whole(self, row: object, *where: Value) -> bytes:
        """What was stored there. Raises StoreError if it is not that any more."""
        content = row[CHECK_BYTES:] if isinstance(row, bytes) else b""
        if row != sealed(content, *where):
            raise StoreError(f"{self.path} is damaged: {' '.join(map(str, where))} has changed")
        return content

    def check(self) -> None:
        """Raises StoreError where it is not what was written."""
        ((whole, *_), *_) = self.execute("PRAGMA integrity_check(1)")
        if whole != "ok":
            raise StoreError(f"{self.path} is damaged: {' '.join(whole.split())}")

    # -- opening ---------------------------------------------------------------------------

    def open(self) -> None:
        """Lock the file and see to it that it is of this format."""
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a directory, not a store")
        if self.path.exists() and 0 < self.path.stat().st_size < HEADER_BYTES:
            raise StoreError(f"{self.path} is no store")  # SQLite would take it for an empty one
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise StoreError(f"{self.path} may not be written")  # SQLite would speak of its disk
        self._database = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        self.execute("PRAGMA locking_mode = EXCLUSIVE")
        made = self._is_made()
        self.execute("PRAGMA journal_mode = WAL")
        self.execute(f"PRAGMA synchronous = {self.format.synchronous}")
        self.execute("BEGIN EXCLUSIVE")  # no other process from now on
        if not made:
            self._make()
        self.execute("COMMIT")

    def _is_made(self) -> bool:
        """Whether it is of this format already. Raises StoreError where it is something else."""
        (application,) = self.execute("PRAGMA application_id").fetchone()
        (version,) = self.execute("PRAGMA user_version").fetchone()
        (tables,) = self.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != self.format.application:
            what = _OURS.get(application, "a database of another program")
            raise StoreError(f"{self.path} is {what}")
        if tables and version != self.format.version:
            known = f"version {version}, this program knows version {self.format.version}"
            raise StoreError(f"{self.path} is a store of {known}")
        return bool(tables)

    def _make(self) -> None:
        self.execute(f"PRAGMA application_id = {self.format.application}")
        self.execute(f"PRAGMA user_version = {self.format.version}")
        for table in self.format.tables:
            self.execute(table)
        self.fill()

    def fill(self) -> None:
        """What is in it from the beginning."""

    # -- what is wrong with it -------------------------------------------------------------

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Whatever is wrong with the file, in one line."""
        try:
            yield
        except StoreError:
            raise
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {reason(error)}") from error
        except _DAMAGES as error:
            raise StoreError(f"{self.path} is damaged: {error!r:.200}") from error


def reason(error: sqlite3.Error) -> str:
    """Why the file could not be read or written."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what SQLite adds to it
    return str(_REASONS.get(code, error))


def sealed(content: bytes, *where: Value) -> bytes:
    """A row: the content, after a checksum of it and of where it stands."""
    key = msgspec.msgpack.encode(where)
    return blake2b(key + content, digest_size=CHECK_BYTES).digest() + content
