"""core/sessions/store.py's port on one SQLite file, which also knows which job it belongs to.

Rules it keeps, besides those of the port:
- A session is one row with the snapshot it begins with, and one for each message after it. What
  is stored in one step is one transaction; so a crash at any time leaves all of it or nothing.
- It is safe against the death of the process at any time, also by kill -9. A power cut or a crash
  of the machine may cost the last messages (SQLite's WAL with synchronous=NORMAL: it is not waited
  for the disk), never the file: it holds what was stored up to some moment before.
- Where nothing can be written (a full disk, say) the file stays as it was, and the computation goes
  on. Each session of which something is missing is stored anew, as it is by then, as soon as that
  is possible: it is tried again every now and then.
- When the messages of a session have become longer than what its snapshot was, a new snapshot takes
  their place; so the file stays within a few times the size of the models.
- Each row has a checksum over what it says and what it is of, so that a bit that has changed on the
  disk is noticed where it is read. Of values that are not in the folder beside it any more, or not
  whole, what they were is not known: that is computed again.
- One process has it open at a time. A file of another kind, version or job is left as it is.
- The keys of the computation are drawn when the file is made, and stay; so a host that is started
  again is known by what the one before it had said.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

import attrs
import msgspec

from core import Computation, Session
from core import messages as m
from core.cutting import ROOT
from core.messages import Message, Value
from core.sessions.model import Kind
from transports.net import wire
from transports.process.keys import KEY_BYTES, Keys
from transports.values.handles import Handle, among

APPLICATION = 0x4D4E6F64  # "MNod", at the beginning of the file
VERSION = 3
HEADER_BYTES = 100  # of any SQLite file
COMPACT_BYTES_MIN = 2**18  # of messages, before a snapshot takes their place
COMPACT_TIMES = 2  # as long as the snapshot before them

AGAIN_SECONDS = 1.0  # after nothing could be written

_TABLES = (
    "CREATE TABLE job (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE keys (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE sessions (session TEXT PRIMARY KEY, snapshot BLOB)",
    "CREATE TABLE messages (session TEXT, seq INTEGER, message BLOB, PRIMARY KEY (session, seq))"
    " WITHOUT ROWID",
)
_BEGIN = "INSERT OR REPLACE INTO sessions VALUES (?, ?)"
_FORGET = "DELETE FROM messages WHERE session = ?"
_APPEND = "INSERT INTO messages VALUES (?, ?, ?)"
_SNAPSHOT = "SELECT snapshot FROM sessions WHERE session = ?"
_MESSAGES = "SELECT seq, message FROM messages WHERE session = ? ORDER BY seq"
_ORPHANS = "SELECT count(*) FROM messages WHERE session NOT IN (SELECT session FROM sessions)"
CHECK_BYTES = 8
_LENGTHS = """
    SELECT session, length(snapshot),
           (SELECT coalesce(sum(length(message)), 0) FROM messages WHERE session = s.session)
    FROM sessions s ORDER BY rowid
