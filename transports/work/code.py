"""Code that has come from elsewhere, as a computing process makes a job of it.

Nothing of it is unpacked or loaded anywhere else. Whether it may run was decided before
(`transports/signing/deciding.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from plugins.jobs.loading import Job, is_path, load, resolved

PICKLED = "transports.fleet.signed_calls"  # makes a job of functions of a program


class Code(msgspec.Struct, frozen=True):
    """`modules`: of sources, by file, the SHA-256. `pickled`: it is of calls, without modules."""

    data: bytes
    modules: dict[str, str]
    pickled: bool


def job_of(code: Code, name: str, parts: Mapping[str, str], folder: Path) -> Job:
    """Its functions. The modules are unpacked in a new folder below this one, which is the first
    place in which this process looks for modules from now on. Raises ValueError, OSError."""
    if code.pickled:
        pickled: Job = resolved(PICKLED).job(code.data)  # type: ignore[attr-defined]
        return pickled
    from transports.signing.bundle import unpack  # which takes a while to load, and few need it

    own = Path(tempfile.mkdtemp(prefix="code-", dir=folder))
    unpack(code.data, code.modules, own)
    places = {part: str(own / named) if is_path(named) else named for part, named in parts.items()}
    job = load(str(own / name) if is_path(name) else name, **places)
    return job.synchronous()  # there is no loop for it here
