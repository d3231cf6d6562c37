"""One process that does one run.

A fresh process for each, so that its peak memory is the run's own, and so that one that dies takes
no other along and is known by name. Forked from a server that has imported the simulator and
nothing else, it is there after 0.02 s; started from scratch it takes 0.25 s, four times as long as
a run of a thousand nodes.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from threading import Thread
from types import ModuleType

from sim.sweep.outcome import Outcome, outcome
from sim.sweep.points import Point

DYING_SECONDS = 1.0  # from the end of a process's pipe to its own
SERVER = multiprocessing.get_context("forkserver")


class Process:
    """Runs a point from now on."""

    def __init__(self, point: Point) -> None:
        SERVER.set_forkserver_preload([__name__])
        self.answers, answer = SERVER.Pipe(duplex=False)
        self._process = SERVER.Process(target=_work, args=(answer, point), daemon=True)
        resource_tracker.ensure_running()  # with the first process, it would undo what follows
        with answer, _out_of_reach(), _without_main():
            self._process.start()

    def outcome(self) -> Outcome:
        """What it has come to, once there is something in `answers`."""
        try:
            found = self.answers.recv()
        except (EOFError, OSError):
            return Outcome({}, self._why_dead())
        assert isinstance(found, Outcome)
        return found

    def _why_dead(self) -> str:
        self._process.join(DYING_SECONDS)
        code = self._process.exitcode
        if code is None:
            return "its process closed its pipe without an answer"
        if code >= 0:
            return f"its process ended with exit code {code}"
        hint = ", as the system does where memory runs out" if code == -signal.SIGKILL else ""
        return f"its process was ended by {signal.Signals(-code).name}{hint}"

    def close(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self.answers.close()


def answering(processes: list[Process], seconds: float) -> list[Process]:
    """Those that have an answer or are dead, once there is one, or none after `seconds`."""
    ready = wait([process.answers for process in processes], seconds)
    return [process for process in processes if process.answers in ready]


# -- before it starts ------------------------------------------------------------------------


@contextmanager
def _out_of_reach() -> Iterator[None]:
    """What is started here inherits that Ctrl-C does not reach it: it is for the parent, which
    ends the others, and to be ended by it while importing would print a traceback."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main() -> Iterator[None]:
    """What is started here does not import the program that starts it.

    It needs nothing of it, and a script that sweeps on its top level would sweep again.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


# -- in the process --------------------------------------------------------------------------


def _work(answer: Connection, point: Point) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where the server was there before
    Thread(target=_end_with_parent, daemon=True).start()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what a job prints would stand in the table for people
    gc.disable()  # one search through a million objects, which are all needed, takes seconds
    answer.send(outcome(point))
    os._exit(0)  # without freeing them one by one


def _end_with_parent() -> None:
    """Whoever has killed the parent does not want to wait for its runs."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)
