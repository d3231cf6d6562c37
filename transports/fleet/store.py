"""The jobs of a fleet in one SQLite file (`transports/process/sealedfile.py`), so that a root that
is started again has them.

Rules it keeps:
- A row a job, as it is now. What is told to a client is on the disk before (synchronous=FULL):
  that it is accepted, that its end is asked for, what came of it. That it runs is not: whoever
  starts again computes it anew.
- One change, with all that had to make room for it, is one transaction; `Jobs` says how much is
  kept, and the file holds what it knows.
- A job that cannot be stored is not accepted. What came of one that was is told in any case, and
  stored as soon as that is possible: it is tried again every now and then.
- What functions have raised is stored now and then, and with the end of the job: of the last second
  before the root was killed it may be lost.
- That somebody was told what came of a job is stored with whatever is next, or a moment later.
- The number that was given last is stored with the job, and outlives it: no number is used twice.
- The fleet has an id, drawn when the file is made. By it clients know the fleet again.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from transports.fleet.failures import Failures
from transports.fleet.job import Job, Refusal, State
from transports.net import wire
from transports.net.frames import HEADER
from transports.process.sealedfile import (
    FLEET_APPLICATION,
    Format,
    SealedFile,
    StoreError,
    reason,
    sealed,
)

ID_BYTES = 16
AGAIN_SECONDS = 1.0  # after nothing could be written

_TABLES = (
    "CREATE TABLE fleet (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE jobs (number INTEGER PRIMARY KEY, job BLOB)",
    "CREATE TABLE failures (number INTEGER PRIMARY KEY, failures BLOB)",
)
FORMAT = Format(FLEET_APPLICATION, 2, _TABLES, synchronous="FULL")

_SET = "INSERT OR REPLACE INTO fleet VALUES (?, ?)"
_PUT = "INSERT OR REPLACE INTO jobs VALUES (?, ?)"
_FORGET = "DELETE FROM jobs WHERE number = ?"
_PUT_FAILURES = "INSERT OR REPLACE INTO failures VALUES (?, ?)"
_FORGET_FAILURES = "DELETE FROM failures WHERE number = ?"


def drawn_id() -> str:
    """For a fleet: no two have the same."""
    return secrets.token_hex(ID_BYTES)


class _Row(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A job, as it is stored. What travels is stored as it does."""

    submit: bytes
    outcome: bytes | None
    said: bytes
    state: State
    submitted: float
    started: float | None
    ended: float | None
    rank: int
    nodes: int
    partitions: int
    accepted: int
    cancel_asked: bool
    submitter: int
    priority: int
    weight: float
    told: bool = False


class _File(SealedFile):
    """The file of a fleet."""

    def fill(self) -> None:
        """An id, and no job."""
        self.set("id", drawn_id())
        self.set("last", 0)

    def set(self, name: str, value: str | int) -> None:
        """Raises sqlite3.Error."""
        self.execute(_SET, (name, sealed(msgspec.msgpack.encode(value), name)))

    def fleet(self) -> tuple[str, int]:
        """Its id, and the number that was given last."""
        rows = self.execute("SELECT name, value FROM fleet")
        found = {name: msgspec.msgpack.decode(self.whole(row, name)) for name, row in rows}
        return found["id"], found["last"]


