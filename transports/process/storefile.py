"""The SQLite file below a store: one for one job, locked, and every row in it with a checksum.

Rules it keeps:
- One process has it open at a time. A file of another kind, version or job is left as it is.
- Each row has a checksum over what it says and what it is of, so that a bit that has changed on the
  disk is noticed where it is read.
- The keys of the computation are drawn when the file is made, and stay; so a host that is started
  again is known by what the one before it had said.
"""

from __future__ import annotations

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
from transports.process.keys import KEY_BYTES, Keys

APPLICATION = 0x4D4E6F64  # "MNod", at the beginning of the file
VERSION = 4
HEADER_BYTES = 100  # of any SQLite file
CHECK_BYTES = 8

_TABLES = (
    "CREATE TABLE job (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE keys (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE sessions (session TEXT PRIMARY KEY, snapshot BLOB)",
    "CREATE TABLE messages (session TEXT, seq INTEGER, message BLOB, PRIMARY KEY (session, seq))"
    " WITHOUT ROWID",
)
_ORPHANS = "SELECT count(*) FROM messages WHERE session NOT IN (SELECT session FROM sessions)"
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


class StoreFile:
    """The one at `path`, which is made where it is missing.

    `open`, `read_keys` and `belong` come first, in `explained`, which turns whatever is wrong with
    it into a StoreError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
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
        (orphans,) = self.execute(_ORPHANS).fetchone()
        if whole != "ok" or orphans:
            why = "it has messages of no session" if whole == "ok" else " ".join(whole.split())
            raise StoreError(f"{self.path} is damaged: {why}")

    # -- opening ---------------------------------------------------------------------------

    def open(self) -> None:
        """Lock the file and see to it that it is a store."""
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a directory, not a store")
        if self.path.exists() and 0 < self.path.stat().st_size < HEADER_BYTES:
            raise StoreError(f"{self.path} is no store")  # SQLite would take it for an empty one
        self._database = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        self.execute("PRAGMA locking_mode = EXCLUSIVE")
        made = self._is_made()
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = NORMAL")
        self.execute("BEGIN EXCLUSIVE")  # no other process from now on
        if not made:
            self._make()
        self.execute("COMMIT")

    def _is_made(self) -> bool:
        """Whether it is a store already. Raises StoreError where it is something else."""
        (application,) = self.execute("PRAGMA application_id").fetchone()
        (version,) = self.execute("PRAGMA user_version").fetchone()
        (tables,) = self.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION:
            raise StoreError(f"{self.path} is a database of another program")
        if tables and version != VERSION:
            known = f"version {version}, this program knows version {VERSION}"
            raise StoreError(f"{self.path} is a store of {known}")
        return bool(tables)

    def _make(self) -> None:
        self.execute(f"PRAGMA application_id = {APPLICATION}")
        self.execute(f"PRAGMA user_version = {VERSION}")
        for table in _TABLES:
            self.execute(table)
        for name, key in attrs.asdict(Keys.drawn()).items():
            self.execute("INSERT INTO keys VALUES (?, ?)", (name, sealed(key, name)))

    def belong(self, job: dict[str, Value] | None) -> dict[str, Value]:
        """Belong to `job`, if to none yet; returns the one it belongs to. None: whichever."""
        rows = self.execute("SELECT name, value FROM job")
        found = {name: self.whole(row, name) for name, row in rows}
        known = {name: msgspec.msgpack.decode(value) for name, value in found.items()}
        if job is None:
            return known
        if not known:
            self._begin(job)
            return job
        for name in dict.fromkeys([*known, *job]):
            there, here = known.get(name), job.get(name)
            if there != here or type(there) is not type(here):
                differs = f"its {name} is {there!r:.80}, not {here!r:.80}"
                raise StoreError(f"{self.path} belongs to another job: {differs}")
        return known

    def _begin(self, job: dict[str, Value]) -> None:
        with self.transaction():
            for name, value in job.items():
                row = name, sealed(msgspec.msgpack.encode(value), name)
                self.execute("INSERT INTO job VALUES (?, ?)", row)

    def read_keys(self) -> Keys:
        """Those of the computation."""
        rows = self.execute("SELECT name, value FROM keys")
        keys = {name: self.whole(row, name) for name, row in rows}
        for key in (keys["end"], keys["root"]):
            if type(key) is not bytes or len(key) != KEY_BYTES:
                raise StoreError(f"{self.path} is damaged: its keys are none")
        return Keys(keys["end"], keys["root"])

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
