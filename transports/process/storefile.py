"""The SQLite file below a store of one job (`sealedfile.py`): which job that is, and its keys.

Rules it keeps, besides those of the file:
- It belongs to one job. For another one it is left as it is.
- The keys of the computation are drawn when the file is made, and stay; so a host that is started
  again is known by what the one before it had said.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import msgspec

from core.messages import Value
from transports.process.keys import KEY_BYTES, Keys
from transports.process.sealedfile import JOB_APPLICATION, Format, SealedFile, StoreError, sealed

_TABLES = (
    "CREATE TABLE job (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE keys (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE sessions (session TEXT PRIMARY KEY, snapshot BLOB)",
    "CREATE TABLE messages (session TEXT, seq INTEGER, message BLOB, PRIMARY KEY (session, seq))"
    " WITHOUT ROWID",
)
FORMAT = Format(JOB_APPLICATION, 4, _TABLES, synchronous="NORMAL")
_ORPHANS = "SELECT count(*) FROM messages WHERE session NOT IN (SELECT session FROM sessions)"


class StoreFile(SealedFile):
    """`open`, `read_keys` and `belong` come first, in `explained`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, FORMAT)

    def fill(self) -> None:
        """The keys, which are drawn."""
        for name, key in attrs.asdict(Keys.drawn()).items():
            self.execute("INSERT INTO keys VALUES (?, ?)", (name, sealed(key, name)))

    def check(self) -> None:
        """Raises StoreError where it is not what was written."""
        super().check()
        (orphans,) = self.execute(_ORPHANS).fetchone()
        if orphans:
            raise StoreError(f"{self.path} is damaged: it has messages of no session")

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
