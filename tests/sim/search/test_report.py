"""What a person reads, and what is saved."""

from __future__ import annotations

import io
import json
from pathlib import Path

import attrs
import pytest

from plugins.console.progress import progress
from sim.search import report
from sim.search.report import Failure, Tally
from sim.search.results import Result, Run
from sim.search.shrink import Shrunk
from sim.search.trial import Outcome, Trial, Violation
from tests.sim.search.standin import FAULTS, VIOLATION, draw

TRIAL = draw(17)
FAILURE = Failure(17, VIOLATION, TRIAL, "python -m sim.search --seed 17")

FAILED = """\
seed 17 fails: all is well

  found       it is not
  at          2.500 s simulated
  last events one event
              another
  world       nodes 20, latency uniform:1,3
  faults      at 0.5 crash node 1
              at 1 crash node 2
              at 1.5 crash node 3
              at 2 crash node 4
              at 2.5 crash node 5
              at 3 crash node 6
              at 3.5 crash node 7
              at 4 crash node 8
  faults end  after 30 s simulated
  stay dead   nodes 4, 7
  replay      python -m sim.search --seed 17
"""

SHRUNK = """\
seed 17 shrunk in 12 runs: nodes 20 to 2, faults 8 to 1, options 2 to 1

  found       it is not
  at          2.500 s simulated
  last events one event
              another
  world       nodes 2
  faults      at 1.5 crash node 3
  faults end  after 3 s simulated
  replay      python -m sim.search --replay failure-17.json
"""

SUMMARY = """\
seeds         3 of 1,000, 7 to 9, stopped, as 1 failed
violations    1
done twice    1, none differed
messages      4,000
wall time     3.00 s, 1.5 seeds a second besides 1.00 s for failures

reached               times    in runs
a leader left         2,000          2

never reached:
  a host, left"""


def result(seed: int, *outcomes: Outcome) -> Result:
    return Result(seed, tuple(Run(draw(seed), o, i) for i, o in enumerate(outcomes, 1)))


def outcome(hits: int = 0, violation: Violation | None = None) -> Outcome:
    return Outcome(violation, {"a leader left": hits, "a host, left": 0}, "d", 1000)


@pytest.fixture
def tally() -> Tally:
    tally = Tally(1000, stopped="stopped, as 1 failed", failure_seconds=1.0)
    tally.add(result(7, outcome(1999)), 7)
    tally.add(result(8, outcome(1), outcome(1)), 8)
    tally.add(result(9, outcome(0, VIOLATION)), 9)
    return tally


def test_a_failure_is_told_whole() -> None:
    assert report.failure(FAILURE) == FAILED


def test_a_shrunk_failure_is_told_whole() -> None:
    small = Trial(17, {"nodes": 2}, FAULTS[2:3], 3.0, ())
    found = attrs.evolve(
        FAILURE,
        shrunk=Shrunk(small, 12, finished=True),
        shrunk_violation=VIOLATION,
        shrunk_replay="python -m sim.search --replay failure-17.json",
    )
    assert report.shrunk(found) == SHRUNK


def test_what_cannot_be_shrunk_or_only_so_far_is_told() -> None:
    found = attrs.evolve(FAILURE, shrunk=Shrunk(TRIAL, 12, finished=True))
    assert report.shrunk(found) == "  nothing simpler fails in the same way (12 runs)\n"
    small = attrs.evolve(TRIAL, safety_seconds=1.0)
    found = attrs.evolve(FAILURE, shrunk=Shrunk(small, 300, finished=False))
    first = report.shrunk(found).splitlines()[0]
    assert "300 runs, which were all there was time for: the same numbers" in first


def test_a_trial_that_is_not_known_is_said_to_be() -> None:
    assert "not known" in report.failure(attrs.evolve(FAILURE, trial=None))


def test_long_lists_and_lines_are_cut() -> None:
    trial = attrs.evolve(TRIAL, faults=FAULTS * 20)
    violation = attrs.evolve(VIOLATION, events=("early", *["x" * 1000] * 20))
    text = report.failure(attrs.evolve(FAILURE, trial=trial, violation=violation))
    assert "(1 earlier ones)" in text
    assert "... and 120 more" in text
    assert max(map(len, text.splitlines())) < 160


def test_the_summary_says_what_was_never_reached(tally: Tally) -> None:
    assert report.summary(tally, 3.0) == SUMMARY


def test_one_run_need_not_reach_everything() -> None:
    tally = Tally(1)
    tally.add(result(7, outcome(1)), 7)
    assert "never reached" not in report.summary(tally, 1.0)


def test_nothing_may_have_been_done() -> None:
    text = report.summary(Tally(None, stopped="interrupted"), 0.0)
    assert text.splitlines()[0].split(maxsplit=1) == ["seeds", "0, interrupted"]


def test_runs_that_differ_are_counted_once_a_seed() -> None:
    tally = Tally(1)
    other = attrs.evolve(outcome(1, VIOLATION), digest="another")
    tally.add(result(7, outcome(1, VIOLATION), other), 7)
    assert (tally.failed, tally.violations, tally.twice, tally.differed) == (1, 1, 1, 1)
    assert tally.runs["a leader left"] == 1


def test_json_has_all(tally: Tally) -> None:
    tally.failures.append(attrs.evolve(FAILURE, shrunk=Shrunk(TRIAL, 12, finished=True)))
    found = json.loads(report.as_json(tally, 3.0))
    assert (found["seeds"], found["wanted"], found["first"], found["last"]) == (3, 1000, 7, 9)
    assert found["probes"]["a leader left"] == {"hits": 2000, "runs": 2}
    assert found["never_reached"] == ["a host, left"]
    (failure,) = found["failures"]
    assert failure["violation"]["events"] == ["one event", "another"]
    assert failure["trial"]["faults"][0] == "at 0.5 crash node 1"
    assert failure["shrunk"]["trial"] == failure["trial"]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "failure-17.json"
    report.save(path, TRIAL, VIOLATION)
    assert report.load(path) == TRIAL
    saved = json.loads(path.read_text())
    assert saved["faults"][2] == "at 1.5 crash node 3"
    assert saved["found"] == {"invariant": "all is well", "detail": "it is not", "at": 2.5}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Expecting value"),
        ("[]", "no object"),
        ("{}", "seed, world, faults, safety_seconds, dead missing"),
        ('{"seed":1,"world":{},"faults":3,"safety_seconds":1,"dead":[]}', "list of lines"),
        ('{"seed":1,"world":[],"faults":[],"safety_seconds":1,"dead":[]}', "not an object"),
        ('{"seed":1,"world":{},"faults":["at 3 sing"],"safety_seconds":1,"dead":[]}', "sing"),
    ],
)
def test_what_is_no_saved_trial_is_told_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "trial.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=told) as raised:
        report.load(path)
    assert "\n" not in str(raised.value)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_only(tally: Tally) -> None:
    line = report.progress_line(tally, 3.0, 75.4)
    assert line == "3 of 1,000 seeds  1.5 a second  1 failed  1:15 left"
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        with progress(stream) as live:
            live.show(line)
            live.clear()
            live.show(line)
        assert ("1:15 left" in stream.getvalue()) == shown
        assert bool(stream.getvalue()) == shown
