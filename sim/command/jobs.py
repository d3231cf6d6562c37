"""A file of jobs for a fleet: JSON, or TOML where its name ends so. What is wrong is one line."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import attrs

from sim.options import AT_MAX, Job

# What a job may have besides that: when, how urgent, and of the options of a world.
CUTTING = ("partitions", "fanout", "delay", "piece_timeout")
FIELDS = ("name", "at", "priority", "cancel", *attrs.fields_dict(Job), *CUTTING)
HELP = """\
A FILE of jobs is a list of objects in JSON, or tables [[jobs]] in TOML (a name in .toml). Each may
have a name; at and cancel, the seconds at which it is submitted and cancelled; a priority, a whole
number, of which the highest goes first; and job, prepare, compute, collect, input, keep_going,
partitions, fanout, delay and piece_timeout. What it does not have is as the options say."""
JOBS_MAX = 100_000


@attrs.frozen
class Entry:
    """One job of such a file. `where`: by what it is called in complaints."""

    where: str
    name: str | None
    at: float
    priority: int
    cancel: float | None
    options: dict[str, Any]  # of a world


def read(path: str) -> list[Entry]:
    """The jobs in it. Raises ValueError with one line that names file, job and field."""
    found = _parsed(path)
    if isinstance(found, dict) and found.keys() == {"jobs"}:
        found = found["jobs"]
    if not isinstance(found, list) or not found:
        raise ValueError(f"{path!r:.80} has no jobs: give a list of objects, one a job")
    if len(found) > JOBS_MAX:
        raise ValueError(f"{path!r:.80} has {len(found):,} jobs: give {JOBS_MAX:,} or fewer")
    return [_entry(path, number, one) for number, one in enumerate(found, 1)]


def _parsed(path: str) -> Any:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ValueError(f"{path!r:.80}: {why}; give a file of jobs, JSON or TOML") from None
    try:
        return tomllib.loads(text) if path.endswith(".toml") else json.loads(text)
    except RecursionError:
        raise ValueError(f"{path!r:.80} is nested too deeply, flatten it") from None
    except ValueError as error:
        kind = "TOML" if path.endswith(".toml") else "JSON (TOML has a name in .toml)"
        raise ValueError(f"{path!r:.80} is no {kind}: {error}") from None


def _entry(path: str, number: int, given: Any) -> Entry:
    where = f"{path}, job {number}"
    if not isinstance(given, dict):
        raise ValueError(f'{where} must be an object such as {{"at": 5}}, not {given!r:.60}')
    name = given.get("name")
    if name is not None and not (isinstance(name, str) and name.isprintable() and name):
        raise ValueError(f"{where}: name must be text of one line, not {name!r:.60}")
    where += f" ({name:.40})" if name else ""
    if unknown := given.keys() - {*FIELDS}:
        raise ValueError(f"{where}: there is no field {min(unknown)!r:.60}: {', '.join(FIELDS)}")
    at = _seconds(where, "at", given.get("at", 0.0), 0.0)
    cancel = given.get("cancel")
    if cancel is not None:
        cancel = _seconds(where, "cancel", cancel, at)
    priority = given.get("priority", 0)
    if type(priority) is not int:
        raise ValueError(f"{where}: priority must be a whole number, not {priority!r:.60}")
    own = ("name", "at", "priority", "cancel")
    options = {field: value for field, value in given.items() if field not in own}
    return Entry(where, name, at, priority, cancel, options)


def _seconds(where: str, field: str, value: Any, least: float) -> float:
    if type(value) not in (int, float) or not least <= value <= AT_MAX:
        since = f", which is when it comes, to {AT_MAX:g}" if least else f" to {AT_MAX:g}"
        raise ValueError(
            f"{where}: {field} must be seconds from {least:g}{since}, not {value!r:.60}"
        )
    return float(value)
