"""core/sessions/store.py's port on one SQLite file (`storefile.py`): what a host has ordered.

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
- Of values that are not in the folder beside it any more, or not whole, what they were is not
  known: that is computed again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import msgspec

from core import Computation, Session
from core import messages as m
from core.cutting import ROOT
from core.messages import Message, Value
from core.sessions.model import Kind
from transports.net import wire
from transports.net.errors import LocalProtocolError
from transports.net.frames import HEADER
from transports.process.keys import Keys
from transports.process.sealedfile import StoreError, reason, sealed
from transports.process.storefile import StoreFile
from transports.values.handles import Handle, among

__all__ = ["Found", "SqliteStore", "StoreError", "found"]

COMPACT_BYTES_MIN = 2**18  # of messages, before a snapshot takes their place
COMPACT_TIMES = 2  # as long as the snapshot before them
AGAIN_SECONDS = 1.0  # after nothing could be written

_BEGIN = "INSERT OR REPLACE INTO sessions VALUES (?, ?)"
_FORGET = "DELETE FROM messages WHERE session = ?"
_APPEND = "INSERT INTO messages VALUES (?, ?, ?)"
_SNAPSHOT = "SELECT snapshot FROM sessions WHERE session = ?"
_MESSAGES = "SELECT seq, message FROM messages WHERE session = ? ORDER BY seq"
_LENGTHS = """
    SELECT session, length(snapshot),
           (SELECT coalesce(sum(length(message)), 0) FROM messages WHERE session = s.session)
    FROM sessions s ORDER BY rowid
"""


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
        self._file = file = StoreFile(path)
        try:
            with file.explained():
                file.open()
                self.job = file.belong(None if job is None else _wired(job))
                self.keys = file.read_keys()
                self._measure()
        except BaseException:
            self.close()
            raise

    @property
    def ended(self) -> m.Ended | None:
        """How the computation ended, if it did. Raises StoreError as `load` does."""
        if ROOT not in self._lengths:
            return None
        with self._file.explained():
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
        with self._file.explained():
            states = [self._replayed(session, kind) for session in self._lengths]
        for state in states:
            _forget_missing(state, self.has)
        return states

    def close(self) -> None:
        """Nothing is stored any more; others may open the file."""
        self._file.close()

    # -- what cannot be written ------------------------------------------------------------

    def _fail(self, error: sqlite3.Error) -> None:
        self._again_at = time.monotonic() + AGAIN_SECONDS
        self._tell(reason(error))

    def _tell(self, trouble: str) -> None:
        if bool(trouble) != bool(self.trouble):
            self.on_trouble(trouble)
        self.trouble = trouble

    # -- sessions --------------------------------------------------------------------------

    def _append(self, state: Session, now: float, message: Message) -> None:
        session, seq = state.name, state.seq
        frame = b"" if seq == 1 or self._is_long(session) else self._frame(state, now, message)
        if frame:
            row = sealed(frame, session, seq)
            self._file.execute(_APPEND, (session, seq, row))
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
        except LocalProtocolError:
            return b""

    def _begin(self, state: Session) -> None:
        """All that was stored of the session gives way to its state now."""
        session = state.name
        snapshot = msgspec.msgpack.encode(state.snapshot())
        with self._file.transaction():
            self._file.execute(_FORGET, (session,))
            self._file.execute(_BEGIN, (session, sealed(snapshot, session)))
        self._lengths[session] = _Length(len(snapshot))

    def _replayed(self, session: str, kind: Kind) -> Session:
        (row,) = self._file.execute(_SNAPSHOT, (session,)).fetchone()
        state = Session.restore(kind, msgspec.msgpack.decode(self._file.whole(row, session)))
        for seq, row in self._file.execute(_MESSAGES, (session,)):
            ordered = wire.decode(self._file.whole(row, session, seq)[HEADER.size :])
            if not isinstance(ordered, wire.Ordered) or not ordered.seq == seq == state.seq + 1:
                raise StoreError(f"{self.path} is damaged: message {seq} of {session}")
            state.apply(ordered.time, ordered.message)
        return state

    def _measure(self) -> None:
        self._file.check()
        for session, size, messages in self._file.execute(_LENGTHS):
            self._lengths[session] = _Length(size, messages)


def _ignore(trouble: str) -> None:
    pass


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
