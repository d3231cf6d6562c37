"""Which jobs a process computes, and whether two processes have the same one.

Rules it keeps:
- What is loaded is named by whoever runs this process, never by what came over the wire: a name
  that came is only looked up, among the modules of `plugins` and what `--allow` names, and each
  process loads its own copy.
- Over the wire a module is called by its dotted name, and a file by its own name, without folders.
- A function that is named apart (`--compute MODULE_OR_FILE:NAME`) must be a public one that was
  written in an allowed module, not one that the module imports: else whoever names a job could
  have anything called that any job has imported.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from attrs import frozen

from plugins.jobs.loading import Job, JobError, beside, load, resolved
from transports.work.code import Code

ALLOWED = ("plugins.*",)
ANY = ""  # whatever is named is allowed, a file by its whole path; no --allow says so
PARTS = ("prepare", "compute", "collect")

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_FILE = re.compile(r"[\w\- ][\w\-. ]*\.py")
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_SHOWN = 80  # characters of a name that came over the wire
_START = "start 'join' (and 'serve') with --allow"  # whoever reads it may have typed another one


@frozen
class Chosen:
    """A job that this process computes. `name` and `parts` are what to load here."""

    name: str
    parts: dict[str, str]
    job: Job | None  # None: another process has loaded it
    fingerprint: str  # as it was when it was loaded
    code: Code | None = None  # that has come from elsewhere
    input: str = ""  # SHA-256 in hexadecimal of what the root session is to be given; "": anything
    signer: str = ""  # whose jobs may share a computing process, one after the other

    @property
    def asynchronous(self) -> bool:
        """Whether compute is to be awaited, by this process."""
        return self.job is not None and self.job.asynchronous


def called(name: str) -> str:
    """What a job, or a part of one, is called over the wire: a file without its folders."""
    place, colon, function = _divided(name)
    if _is_file(place):
        place = os.path.basename(place)
    return f"{place}{colon}{function}"


def chosen(name: str, parts: Mapping[str, str], allow: Sequence[str] = ()) -> Chosen:
    """The job that the host calls `name`, its other functions in `parts`. Raises JobError."""
    found = allowed(name, allow)
    for part in parts:
        if part not in PARTS:
            raise JobError(f"a job has no part {part!r:.{_SHOWN}}, only {', '.join(PARTS)}")
    return own(found, {part: _allowed_part(named, allow) for part, named in sorted(parts.items())})


def own(name: str, parts: Mapping[str, str]) -> Chosen:
    """The job that whoever runs this process names. Raises JobError."""
    job = load(name, **parts)
    return Chosen(name, dict(parts), job, fingerprint(job))


def allowed(name: str, allow: Sequence[str] = ()) -> str:
    """What to load here for the job that the host calls `name`. Raises JobError, in one line."""
    if ANY in allow:
        return name
    if _FILE.fullmatch(name):
        for entry in allow:
            if _is_file(entry) and os.path.basename(entry) == name:
                return entry
    elif _DOTTED.fullmatch(name):
        for entry in (*ALLOWED, *allow):
            if name == entry or (entry.endswith(".*") and name.startswith(entry[:-1])):
                return name
    raise _refusal(name, allow)


def _refusal(name: str, allow: Sequence[str]) -> JobError:
    shown, those = f"{name!r:.{_SHOWN}}", ", ".join((*ALLOWED, *allow))
    if _FILE.fullmatch(name):
        remedy = f"{_START} FOLDER/{name} if you trust it, with the folder where it is there"
    elif _DOTTED.fullmatch(name):
        remedy = f"{_START} {name} if you trust it"
    else:
        remedy = "a job is a dotted module name, or a file name that ends in .py"
    return JobError(f"job {shown} is not allowed here, only {those}: {remedy}")


def _allowed_part(named: str, allow: Sequence[str]) -> str:
    """What to load for one function."""
    place, colon, name = _divided(named)
    found = allowed(place, allow)
    if colon and name not in PARTS:
        home = resolved(found)
        by_default = found not in allow and found.startswith("plugins.")
        is_job = any(hasattr(home, part) for part in PARTS)  # else it is what jobs are loaded with
        if not _defines(home, name) or (by_default and not is_job):
            raise JobError(f"{name!r:.{_SHOWN}} is no function of the job {place!r}: name another")
    return f"{found}{colon}{name}"


def _defines(home: object, name: str) -> bool:
    """Whether it is a public function that was written there."""
    function = _plain(getattr(home, name, None)) if _NAME.fullmatch(name) else None
    own = getattr(home, "__name__", None) == getattr(function, "__module__", "")
    return inspect.isfunction(function) and own


def place(named: str) -> str:
    """The module or file of a job or a part."""
    return _divided(named)[0]


def _divided(named: str) -> tuple[str, str, str]:
    """Place, colon, name: as plugins.jobs.loading reads them."""
    place, colon, name = named.rpartition(":")
    if not colon or _is_file(name):
        return named, "", ""
    return place, colon, name


def _is_file(name: str) -> bool:
    return name.endswith(".py") or os.sep in name


# -- the same code -------------------------------------------------------------------------


def fingerprint(job: Job) -> str:
    """SHA-256, in hexadecimal, over the names of a job's functions and the sources of the modules
    that they are from: two processes for which it is the same compute the same.

    What a job file imports from its own folder counts. Other modules that are imported do not, nor
    does where the files are, or how their lines end. For a module without source, one built in or
    compiled, its name stands. Raises JobError where a source that is there cannot be read.
    """
    digest = hashlib.sha256()
    for part in PARTS:
        function = _plain(getattr(job, part))
        name = getattr(function, "__qualname__", type(function).__qualname__)
        for piece in (part.encode(), name.encode(), *_sources(function)):
            digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.hexdigest()


def _plain(function: Any) -> Any:
    """Without what was put around it."""
    while isinstance(function, partial):
        function = function.func
    return inspect.unwrap(function)


def _sources(function: Any) -> list[bytes]:
    """Of its module, and of what that imports from its folder."""
    home = getattr(function, "__module__", None) or type(function).__module__
    others = [piece for path, source in beside(home).items() for piece in (path.encode(), source)]
    return [_source(function), *others]


def _source(function: Any) -> bytes:
    name = getattr(function, "__module__", None) or type(function).__module__
    path = getattr(sys.modules.get(name), "__file__", None)
    if path is not None and path.endswith(".py"):
        try:
            with open(path, "rb") as file:
                return file.read().replace(b"\r\n", b"\n")
        except FileNotFoundError:
            pass
        except OSError as error:
            raise JobError(f"the source {path!r} cannot be read: {error.strerror}") from error
    return name.encode()