"""
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
    wire.ProtocolError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)


class StoreError(ValueError):
    """The file cannot be used. One line says why."""


@attrs.frozen
class Found:
    """What a file holds: the job it belongs to, and how that ended, if it did."""

    job: dict[str, Value]
    ended: m.Ended | None


def found(path: Path) -> Found | None:
    """What is in `path`; None if there is no store yet. Raises StoreError as opening it does."""
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return None
    store = SqliteStore(path)
    try:
        return Found(store.job, store.ended)
    finally:
        store.close()


@attrs.define
class _Length:
    """Of what is stored of a session, in bytes."""

    snapshot: int = 0
    messages: int = 0


class SqliteStore:
    """What one job's host has ordered, in the file `path`, which is made where it is missing.

    `job`: plain data that says which job that is; None: whichever the file belongs to.
    Raises StoreError where the file cannot be used, or is another job's.
    """

    def __init__(self, path: Path, job: Mapping[str, Value] | None = None) -> None:
        self.path = path
        self.job: dict[str, Value] = {}
        self.keys = Keys()
        self.has: Callable[[Handle], bool] = lambda handle: True  # whether that value is here
        self.behind: dict[str, Session] = {}  # by name, those of which something is missing
        self.trouble = ""  # why that is
        self.on_trouble: Callable[[str], None] = _ignore  # told that, and "" when all is stored
        self._again_at = 0.0  # by the monotonic clock
        self._lengths: dict[str, _Length] = {}
        self._file: sqlite3.Connection | None = None
        try:
            with self._explained():
                self._open()
                self._belong({} if job is None else _wired(job), job is not None)
                self.keys = self._known_keys()
                self._measure()
        except BaseException:
            self.close()
            raise

    @property
    def ended(self) -> m.Ended | None:
        """How the computation ended, if it did. Raises StoreError as `load` does."""
        if ROOT not in self._lengths:
            return None
        with self._explained():
            return self._replayed(ROOT, Computation).ended

    def append(self, state: Session, now: float, message: Message) -> None:
        """What cannot be stored now is stored later."""
        if self.behind:
            self.behind[state.name] = state
            self.catch_up()
            return
        try:
            self._append(state, now, message)
        except sqlite3.Error as error:
            self.behind[state.name] = state
            self._fail(error)

    def catch_up(self, at_once: bool = False) -> bool:
        """Store what is missing, if it is time to try again. Says whether nothing is missing."""
        if self.behind and (at_once or time.monotonic() >= self._again_at):
            try:
                for session in list(self.behind):
                    self._begin(self.behind[session])
                    del self.behind[session]
            except sqlite3.Error as error:
                self._fail(error)
            else:
                self._tell("")
        return not self.behind

    def load(self, kind: Kind) -> list[Session]:
        """Raises StoreError where a part of it is no longer what was stored."""
        with self._explained():
            states = [self._replayed(session, kind) for session in self._lengths]
        for state in states:
            _forget_missing(state, self.has)
        return states

    def close(self) -> None:
        """Nothing is stored any more; others may open the file."""
        if self._file is not None:
            with suppress(sqlite3.Error):
                self._file.close()
            self._file = None

    # -- what cannot be written ------------------------------------------------------------

    def _fail(self, error: sqlite3.Error) -> None:
        self._again_at = time.monotonic() + AGAIN_SECONDS
        self._tell(str(_REASONS.get(_code(error), error)))

    def _tell(self, trouble: str) -> None:
        if bool(trouble) != bool(self.trouble):
            self.on_trouble(trouble)
        self.trouble = trouble

    # -- sessions --------------------------------------------------------------------------

    def _append(self, state: Session, now: float, message: Message) -> None:
        session, seq = state.name, state.seq
        frame = b"" if seq == 1 or self._is_long(session) else self._frame(state, now, message)
        if frame:
            row = _sealed(frame, session, seq)
            self._database.execute(_APPEND, (session, seq, row))
            self._lengths[session].messages += len(frame)
        else:
            self._begin(state)

    def _is_long(self, session: str) -> bool:
        length = self._lengths.get(session)
        return length is None or length.messages > max(
            COMPACT_BYTES_MIN, COMPACT_TIMES * length.snapshot
        )

    def _frame(self, state: Session, now: float, message: Message) -> bytes:
        """The message as it is sent; nothing where it is too long for that."""
        try:
            return wire.encode(wire.Ordered(state.name, state.seq, now, message))
        except wire.LocalProtocolError:
            return b""

    def _begin(self, state: Session) -> None:
        """All that was stored of the session gives way to its state now."""
        session = state.name
        snapshot = msgspec.msgpack.encode(state.snapshot())
        with self._database as database:
            database.execute("BEGIN")
            database.execute(_FORGET, (session,))
            database.execute(_BEGIN, (session, _sealed(snapshot, session)))
        self._lengths[session] = _Length(len(snapshot))

    def _replayed(self, session: str, kind: Kind) -> Session:
        (row,) = self._database.execute(_SNAPSHOT, (session,)).fetchone()
        state = Session.restore(kind, msgspec.msgpack.decode(self._whole(row, session)))
        for seq, row in self._database.execute(_MESSAGES, (session,)):
            ordered = wire.decode(self._whole(row, session, seq)[wire.HEADER.size :])
            if not isinstance(ordered, wire.Ordered) or not ordered.seq == seq == state.seq + 1:
                raise StoreError(f"{self.path} is damaged: message {seq} of {session}")
            state.apply(ordered.time, ordered.message)
        return state

    def _whole(self, row: object, *where: Value) -> bytes:
        """What was stored there. Raises StoreError if it is not that any more."""
        content = row[CHECK_BYTES:] if isinstance(row, bytes) else b""
        if row != _sealed(content, *where):
            raise StoreError(f"{self.path} is damaged: {' '.join(map(str, where))} has changed")
        return content

    def _measure(self) -> None:
        ((whole, *_), *_) = self._database.execute("PRAGMA integrity_check(1)")
        (orphans,) = self._database.execute(_ORPHANS).fetchone()
        if whole != "ok" or orphans:
            why = "it has messages of no session" if whole == "ok" else " ".join(whole.split())
            raise StoreError(f"{self.path} is damaged: {why}")
        for session, size, messages in self._database.execute(_LENGTHS):
            self._lengths[session] = _Length(size, messages)

    # -- the file --------------------------------------------------------------------------

    @property
    def _database(self) -> sqlite3.Connection:
        if self._file is None:
            raise StoreError(f"{self.path} was closed")
        return self._file

    def _open(self) -> None:
        """Lock the file and see to it that it is a store."""
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a directory, not a store")
        if self.path.exists() and 0 < self.path.stat().st_size < HEADER_BYTES:
            raise StoreError(f"{self.path} is no store")  # SQLite would take it for an empty one
        self._file = database = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION:
            raise StoreError(f"{self.path} is a database of another program")
        if tables and version != VERSION:
            known = f"version {version}, this program knows version {VERSION}"
            raise StoreError(f"{self.path} is a store of {known}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN EXCLUSIVE")  # no other process from now on
        if not tables:
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {VERSION}")
            for table in _TABLES:
                database.execute(table)
            for name, key in attrs.asdict(Keys.drawn()).items():
                database.execute("INSERT INTO keys VALUES (?, ?)", (name, _sealed(key, name)))
        database.execute("COMMIT")

    def _known_keys(self) -> Keys:
        rows = self._database.execute("SELECT name, value FROM keys")
        keys = {name: self._whole(row, name) for name, row in rows}
        for key in (keys["end"], keys["root"]):
            if type(key) is not bytes or len(key) != KEY_BYTES:
                raise StoreError(f"{self.path} is damaged: its keys are none")
        return Keys(keys["end"], keys["root"])

    def _belong(self, job: dict[str, Value], given: bool) -> None:
        """Belong to `job`, if to none yet."""
        rows = self._database.execute("SELECT name, value FROM job")
        found = {name: self._whole(row, name) for name, row in rows}
        self.job = {name: msgspec.msgpack.decode(value) for name, value in found.items()}
        if not self.job:
            self.job = job
            with self._database as database:
                database.execute("BEGIN")
                for name, value in job.items():
                    row = name, _sealed(msgspec.msgpack.encode(value), name)
                    database.execute("INSERT INTO job VALUES (?, ?)", row)
        for name in dict.fromkeys([*self.job, *job]) if given else ():
            there, here = self.job.get(name), job.get(name)
            if there != here or type(there) is not type(here):
                differs = f"its {name} is {there!r:.80}, not {here!r:.80}"
                raise StoreError(f"{self.path} belongs to another job: {differs}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Whatever is wrong with the file, in one line."""
        try:
            yield
        except StoreError:
            raise
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {_REASONS.get(_code(error), error)}") from error
        except _DAMAGES as error:
            raise StoreError(f"{self.path} is damaged: {error!r:.200}") from error


