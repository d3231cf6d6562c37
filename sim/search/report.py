"""What a search found: for people, as one JSON object, as files, and live on a terminal."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from plugins.console.progress import left
from sim.faults import script
from sim.search.invariants import ALIKE
from sim.search.results import Result
from sim.search.shrink import Shrunk
from sim.search.trial import Trial, Violation
from sim.search.worker import from_plain, to_plain

WIDTH = 100
NAMES_WIDTH = 14
EVENTS_MAX = 20  # of a violation, for people; JSON and --verbose have all of all
EVENT_WIDTH = 140
FAULTS_MAX = 40


@attrs.define
class Failure:
    """A trial that broke a promise."""

    seed: int
    violation: Violation
    trial: Trial | None  # None where not even that could be had
    replay: str  # the command
    shrunk: Shrunk | None = None
    shrunk_violation: Violation | None = None
    shrunk_replay: str | None = None


@attrs.define
class Tally:
    """A search so far."""

    wanted: int | None  # seeds; None where only time ends it
    seeds: int = 0
    first: int | None = None  # of these seeds
    last: int | None = None
    stopped: str = ""  # why there are not more
    failure_seconds: float = 0.0  # of wall time, for looking into failures and shrinking them
    failed: int = 0  # seeds
    violations: int = 0
    twice: int = 0
    differed: int = 0
    messages: int = 0
    hits: dict[str, int] = attrs.Factory(dict)  # by probe
    runs: dict[str, int] = attrs.Factory(dict)  # seeds that hit it, by probe
    failures: list[Failure] = attrs.Factory(list)

    def add(self, result: Result, seed: int) -> None:
        self.seeds += 1
        self.first = seed if self.first is None else self.first
        self.last = seed
        self.failed += result.fails
        self.violations += result.run.outcome.violation is not None
        self.twice += len(result.runs) == 2
        self.differed += result.differs
        self.messages += sum(run.outcome.messages for run in result.runs)
        for probe, hits in result.run.outcome.probes.items():
            self.hits[probe] = self.hits.get(probe, 0) + hits
            self.runs[probe] = self.runs.get(probe, 0) + (hits > 0)

    @property
    def never_reached(self) -> list[str]:
        return [probe for probe, runs in self.runs.items() if not runs]


# -- for people ----------------------------------------------------------------------------


def failure(found: Failure) -> str:
    """Everything that is known of a failure before it is shrunk."""
    title = f"seed {found.seed} fails: {found.violation.invariant}"
    rows = [*_violation(found.violation), *_trial(found.trial), ("replay", found.replay)]
    return _block(title, rows)


def passed(seed: int, trial: Trial | None) -> str:
    """What was run where nothing failed."""
    return _block(f"seed {seed}: every promise was kept", _trial(trial))


def shrunk(found: Failure) -> str:
    """The smaller trial that fails in the same way."""
    assert found.shrunk
    assert found.trial
    small, runs = found.shrunk.trial, f"{found.shrunk.runs} runs"
    if small == found.trial:
        return f"  nothing simpler fails in the same way ({runs})\n"
    end = "" if found.shrunk.finished else ", which were all there was time for"
    title = f"seed {found.seed} shrunk in {runs}{end}: {_changes(found.trial, small)}"
    told = _violation(found.shrunk_violation) if found.shrunk_violation else []
    replay = [("replay", found.shrunk_replay)] if found.shrunk_replay else []
    return _block(title, [*told, *_trial(small), *replay])


def _changes(before: Trial, after: Trial) -> str:
    counts = [
        (name, before.world.get(name), after.world.get(name)) for name in ("nodes", "partitions")
    ]
    counts.append(("faults", len(before.faults), len(after.faults)))
    counts.append(("options", len(before.world), len(after.world)))
    changed = [(name, old, new) for name, old, new in counts if old != new]
    return (
        ", ".join(f"{name} {old} to {new}" for name, old, new in changed)
        or "the same numbers, but simpler"
    )


def _violation(violation: Violation) -> list[tuple[str, str]]:
    events = violation.events
    left_out = len(events) - EVENTS_MAX
    shown = [_cut(event) for event in events[max(left_out, 0) :]]
    if left_out > 0:
        shown.insert(0, f"({left_out} earlier ones)")
    name = "traceback" if events and events[0].startswith("Traceback") else "last events"
    if violation.invariant == ALIKE:
        name = "both runs"
    rows = [("found", violation.detail)]
    if violation.at:
        rows.append(("at", f"{violation.at:,.3f} s simulated"))
    return [*rows, (name, "\n".join(shown))] if events else rows


def _cut(line: str) -> str:
    return line if len(line) <= EVENT_WIDTH else f"{line[: EVENT_WIDTH - 3]}..."


def _trial(trial: Trial | None) -> list[tuple[str, str]]:
    if trial is None:
        return [("world", "not known: it ended before the trial was drawn")]
    options = ", ".join(f"{name} {_value(value)}" for name, value in trial.world.items())
    lines = [script.line(fault) for fault in trial.faults]
    if len(lines) > FAULTS_MAX:
        lines[FAULTS_MAX:] = [f"... and {len(lines) - FAULTS_MAX} more"]
    rows = [
        ("world", "\n".join(textwrap.wrap(options, WIDTH - NAMES_WIDTH)) or "all by default"),
        ("faults", "\n".join(lines) or "none"),
        ("faults end", f"after {trial.safety_seconds:g} s simulated"),
    ]
    if trial.jobs:
        rows.append(("jobs", "\n".join(map(_job, trial.jobs))))
    several = {"stay dead": trial.dead, "lie": trial.liars, "always slow": trial.slow}
    numbers = {name: ", ".join(map(str, nodes)) for name, nodes in several.items()}
    return [*rows, *((name, f"nodes {nodes}") for name, nodes in numbers.items() if nodes)]


def _job(job: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in job.items() if value is not None)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _block(title: str, rows: list[tuple[str, str]]) -> str:
    """Names and values side by side, all lines of a value below each other."""
    lines = [title, ""]
    for name, value in rows:
        first, *others = value.splitlines() or [""]
        lines.append(f"  {name:<{NAMES_WIDTH - 2}}{first}")
        lines += [f"{'':{NAMES_WIDTH}}{other}" for other in others]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def summary(tally: Tally, wall_seconds: float) -> str:
    """How the search went."""
    wall = f"{_duration(wall_seconds)}, {_rate(tally, wall_seconds)} seeds a second"
    if tally.failure_seconds:
        wall += f" besides {_duration(tally.failure_seconds)} for failures"
    rows = [
        ("seeds", _seeds(tally)),
        ("violations", f"{tally.violations:,}" if tally.violations else "none"),
        ("done twice", f"{tally.twice:,}{_differed(tally)}"),
        ("messages", f"{tally.messages:,}"),
        ("wall time", wall),
    ]
    lines = [f"{name:<{NAMES_WIDTH}}{value}" for name, value in rows]
    return "\n".join([*lines, *_probes(tally)])


def _seeds(tally: Tally) -> str:
    wanted = "" if tally.wanted in (None, tally.seeds) else f" of {tally.wanted:,}"
    which = f", {tally.first} to {tally.last}" if tally.seeds > 1 else f", {tally.first}"
    stopped = f", {tally.stopped}" if tally.stopped else ""
    return f"{tally.seeds:,}{wanted}{which if tally.seeds else ''}{stopped}"


def _differed(tally: Tally) -> str:
    if not tally.twice:
        return ""
    return f", of which {tally.differed:,} differed" if tally.differed else ", none differed"


def _rate(tally: Tally, wall_seconds: float) -> str:
    return f"{tally.seeds / max(wall_seconds - tally.failure_seconds, 1e-9):,.1f}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def _probes(tally: Tally) -> Iterator[str]:
    reached = {probe: hits for probe, hits in tally.hits.items() if tally.runs[probe]}
    if reached:
        width = max(len(name) for name in ("reached", *reached))
        yield ""
        yield f"{'reached':<{width}}  {'times':>12}  {'in runs':>9}"
        for probe, hits in reached.items():
            yield f"{probe:<{width}}  {hits:>12,}  {tally.runs[probe]:>9,}"
    if tally.never_reached and tally.wanted != 1:  # one run cannot reach everything
        yield ""
        yield "never reached:"
        yield from (f"  {probe}" for probe in tally.never_reached)


# -- for programs, and to be replayed --------------------------------------------------------


def as_json(tally: Tally, wall_seconds: float) -> str:
    """One object with all that is known."""
    probes = {name: {"hits": tally.hits[name], "runs": tally.runs[name]} for name in tally.runs}
    return json.dumps(
        {
            "seeds": tally.seeds,
            "wanted": tally.wanted,
            "first": tally.first,
            "last": tally.last,
            "stopped": tally.stopped,
            "violations": tally.violations,
            "twice": tally.twice,
            "differed": tally.differed,
            "messages": tally.messages,
            "wall_seconds": wall_seconds,
            "failure_seconds": tally.failure_seconds,
            "probes": probes,
            "never_reached": tally.never_reached,
            "failures": [_failure_fields(found) for found in tally.failures],
        }
    )


def _failure_fields(found: Failure) -> dict[str, Any]:
    fields = attrs.asdict(found, recurse=False)
    for name in ("violation", "shrunk_violation"):
        fields[name] = fields[name] and attrs.asdict(fields[name])
    fields["trial"] = found.trial and to_plain(found.trial)
    if found.shrunk:
        fields["shrunk"] = {
            "trial": to_plain(found.shrunk.trial),
            "runs": found.shrunk.runs,
            "finished": found.shrunk.finished,
        }
    return fields


def save(path: Path, trial: Trial, violation: Violation) -> None:
    """Write a trial, with what it violates, for a person and for `load`. Raises OSError."""
    found = {"invariant": violation.invariant, "detail": violation.detail, "at": violation.at}
    path.write_text(
        json.dumps({**to_plain(trial), "found": found}, indent=2) + "\n", encoding="utf-8"
    )


def load(path: Path) -> Trial:
    """A saved trial. Raises ValueError with one line for what is none, and OSError."""
    return from_plain(json.loads(path.read_text(encoding="utf-8")))


# -- live ----------------------------------------------------------------------------------


def progress_line(tally: Tally, wall_seconds: float, seconds_left: float | None) -> str:
    """Seeds done, how fast, violations, and when it may be over."""
    wanted = "" if tally.wanted is None else f" of {tally.wanted:,}"
    parts = [
        f"{tally.seeds:,}{wanted} seeds",
        f"{_rate(tally, wall_seconds)} a second",
        f"{tally.failed:,} failed",
    ]
    if seconds_left is not None:
        parts.append(left(seconds_left))
    return "  ".join(parts)
