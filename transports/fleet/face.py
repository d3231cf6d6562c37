"""A fleet and its jobs, as a program sees them.

    with Fleet(nodes=100) as fleet:  # of one's own, on this machine
        print(fleet.run("plugins.primes", 10**6))

    with Fleet.connect("10.0.0.1:7411", "token") as fleet:  # that others have started
        jobs = [fleet.submit("plugins.primes", 10**n) for n in (5, 6, 7)]
        print([job.result() for job in jobs])

Rules it keeps:
- Everything may be called from any thread, and beside any loop. It waits until there is an answer;
  Ctrl-C ends the waiting, and the fleet can be used as before.
- What came of a job is fetched as soon as it is there. So a program that holds a job has its result
  also when the fleet has forgotten it, or is gone.
- A fleet of one's own ends with the block, or with the program.
- Where a loop runs it is opened by whoever uses it first, so that `async with` does not hold it up.
"""

from __future__ import annotations

import secrets
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from transports.fleet.asked import Asked, Named, is_count, number_of
from transports.fleet.awaited import AsyncFleet
from transports.fleet.client import PATIENCE_SECONDS
from transports.fleet.errors import FleetError, FleetLost
from transports.fleet.job import CALLS
from transports.fleet.line import CLOSED, Heard, Line
from transports.fleet.loops import in_thread, in_thread_for_good, is_in_loop
from transports.fleet.opened import Opened, reach, start
from transports.fleet.own import Own
from transports.fleet.showing import show
from transports.fleet.signing import Signing
from transports.fleet.submitted import AsCompleted, Job
from transports.net.security import Security
from transports.signing.keys import Key

if TYPE_CHECKING:  # what pickles functions is loaded when it is needed
    from joblib import parallel_config  # type: ignore[import-untyped]

    from transports.fleet.executor import FleetExecutor
    from transports.fleet.mapped import Mapped

NODES = 100