def _ignore(trouble: str) -> None:
    pass


def _sealed(content: bytes, *where: Value) -> bytes:
    """A row: the content, after a checksum of it and of where it stands."""
    key = msgspec.msgpack.encode(where)
    return blake2b(key + content, digest_size=CHECK_BYTES).digest() + content


def _forget_missing(state: Session, has: Callable[[Handle], bool]) -> None:
    """Have a stored state say nothing that depends on values which are gone."""
    model = state.model
    if not isinstance(model, Computation):
        return
    slots, whole = model.slots, [has(handle) for handle in among(model.slots.inputs or ())]
    if not all(whole):
        slots.inputs = None
    if not all(has(handle) for handle in among([model.input])):
        model.given, model.input = False, None
    for i, output in enumerate(slots.outputs):
        if slots.done[i] and not all(has(handle) for handle in among([output])):
            slots.done[i], slots.outputs[i] = False, None
            slots.lost.pop(i, None)
    if state.ended is not None and not all(has(handle) for handle in among([state.ended.result])):
        state.ended = None


def _wired(job: Mapping[str, Value]) -> dict[str, Value]:
    """As it will be read."""
    plain: dict[str, Value] = msgspec.msgpack.decode(msgspec.msgpack.encode(dict(job)))
    return plain


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what SQLite adds to it
