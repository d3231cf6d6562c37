"""One worker of the search: `python -m sim.search.worker sim.search.trial`.

It reads a task a line on standard input, `{"run": 7}` or `{"run": {a trial}}`, and answers on
standard output: `{"trial": ...}` as soon as it is drawn, with `"tell": true` in the task an
`{"event": "..."}` for each, and last `{"outcome": ...}`. It ends when standard input closes,
whatever it is doing then.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import attrs

from sim.faults import script
from sim.search.invariants import BUILDABLE, NO_EXCEPTION
from sim.search.trial import Outcome, Trial, Violation
from sim.world import World

Say = Callable[[dict[str, Any]], None]


def main(module: str) -> None:
    """Do tasks until standard input closes. `module` has `draw` and `run` as `sim.search.trial`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this
    say = _say_on_own_output()
    tasks: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_read, args=(tasks,), daemon=True).start()
    trials = import_module(module)
    while True:
        _do(json.loads(tasks.get()), trials, say)


def _read(tasks: SimpleQueue[bytes]) -> None:
    unfinished = b""
    while piece := os.read(0, 1 << 16):
        *lines, unfinished = (unfinished + piece).split(b"\n")
        for line in lines:
            tasks.put(line)
    os._exit(0)  # nobody is there to be answered, however long the run would go on


def _say_on_own_output() -> Say:
    """Answers as lines of JSON; what a run prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    return say


def _do(task: dict[str, Any], trials: Any, say: Say) -> None:
    def tell(event: str) -> None:
        say({"event": event})

    source = task["run"]
    try:
        trial = trials.draw(source) if isinstance(source, int) else from_plain(source)
        say({"trial": to_plain(trial)})
        outcome = trials.run(trial, tell if task.get("tell") else None)
    except Exception as error:  # noqa: BLE001 - what a trial raises is what is searched for
        outcome = Outcome(_violation(error), {}, "", 0)
    say({"outcome": attrs.asdict(outcome)})


def _violation(error: Exception) -> Violation:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(*Path(frames[-1].filename).parts[-2:])}:{frames[-1].lineno}"
    detail = f"{' '.join(str(error).split())}, at {place}".removeprefix(", ")
    lines = "".join(traceback.format_exception(error)).splitlines()
    name = BUILDABLE if _of_building(error) else NO_EXCEPTION
    return Violation(name, f"{type(error).__name__}: {detail}", 0.0, tuple(lines))


def _of_building(error: Exception) -> bool:
    """Whether an option of the world was wrong."""
    frames = traceback.walk_tb(error.__traceback__)
    building = World.__init__.__code__
    return isinstance(error, ValueError) and any(frame.f_code is building for frame, _ in frames)


# -- trials as plain data, for pipes and files ---------------------------------------------


def to_plain(trial: Trial) -> dict[str, Any]:
    """The trial as JSON has it, the faults as lines of a script."""
    fields = attrs.asdict(trial, recurse=False)
    return {**fields, "faults": [script.line(fault) for fault in trial.faults]}


def from_plain(data: Any) -> Trial:
    """The trial of `to_plain`. Raises ValueError with one line for what is none."""
    if isinstance(data, dict):
        data = {"liars": [], "slow": [], "jobs": [], **data}  # saved before there were any
    names = [field.name for field in attrs.fields(Trial)]
    if not isinstance(data, dict) or (missing := [name for name in names if name not in data]):
        what = f"{', '.join(missing)} missing" if isinstance(data, dict) else "no object"
        raise ValueError(f"it is not a saved trial: {what}")
    fields: dict[str, Any] = {
        name: tuple(v) if isinstance(v := data[name], list) else v for name in names
    }
    faults = fields["faults"]
    if not isinstance(faults, tuple) or not all(isinstance(line, str) for line in faults):
        raise ValueError("it is not a saved trial: its faults are not a list of lines")
    if not isinstance(fields["world"], dict):
        raise ValueError("it is not a saved trial: its world is not an object")
    return Trial(**{**fields, "faults": script.read("\n".join(faults))})


if __name__ == "__main__":
    main(sys.argv[1])
