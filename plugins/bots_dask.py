"""Bots on a Dask cluster: a process on each worker of an existing scheduler, whose address is
`where`; `processes` limits them. Dask has ways onto Slurm, Kubernetes and clouds, and so have we.

Each process is the child of a task that occupies a thread of its worker. Every worker needs this
package installed. The cluster's scheduler sees `environment`, so it needs to be trusted.

How a process learns that it is to end:
- Told: a function is run on its worker, which ends its standard input.
- Nobody is left to tell: a scheduler forgets what only a client that is gone has asked for, at
  once where its connection closes, and has the worker forget it. The task sees that it is
  forgotten. This costs no message while all is well.
- The worker closes: the task sees that. The worker is killed: the standard input ends with it.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import os
import subprocess
import sys
import time
import uuid
from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn

import attrs
import trio

from plugins.launching import AGAIN_SECONDS, STOP_SECONDS, BotsError, Command, again_in, placed

CONNECT_SECONDS = 10.0
WORKERS_SECONDS = 30.0  # for the first worker of a cluster
LOOK_SECONDS = 0.5  # between looking whether something has ended
RUNNING, CLOSED = "running", "closed"  # a client that has its scheduler; that has given it up
EXAMPLE = "tcp://10.0.0.1:8786"


# -- on the worker -------------------------------------------------------------------------

_stopped: set[str] = set()  # names of launches whose processes are to end


def ready() -> None:
    """Nothing; that it can be called says that the package is there. Raises ModuleNotFoundError."""
    if importlib.util.find_spec("transports") is None:
        raise ModuleNotFoundError("No module named 'transports'")


def run(name: str, key: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """The task: have a process for as long as it is wanted. Returns its exit code."""
    worker = importlib.import_module("distributed").get_worker()
    process = subprocess.Popen(
        placed(command, sys.executable, _host(worker.address)),
        stdin=subprocess.PIPE,
        stdout=2,
        env={**os.environ, **environment},
        start_new_session=True,
    )
    with process:
        while name not in _stopped and _wanted(worker, key):
            with suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK_SECONDS)
        return _ended(process)


def _ended(process: subprocess.Popen[bytes]) -> int:
    assert process.stdin is not None
    process.stdin.close()
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _wanted(worker: Any, key: str) -> bool:
    """Whether the worker goes on, and has not been told to forget the task."""
    task = worker.state.tasks.get(key)
    lives = worker.status.name in ("running", "paused")
    return lives and task is not None and task.state == "executing"


def _host(address: str) -> str:
    """`10.0.0.5` of `tcp://10.0.0.5:41234`; an IPv6 address keeps its brackets."""
    return address.rpartition("://")[2].rpartition(":")[0] or "127.0.0.1"


def stop(name: str) -> None:
    """Run on every worker: its process of this launch is to end."""
    _stopped.add(name)


# -- here ----------------------------------------------------------------------------------


@attrs.define(eq=False)
class _Started:
    """A process: the `place`-th of so many, and the future of the task that has it."""

    place: int
    worker: str
    future: Any
    lost: bool = False  # with its worker
    began: float = attrs.Factory(time.monotonic)

    @property
    def pending(self) -> bool:
        return not self.lost and self.future.status == "pending"


class DaskBots:
    """The processes that were started, each as a future. `failures`: why tasks failed, a line
    each. That a worker is gone is noticed by who waits. `room`: how many there are to be at most;
    None is one on each worker."""

    def __init__(self, where: str, client: Any, room: int | None) -> None:
        workers = sorted(client.ncores())[:room]
        self.processes = len(workers)
        self.failures: list[str] = []
        self._where = where
        self._client = client
        self._workers = workers
        self._room = room
        self._started: list[_Started] = []
        self._name = f"million-nodes-{uuid.uuid4()}"
        self._serial = itertools.count()  # of tasks
        self._again_at: dict[str, float] = {}  # when a worker may be given another one

    @property
    def running(self) -> int:
        """How many have not ended."""
        return sum(one.pending for one in self._started)

    async def wait(self) -> list[int | None]:
        """Wait until all have ended by themselves. Returns their exit codes, None where one was
        lost with its worker or could not be started."""
        while self.running:
            await trio.sleep(LOOK_SECONDS)
            await trio.to_thread.run_sync(self._look, abandon_on_cancel=True)
        return await trio.to_thread.run_sync(self._codes, abandon_on_cancel=True)

    async def keep(self, note: Callable[[str], None]) -> NoReturn:
        """Start another one for each that has ended, where there is a worker without one; with as
        many as there are workers, also for each worker that comes."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            for line in await trio.to_thread.run_sync(self._renew, abandon_on_cancel=True):
                note(line)

    # What follows blocks, and is called in a thread.

    def start(self, command: Command, environment: Mapping[str, str]) -> None:
        """Submit them all. Raises BotsError if a worker cannot."""
        self._command, self._environment = command, dict(environment)
        if reasons := self._unfit(self._workers):
            raise BotsError(reasons[0])
        for i, worker in enumerate(self._workers):
            self._submit(i, worker)

    def _unfit(self, workers: Sequence[str]) -> list[str]:
        """Why some of these workers cannot take part, a line each."""
        found = self._client.run(ready, workers=list(workers), on_error="return")
        return [
            f"Dask worker {worker} cannot take part ({_line(error)}): "
            "install this package there, for the Python that the worker runs with"
            for worker, error in found.items()
            if error is not None
        ]

    def _submit(self, place: int, worker: str) -> None:
        words = list(self._command(place, self.processes))
        key = f"{self._name}-{next(self._serial)}"
        given = run, self._name, key, words, self._environment
        future = self._client.submit(*given, key=key, workers=[worker])
        self._started.append(_Started(place, worker, future))

    def stop(self) -> None:
        """Tell those that are left to end, wait for it, and take leave of the cluster."""
        if self._client.status != RUNNING:
            self._client.close(timeout=STOP_SECONDS)
            return  # nobody is left to tell, and they see that
        if pending := [one.future for one in self._started if one.pending]:
            with suppress(*_ends()):
                self._client.run(stop, self._name, on_error="ignore")
                deadline = time.monotonic() + 2 * STOP_SECONDS
                for future in pending:
                    future.exception(timeout=max(0.0, deadline - time.monotonic()))
        with suppress(*_ends()):
            self._client.cancel([one.future for one in self._started], force=True)
        self._client.close(timeout=STOP_SECONDS)

    def _there(self) -> list[str]:
        """The workers that the cluster has; none where it has no scheduler."""
        if self._client.status != RUNNING:
            return []
        try:
            return sorted(self._client.ncores())
        except _ends():
            return []

    def _look(self) -> None:
        """A task whose worker is gone would wait for the worker to come back."""
        there = self._there()
        for one in self._started:
            if one.pending and one.worker not in there:
                one.lost = True
                self.failures.append(f"Dask worker {one.worker} is gone")

    def _codes(self) -> list[int | None]:
        return [self._code(one) for one in self._started]

    def _code(self, one: _Started) -> int | None:
        if one.lost or one.future.status != "finished":
            if not one.lost and one.future.status == "error":
                reason = _line(one.future.exception())
                self.failures.append(f"Dask worker {one.worker}: {reason}")
            return None
        code: int = one.future.result()
        return code

    # -- of a root that stays --------------------------------------------------------------

    def _renew(self) -> list[str]:
        """Take leave of those that have ended, start others; returns what is to be told."""
        if self._client.status == CLOSED and not self._started:
            with suppress(BotsError):  # it is looked for again
                self._client = _client(self._where)
        there = self._there()
        told = [self._parted(one, there) for one in list(self._started) if self._ended(one, there)]
        if told and self._client.status != RUNNING:
            told.append(f"the Dask scheduler at {self._where} is not reached: it is looked for")
        elif told and not there:
            told.append("no Dask worker is left: nodes come when there is one again")
        if there:
            with suppress(*_ends()):  # it is tried again
                told += self._more(there)
        return told

    def _ended(self, one: _Started, there: Sequence[str]) -> bool:
        return not one.pending or one.worker not in there

    def _parted(self, one: _Started, there: Sequence[str]) -> str:
        self._started.remove(one)
        if one.worker not in there:
            with suppress(*_ends()):
                self._client.cancel([one.future], force=True)
            return f"Dask worker {one.worker} is gone, and the process with nodes on it"
        self._again_at[one.worker] = one.began + AGAIN_SECONDS
        again = again_in(one.began + AGAIN_SECONDS - time.monotonic())
        self.failures.clear()
        code = self._code(one)
        why = f"has ended, exit code {code}" if code is not None else "could not be started"
        why = "; ".join([why, *self.failures])
        return f"the process with nodes on Dask worker {one.worker} {why}: {again}"

    def _more(self, there: Sequence[str]) -> list[str]:
        now, busy = time.monotonic(), {one.worker for one in self._started}
        free = [worker for worker in there if worker not in busy]
        free = [worker for worker in free if self._again_at.get(worker, now) <= now]
        told = []
        for worker in free[: None if self._room is None else self._room - len(busy)]:
            if reasons := self._unfit([worker]):
                self._again_at[worker] = now + AGAIN_SECONDS
                told += reasons
                continue
            places = {*range(self.processes)} - {one.place for one in self._started}
            self._submit(min(places, default=len(self._started) % self.processes), worker)
            told.append(f"a process with nodes is started on Dask worker {worker}")
        return told


