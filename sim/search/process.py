"""One worker process, as seen from the search: it is given a trial, and heard of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from math import inf
from typing import Any

from sim.search.invariants import IN_TIME, LIVES
from sim.search.results import Run, Source
from sim.search.trial import Outcome, Trial, Violation
from sim.search.worker import from_plain, to_plain

DYING_SECONDS = 1.0  # from the end of a worker's output to its own


class Worker:
    """A process that does one trial at a time, started when it is first needed."""

    def __init__(self, module: str, hash_seed: int) -> None:
        self.hash_seed = hash_seed
        self.due = inf  # when the trial under way has taken too long
        self.busy = False
        self._command = [sys.executable, "-m", "sim.search.worker", module]
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._unfinished = b""
        self._trial: Trial | None = None
        self._limit = inf

    def give(self, source: Source, limit_seconds: float, tell: bool = False) -> None:
        """Have a trial run; `hear` says what comes of it."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._process
        assert self._process.stdin
        self._trial = source if isinstance(source, Trial) else None
        task = {"run": source if isinstance(source, int) else to_plain(source), "tell": tell}
        with suppress(BrokenPipeError):  # it has just died, which `hear` will find
            self._process.stdin.write(json.dumps(task).encode() + b"\n")
            self._process.stdin.flush()
        self._limit = limit_seconds
        self.due, self.busy = time.monotonic() + limit_seconds, True

    def fileno(self) -> int:
        assert self._process
        assert self._process.stdout
        return self._process.stdout.fileno()

    def hear(self) -> Iterator[str | Run]:
        """What has come: events, and at last the run. To be called when there is something."""
        piece = os.read(self.fileno(), 1 << 20)
        if not piece:
            yield self._ended(LIVES, self._why_dead())
        *lines, self._unfinished = (self._unfinished + piece).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if "event" in answer:
                yield answer["event"]
            elif "trial" in answer:
                self._trial = from_plain(answer["trial"])
            else:
                self.busy = False
                yield Run(self._trial, _outcome(answer["outcome"]), self.hash_seed)

    def late(self) -> Run:
        """The run, given up."""
        return self._ended(IN_TIME, f"it was not over after {self._limit:g} s of wall time")

    def _ended(self, invariant: str, detail: str) -> Run:
        self.stop()
        violation = Violation(invariant, detail, 0.0, ())
        return Run(self._trial, Outcome(violation, {}, "", 0), self.hash_seed)

    def _why_dead(self) -> str:
        assert self._process
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(DYING_SECONDS)
        code = self._process.poll()
        how = "it closed its output" if code is None else f"exit code {code}"
        if code is not None and code < 0:
            how = f"signal {signal.Signals(-code).name}"
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").rstrip().rpartition("\n")[2]
        return f"its process died: {how}" + (f", {last}" if last else "")

    def _start(self) -> None:
        self.stop()
        self._errors.seek(0)
        self._errors.truncate()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONHASHSEED": str(self.hash_seed)},
        )

    def stop(self) -> None:
        """End the process, if there is one, whatever it does."""
        self.busy, self._unfinished = False, b""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            with suppress(BrokenPipeError):  # a task that was never read
                pipe.close()
        self._process = None

    def close(self) -> None:
        self.stop()
        self._errors.close()


def _outcome(fields: dict[str, Any]) -> Outcome:
    if violation := fields["violation"]:
        violation = Violation(**{**violation, "events": tuple(violation["events"])})
    return Outcome(**{**fields, "violation": violation})
