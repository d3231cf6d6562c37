"""A fleet as a backend of joblib: what `joblib.Parallel` is given is computed by its nodes.

    with fleet.joblib():  # or joblib.parallel_config(backend="million", fleet=fleet)
        print(joblib.Parallel()(joblib.delayed(abs)(n) for n in range(-10_000, 0)))

Rules it keeps:
- As many batches are under way as joblib wants, by default for all nodes. How many calls a batch is
  joblib finds out, by what they take where they are computed: what the way there takes is the same
  for many as for one.
- Where joblib gives up, after an exception or a timeout, what is under way is ended.
- What a call has computed by joblib in its turn is computed there, one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from joblib.parallel import (  # type: ignore[import-untyped]
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
    register_parallel_backend,
)

from transports.fleet.executor import Called, FleetExecutor

NAME = "million"


class Nodes(Protocol):
    """A fleet."""

    def executor(self) -> FleetExecutor:
        """One of it."""
        raise NotImplementedError

    def nodes(self) -> int:
        """How many there are."""
        raise NotImplementedError


class FleetBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Its calls are those of an executor of `fleet`, one for each time that joblib begins."""

    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(self, fleet: Nodes, nesting_level: int | None = None) -> None:
        super().__init__(nesting_level=nesting_level)
        self._fleet = fleet
        self._pool: FleetExecutor | None = None
        self._took = threading.local()  # seconds, of the batch whose result was read last

    def configure(self, n_jobs: int = 1, parallel: Any = None, **others: Any) -> int:
        """Begin; how many calls are to be under way. What is for one is not for a fleet. The others
        are about memory that processes of one machine share."""
        self.parallel = parallel
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self._pool = self._fleet.executor()
        return n_jobs

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """That many; -1: as many as there are nodes, -2: one less, and so on."""
        if n_jobs == 0:
            raise ValueError("n_jobs must be 1 or more, or -1 for all nodes, not 0")
        if n_jobs is None:
            return 1
        return n_jobs if n_jobs > 0 else max(1, self._fleet.nodes() + 1 + n_jobs)

    def submit(self, func: Callable[[], Any], callback: Any = None) -> Called:
        """Have a batch computed; `callback` is given its future when it is over."""
        assert self._pool is not None
        future = self._pool.submit(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    apply_async = submit  # as joblib called it before 1.5

    def retrieve_result_callback(self, out: Called) -> Any:
        """What came of it."""
        self._took.seconds = out.seconds
        return out.result()

    def batch_completed(self, batch_size: int, duration: float) -> None:
        """After that, in the same thread. `duration` is with the way there, and all waiting."""
        super().batch_completed(batch_size, self._took.seconds)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Nothing that was submitted is wanted any more."""
        assert self._pool is not None
        self._pool.abort()
        if ensure_ready:
            self._pool = self._fleet.executor()

    def terminate(self) -> None:
        """Joblib is done."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None
        self.reset_batch_stats()

    def get_nested_backend(self) -> tuple[Any, int | None]:
        """For what calls have computed in their turn."""
        return SequentialBackend(nesting_level=(self.nesting_level or 0) + 1), None


register_parallel_backend(NAME, FleetBackend)