def _ends() -> tuple[type[BaseException], ...]:
    """What a client raises where the cluster, or the client, ends while it is used."""
    client = importlib.import_module("distributed.client")
    closed = getattr(client, "ClosedClientError", RuntimeError)  # of newer releases
    return OSError, TimeoutError, RuntimeError, AttributeError, CancelledError, closed


def _line(error: object) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _client(where: str) -> Any:
    """Connected to the scheduler there. Raises BotsError."""
    if not where:
        raise BotsError(
            "plugins.bots_dask needs the address of a Dask scheduler, "
            f"as in plugins.bots_dask:{EXAMPLE}"
        )
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise BotsError(
            f"plugins.bots_dask needs Dask ({error}): pip install 'million-nodes[dask]'"
        ) from error
    try:
        return distributed.Client(where, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise BotsError(
            f"no Dask scheduler answers at {where!r} ({_line(error)}): "
            f"give the address of one that runs, such as {EXAMPLE}"
        ) from error


def _connected(where: str, processes: int) -> DaskBots:
    """Raises BotsError."""
    client = _client(where)
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError:
        client.close(timeout=STOP_SECONDS)
        raise BotsError(
            f"the Dask cluster of {where!r} has no workers: start some, as in 'dask worker {where}'"
        ) from None
    return DaskBots(where, client, processes or None)


@asynccontextmanager
async def bots(
    where: str, processes: int, command: Command, environment: Mapping[str, str]
) -> AsyncIterator[DaskBots]:
    """A process on each worker for as long as this lasts. Raises BotsError."""
    started = await trio.to_thread.run_sync(_connected, where, processes, abandon_on_cancel=True)
    try:
        await trio.to_thread.run_sync(started.start, command, environment)
        yield started
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(started.stop)
