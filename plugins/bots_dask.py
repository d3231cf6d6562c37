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
import os
import subprocess
import sys
import time
import uuid
from asyncio import CancelledError
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from plugins.launching import STOP_SECONDS, BotsError, Command, placed

CONNECT_SECONDS = 10.0
WORKERS_SECONDS = 30.0  # for the first worker of a cluster
LOOK_SECONDS = 0.5  # between looking whether something has ended
CLUSTER_ENDS = (OSError, TimeoutError, RuntimeError, CancelledError)  # while we talk to it
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


class DaskBots:
    """The processes that were started, each as a future. `failures`: why tasks failed, a line
    each. That a worker is gone is noticed by who waits."""

    def __init__(self, client: Any, workers: Sequence[str]) -> None:
        self.processes = len(workers)
        self.failures: list[str] = []
        self._client = client
        self._workers = workers
        self._futures: list[Any] = []
        self._lost: set[int] = set()
        self._name = f"million-nodes-{uuid.uuid4()}"

    @property
    def running(self) -> int:
        """How many have not ended."""
        return len(self._pending())

    async def wait(self) -> list[int | None]:
        """Wait until all have ended by themselves. Returns their exit codes, None where one was
        lost with its worker or could not be started."""
        while self._pending():
            await trio.sleep(LOOK_SECONDS)
            await trio.to_thread.run_sync(self._look, abandon_on_cancel=True)
        return await trio.to_thread.run_sync(self._codes, abandon_on_cancel=True)

    # What follows blocks, and is called in a thread.

    def start(self, command: Command, environment: Mapping[str, str]) -> None:
        """Submit them all. Raises BotsError if a worker cannot."""
        found = self._client.run(ready, workers=list(self._workers), on_error="return")
        for worker, error in found.items():
            if error is not None:
                raise BotsError(
                    f"Dask worker {worker} cannot take part ({_line(error)}): "
                    "install this package there, for the Python that the worker runs with"
                )
        for i, worker in enumerate(self._workers):
            key = f"{self._name}-{i}"
            words = list(command(i, self.processes))
            submit = self._client.submit
            self._futures.append(
                submit(run, self._name, key, words, dict(environment), key=key, workers=[worker])
            )

    def stop(self) -> None:
        """Tell those that are left to end, wait for it, and take leave of the cluster."""
        if pending := [self._futures[i] for i in self._pending()]:
            with suppress(*CLUSTER_ENDS):
                self._client.run(stop, self._name, on_error="ignore")
                deadline = time.monotonic() + 2 * STOP_SECONDS
                for future in pending:
                    future.exception(timeout=max(0.0, deadline - time.monotonic()))
        with suppress(*CLUSTER_ENDS):
            self._client.cancel(self._futures, force=True)
        self._client.close(timeout=STOP_SECONDS)

    def _pending(self) -> list[int]:
        return [
            i
            for i, future in enumerate(self._futures)
            if i not in self._lost and future.status == "pending"
        ]

    def _look(self) -> None:
        """A task whose worker is gone would wait for the worker to come back."""
        try:
            there = self._client.ncores()
        except (OSError, TimeoutError):
            there = {}  # no scheduler, no workers
        gone = [i for i in self._pending() if self._workers[i] not in there]
        self._lost.update(gone)
        self.failures += [f"Dask worker {self._workers[i]} is gone" for i in gone]

    def _codes(self) -> list[int | None]:
        return [self._code(i, future) for i, future in enumerate(self._futures)]

    def _code(self, i: int, future: Any) -> int | None:
        if i in self._lost or future.status != "finished":
            if future.status == "error":
                self.failures.append(f"Dask worker {self._workers[i]}: {_line(future.exception())}")
            return None
        code: int = future.result()
        return code


def _line(error: object) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _connected(where: str, processes: int) -> DaskBots:
    """Raises BotsError."""
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
        client = distributed.Client(where, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise BotsError(
            f"no Dask scheduler answers at {where!r} ({_line(error)}): "
            f"give the address of one that runs, such as {EXAMPLE}"
        ) from error
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError:
        client.close(timeout=STOP_SECONDS)
        raise BotsError(
            f"the Dask cluster of {where!r} has no workers: start some, as in 'dask worker {where}'"
        ) from None
    workers = sorted(client.ncores())
    return DaskBots(client, workers[: processes or None])


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