class Store:
    """Open from when this is made until `close`. Raises StoreError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.behind: dict[int, Job | None] = {}  # what is to be stored, None: forgotten
        self.trouble = ""  # why that is
        self._noted: dict[int, Job] = {}  # to be stored with whatever is next
        self.on_trouble: Callable[[str], None] = _ignore  # told that, and "" when all is stored
        self._again_at = 0.0  # by the monotonic clock
        self._file = file = _File(path, FORMAT)
        try:
            with file.explained():
                file.open()
                file.check()
                self.fleet, self.last = file.fleet()
        except BaseException:
            self.close()
            raise

    def add(self, job: Job) -> None:
        """It is stored when this returns. Raises Refusal."""
        if self.behind and not self.catch_up():
            raise _unstored(self.trouble)
        try:
            self._write({job.number: job}, last=job.number)
        except sqlite3.Error as error:
            raise _unstored(reason(error)) from error

    def put(self, changed: Iterable[Job], forgotten: Iterable[Job] = ()) -> None:
        """Store them as they are. What cannot be stored now is stored later."""
        at_once = not self.behind
        self.behind |= {job.number: job for job in changed}
        self.behind |= dict.fromkeys((job.number for job in forgotten), None)
        self.catch_up(at_once)

    def note(self, job: Job) -> None:
        """Store it as it is with whatever is stored next, or when `catch_up` is called."""
        self._noted[job.number] = job

    def catch_up(self, at_once: bool = False) -> bool:
        """Store what is missing, if it is time to try again. Says whether nothing is missing."""
        if (self.behind or self._noted) and (at_once or time.monotonic() >= self._again_at):
            try:
                self._write(self.behind)
            except sqlite3.Error as error:
                self._again_at = time.monotonic() + AGAIN_SECONDS
                self._tell(reason(error))
            else:
                self.behind = {}
                self._tell("")
        return not self.behind

    def put_failures(self, found: Mapping[int, Failures]) -> bool:
        """Store what has raised, by number of the job; whether that was possible."""
        try:
            with self._file.transaction():
                for number, failures in found.items():
                    row = sealed(failures.packed(), "failures", number)
                    self._file.execute(_PUT_FAILURES, (number, row))
        except sqlite3.Error as error:
            self._again_at = time.monotonic() + AGAIN_SECONDS
            self._tell(reason(error))
            return False
        for failures in found.values():
            failures.stored = True
        if not self.behind:
            self._tell("")
        return True

    def load_failures(self) -> dict[int, Failures]:
        """What has raised, by number of the job. Raises StoreError."""
        with self._file.explained():
            rows = self._file.execute("SELECT number, failures FROM failures")
            return {
                number: Failures.of(self._file.whole(row, "failures", number))
                for number, row in rows
            }

    def load(self) -> list[Job]:
        """What is stored, by number. Raises StoreError."""
        with self._file.explained():
            rows = self._file.execute("SELECT number, job FROM jobs ORDER BY number")
            jobs = [_decoded(number, self._file.whole(row, number)) for number, row in rows]
        if jobs and jobs[-1].number > self.last:
            raise StoreError(f"{self.path} is damaged: it has jobs after the last one")
        return jobs

    def close(self) -> None:
        """Nothing is stored any more; others may open the file."""
        self._file.close()

    def _tell(self, trouble: str) -> None:
        if bool(trouble) != bool(self.trouble):
            self.on_trouble(trouble)
        self.trouble = trouble

    def _write(self, changes: Mapping[int, Job | None], last: int | None = None) -> None:
        """All of them, or nothing. Raises sqlite3.Error."""
        with self._file.transaction():
            for number, job in {**self._noted, **changes}.items():
                if job is None:
                    self._file.execute(_FORGET, (number,))
                    self._file.execute(_FORGET_FAILURES, (number,))
                else:
                    self._file.execute(_PUT, (number, sealed(_encoded(job), number)))
            if last is not None:
                self._file.set("last", last)
        self._noted = {}


def _ignore(trouble: str) -> None:
    pass


def _unstored(why: str) -> Refusal:
    return Refusal(f"the job cannot be stored: {why}: submit it again when that is mended")


# -- rows ----------------------------------------------------------------------------------


def _encoded(job: Job) -> bytes:
    row = _Row(
        wire.encode(wire.Submit(job.key, job.spec, job.user)),
        None if job.outcome is None else wire.encode(job.outcome),
        job.said,
        job.state,
        job.submitted,
        job.started,
        job.ended,
        job.rank,
        job.nodes,
        job.partitions,
        job.accepted,
        job.cancel_asked,
        job.submitter,
        job.priority,
        job.weight,
        job.told,
    )
    return msgspec.msgpack.encode(row)


def _decoded(number: int, data: bytes) -> Job:
    """Raises ValueError, and what decoding raises."""
    row = msgspec.msgpack.decode(data, type=_Row)
    submit = wire.decode(row.submit[HEADER.size :])
    outcome = None if row.outcome is None else wire.decode(row.outcome[HEADER.size :])
    if not isinstance(submit, wire.Submit) or not isinstance(outcome, wire.Outcome | None):
        raise ValueError(f"job {number} is none")
    return Job(
        number,
        submit.key,
        submit.spec,
        row.submitted,
        row.state,
        row.started,
        row.ended,
        user=submit.user,
        nodes=row.nodes,
        partitions=row.partitions,
        accepted=row.accepted,
        cancel_asked=row.cancel_asked,
        outcome=outcome,
        said=row.said,
        size=len(row.outcome or b""),
        rank=row.rank,
        submitter=row.submitter,
        priority=row.priority,
        weight=row.weight,
        told=row.told,
    )