class Fleet:
    """Processes that stay and compute its jobs, started for this program and ended with it;
    or, by `connect`, those that somebody has started with `python -m transports.tcp serve`.

    There are `nodes` nodes, in as many `processes` as there are cores unless more are wanted.
    Raises FleetLost where they cannot be started.
    """

    def __init__(self, nodes: int = NODES, processes: int | None = None) -> None:
        for name, number in (("nodes", nodes), ("processes", processes)):
            if number is not None and not is_count(number):
                raise ValueError(f"{name} must be a whole number, 1 or more, not {number!r}")
        self._begin(partial(start, nodes, processes))

    @classmethod
    def connect(
        cls,
        address: str,
        token_file: str | PathLike[str] | None = None,
        *,
        tls_ca: str | PathLike[str] | None = None,
        key: str | PathLike[str] | None = None,
        trust_nodes: bool = False,
    ) -> Self:
        """The fleet whose root listens at `address`, HOST:PORT; it goes on when this is closed.

        The token is that of the file, else that of the environment, as for `join`. With a `key`,
        a file that `key new` has made, what is submitted is signed by it, and its code travels:
        nodes that trust the key run it, whatever they allow otherwise. What functions return is
        plain data then; with `trust_nodes` it is pickled, and unpickled here, so a node could have
        anything run here.

        Raises ValueError for what is no address, SecurityError and SigningError for files that
        cannot be used, Refused where the fleet does not take them, FleetLost where nobody answers.
        """
        if not isinstance(address, str):
            raise ValueError(f"address must be text, HOST:PORT, not {address!r}")
        signer = None if key is None else Key.read(Path(key).expanduser())
        signing = None if signer is None else Signing(signer, trust_nodes)
        security = Security.read(_path(token_file), tls_ca=_path(tls_ca))
        fleet = cls.__new__(cls)
        fleet._begin(partial(reach, address, security, PATIENCE_SECONDS, signing))
        return fleet

    def _begin(self, open: Callable[[], Opened]) -> None:
        self._open = open
        self._opening = threading.Lock()
        self._opened: Opened | None = None
        self._closed = False
        if not is_in_loop():
            self._there()

    def _there(self) -> Opened:
        """It, which is opened unless it was. Raises as that does."""
        if self._opened is None:
            with self._opening:
                if self._closed:
                    raise FleetLost(CLOSED)
                if self._opened is None:
                    opened = self._open()
                    self._finalizer = weakref.finalize(self, opened.line.close_soon)
                    self._opened = opened
        return self._opened

    @property
    def _line(self) -> Line:
        return self._there().line

    @property
    def _own(self) -> Own | None:
        return self._there().own

    @property
    def _partitions(self) -> int | None:
        return self._there().partitions

    @property
    def address(self) -> str:
        """Where its root listens."""
        return self._there().address

    def __repr__(self) -> str:
        return f"<fleet at {self._opened.address}>" if self._opened else "<fleet>"

    def __enter__(self) -> Self:
        if self._closed:
            raise FleetLost(CLOSED)
        self._there()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> AsyncFleet:
        """For who awaits what comes of jobs, on Trio or asyncio."""
        return AsyncFleet(self, await in_thread(self._there, self.close))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await in_thread_for_good(self.close)

    def close(self) -> None:
        """Part with the fleet; end it with all its jobs if it is one's own. Jobs that are not over
        are lost for this program."""
        with self._opening:
            self._closed = True
        if self._opened is not None:
            self._finalizer.detach()
            self._opened.line.close()

    # -- jobs ------------------------------------------------------------------------------

    def submit(
        self,
        job: Named,
        input: Any = None,
        *,
        partitions: int | None = None,
        fanout: int | None = None,
        prepare: str | None = None,
        compute: str | None = None,
        collect: str | None = None,
        seed: int = 0,
        piece_timeout: float | None = None,
        keep_going: bool = False,
        priority: int = 0,
        weight: float = 1.0,
    ) -> Job:
        """Have that job computed. Jobs of the highest `priority` go first, where they wait and
        where they are computed; those of the same one share what there is by `weight`.

        `job` is the name of a module or the path of a file, as for `--job` of a command; the
        other options are called as there. What is computed is a copy of it that is installed where
        the nodes are, and each node allows what it computes. With the key that was given to
        `connect` it is signed, and a file travels with what it imports from its folder. Nodes of a
        fleet of one's own read the files of this program, as they are when the job begins.

        Raises ValueError for what cannot be, Refused, FleetLost, and TypeError for an input that
        is no plain data.
        """
        asked = Asked(
            job=job,
            input=input,
            partitions=self._partitions if partitions is None else partitions,
            fanout=fanout,
            prepare=prepare,
            compute=compute,
            collect=collect,
            seed=seed,
            piece_timeout=piece_timeout,
            keep_going=keep_going,
            priority=priority,
            weight=weight,
        )
        return self._submitted(asked)

    def _submitted(self, asked: Asked, heard: Heard | None = None) -> Job:
        opened, key = self._there(), secrets.token_bytes(16)
        spec = opened.spec(asked, key)
        try:
            watched = opened.line.submit(spec, key, heard)
            return Job(self, opened.line, watched, opened.answering(asked))
        except KeyboardInterrupt:
            if self._own is not None:  # nobody else would ever ask for it
                with suppress(FleetError):
                    self._line.withdraw(spec, key)
            raise

    def run(self, job: Named, input: Any = None, **options: Any) -> Any:
        """The result of that job: `submit` and `Job.result` in one. On a terminal, or in
        a notebook, a line says how far it is. Ctrl-C cancels it: `submit` what is to go on."""
        return _result(self.submit(job, input, **options), shown=True)

    def map(
        self,
        function: Callable[..., Any],
        *iterables: Iterable[Any],
        chunk: int | None = None,
        return_exceptions: bool = False,
    ) -> Mapped:
        """`function` called for the items of one or more iterables, as the builtin does; returns
        the results, in order, as they are taken.

        The function is one of this program, as it is. `chunk` calls are made one after the other;
        by default as many as take about a tenth of a second. An exception is raised where its
        result would be taken, and ends all; with `return_exceptions` it is the result.

        For nodes that compute whatever this program says: those of a fleet of one's own, those that
        trust the key that was given to `connect`, and those that were told so by `--allow
        transports.fleet.calling`. Raises TypeError for a function that cannot travel, Refused,
        FleetLost; where results are taken JobFailed, too.
        """
        from transports.fleet.mapped import Mapped

        return Mapped(
            self._submit_chunks,
            function,
            iterables,
            self._partitions,
            return_exceptions,
            chunk,
        )

    def map_reduce(
        self,
        function: Callable[..., Any],
        *iterables: Iterable[Any],
        reduce: Callable[[list[Any]], Any],
    ) -> Any:
        """What `reduce` makes of all results of `function`: of lists of these, in order, where they
        are computed, and then of lists of what it returned. So it is to be associative, as `sum`.

        Ctrl-C cancels it. Raises ValueError where there are no items, JobFailed where a call has
        raised, and else as `map` does.
        """
        from transports.fleet.mapping import cut_to_reduce, name_of, pieces, reduced

        cut = cut_to_reduce(function, iterables, reduce, pieces(self._partitions))
        return reduced(_result(self._submit_chunks(*cut, name_of(function))))

    def _submit_chunks(
        self, value: dict[str, Any], partitions: int, title: str, keep_going: bool = False
    ) -> Job:
        asked = Asked(
            job=CALLS, input=value, partitions=partitions, title=title, keep_going=keep_going
        )
        return self._submitted(asked)

    def executor(self) -> FleetExecutor:
        """An executor of `concurrent.futures` whose calls this fleet computes: for libraries that
        take one, and for `asyncio`'s `run_in_executor`. What is said of functions at `map` holds.

        Use it in a `with` block, or shut it down; the fleet goes on.
        """
        from transports.fleet.executor import FleetExecutor

        return FleetExecutor(self._submit_heard)

    def joblib(self, n_jobs: int = -1) -> parallel_config:
        """A `with` block in which `joblib.Parallel` has calls computed by this fleet, `n_jobs`
        batches of them at a time, -1: as many as there are nodes. So does scikit-learn. What is
        said of functions at `map` holds. Raises ImportError where joblib is not installed."""
        from joblib import parallel_config

        from transports.fleet.backend import FleetBackend

        return parallel_config(backend=FleetBackend(self), n_jobs=n_jobs)

    def nodes(self) -> int:
        """How many there are; in a fleet of one's own some of them may not have come yet. Raises
        FleetLost."""
        return self._partitions or int(self._line.status()["nodes"])

    def _submit_heard(
        self, value: dict[str, Any], partitions: int, title: str, heard: Heard
    ) -> Job:
        fanout = max(2, partitions)  # one session, of which each output is heard
        asked = Asked(
            job=CALLS,
            input=value,
            partitions=partitions,
            fanout=fanout,
            keep_going=True,
            title=title,
        )
        signing = self._there().signing
        return self._submitted(asked, heard if signing is None else signing.hearing(heard))

    @staticmethod
    def as_completed(jobs: Iterable[Job], timeout: float | None = None) -> AsCompleted[Job]:
        """The jobs, each when it is over, whatever came of it: for `for`, and for `async for`. The
        former raises TimeoutError when they are not all over after so many seconds."""
        return AsCompleted(jobs, timeout)

    def job(self, number: int) -> Job:
        """The job of that number, whoever has submitted it. Raises JobUnknown, FleetLost. So does
        its `result` where it is pickled: that is for the program alone that submitted it."""
        job = Job(self, self._line, self._line.watched(number_of(number)), by_number=True)
        job.insist_on_known()
        return job

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs that the fleet knows, as plain data: those that wait, those that run, and the
        last that ended. Raises FleetLost."""
        return list(self._line.status()["jobs"])


def _result(job: Job, shown: bool = False) -> Any:
    """What comes of it. It is cancelled if that is interrupted: nobody else knows its number."""
    try:
        if shown:
            show(job)
        return job.result()
    except BaseException as error:
        if not isinstance(error, Exception):
            with suppress(FleetError):
                job.cancel()
        raise


def _path(file: str | PathLike[str] | None) -> Path | None:
    return None if file is None else Path(file)
