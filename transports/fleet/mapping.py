"""A function called for many items by a fleet, whose results come in order: how the calls are cut.

Rules it keeps:
- Items go out in windows, each a job, a few at a time. No more is taken from an endless iterable
  than these hold.
- A window is cut into chunks, a partition each. They begin with one item; when it is known how long
  a call takes, a chunk takes about a tenth of a second, or less where everybody is to have a few.
- What a call raises is raised where its result is taken, as the exception that it was, with the
  traceback from there as its cause.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Any, Generic, Protocol, TypeVar

import attrs

from core.messages import Failure
from transports.fleet.answers import Plain, read
from transports.fleet.asked import is_count
from transports.fleet.calling import Done, Raised, packed, packed_setup, raised
from transports.fleet.errors import JobFailed
from transports.fleet.source import Source, least_length

CHUNK_SECONDS_MIN, CHUNK_SECONDS = 0.02, 0.1
CHUNKS_A_NODE = 4  # of what is left
WINDOWS = 3  # under way at once
WINDOWS_TRIED = 2  # the same, until it is known how long a call takes
PACE_SECONDS_MIN = 1e-7
WINDOW_BYTES = 2**22  # of arguments, or of results
CHUNK_BYTES = 2**20  # the same
EMPTY_BYTES = len(packed(Done(0, [], 0.0)))  # of a chunk without results
FUNCTION_BYTES_MAX = 2**20
NOT_TOLD = Failure("0", None, "nothing came of it, and why is not told")
NODES = 16  # so many are thought to be there, where nobody says


class CallFailed(Exception):
    """A call raised something that cannot be brought here. The traceback is a note of this."""


class RemoteTraceback(Exception):
    """The cause of an exception that was raised elsewhere: its traceback there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


class UnderWay(Protocol):
    """A job that was submitted."""

    def result(self) -> Any:
        """What came of it. Raises what a job does."""

    def cancel(self) -> bool:
        """End it."""
        raise NotImplementedError


class MayBeOver(Protocol):
    """A job that has ended, or not."""

    def _is_over(self, seconds: float) -> bool:
        """Whether it has, after so many seconds at most."""
        raise NotImplementedError

    def cancel_soon(self) -> None:
        """End it, without waiting for that."""
        raise NotImplementedError


UnderWayT = TypeVar("UnderWayT", bound=MayBeOver)
SubmitT = TypeVar("SubmitT")


Output = bytes | Plain


@attrs.frozen
class Chunk:
    """Some calls, pickled, and how many they are."""

    data: bytes
    calls: int


@attrs.frozen
class Cut:
    """The chunks of a job. `before` has results that are known already, by which chunk they are
    before; the job has then what was missing between them."""

    chunks: list[Chunk]
    before: dict[int, list[Any]] = attrs.Factory(dict)

    def index(self, partition: int) -> int:
        """Of the first item of that chunk, from the first of all these."""
        known = sum(len(self.before.get(i, ())) for i in range(partition + 1))
        return known + sum(chunk.calls for chunk in self.chunks[:partition])


class Known(deque[Any]):
    """Results that nobody has taken yet. `end`: the index of the item behind them. `error`: it is
    raised behind them."""

    def __init__(
        self, results: Iterable[Any] = (), end: int = 0, error: BaseException | None = None
    ) -> None:
        super().__init__(results)
        self.end = end
        self.error = error

    @property
    def is_empty(self) -> bool:
        return not self and self.error is None


NOTHING = object()  # in place of a result: none is known


@attrs.frozen
class _Window(Generic[UnderWayT]):
    job: UnderWayT
    cut: Cut


class Windows(Generic[UnderWayT, SubmitT]):
    """What is under way, what has come of it, and what is to be submitted next; who waits for all
    of this, and how, is a subclass's. `submit` has an input computed by the job CALLS, in so many
    partitions, under a title.

    Raises TypeError for a function that cannot be pickled, or is too large, and where there are no
    iterables; ValueError for chunks that cannot be.
    """

    def __init__(
        self,
        submit: SubmitT,
        function: Callable[..., Any],
        iterables: tuple[Iterable[Any], ...],
        nodes: int | None,
        goes_on: bool,
        chunk: int | None,
    ) -> None:
        if not iterables:
            raise TypeError("there is nothing to call it for: give an iterable")
        if chunk is not None and not is_count(chunk):
            raise ValueError(f"chunk must be a whole number, 1 or more, not {chunk!r}")
        self._submit, self._title = submit, name_of(function)
        self._setup = setup_of(function, None, goes_on)
        self._goes_on = goes_on
        self._source = Source(iterables)
        self._left = least_length(iterables)
        self._nodes = nodes or NODES
        self._chunk = chunk
        self._pace: float | None = None  # seconds a call
        self._argument_bytes = self._result_bytes = 0.0  # a call, lately
        self._chunks: list[Chunk] = []  # of the window that is being cut
        self._cut: Cut | None = None  # a window, not submitted yet
        self._again: Cut | None = None  # what is missing of the first window, the same
        self._windows: list[_Window[UnderWayT]] = []
        self._results = Known()

    # Each change of what is kept for the next call is one assignment, as an interruption comes
    # between two calls of functions, but not there; nor does another thread.

    def _wanted(self) -> list[bytes]:
        """The chunks of the job that is to be submitted next, the same ones until it has `_begun`:
        whoever submits may be interrupted. Empty: enough are under way, or no items are left."""
        if self._again is None:
            if len(self._windows) >= (WINDOWS_TRIED if self._pace is None else WINDOWS):
                return []
            if self._cut is None:
                self._cut_next()
        cut = self._again or self._cut
        return [] if cut is None else [chunk.data for chunk in cut.chunks]

    def _gives_first(self, seconds: float) -> bool:
        """Whether the next results are known, and to be given before more is taken, as that takes
        long; where it does for a single item they may become known in so many seconds."""
        source = self._source
        if self._again is not None or not (self._windows and source.is_late):
            return False
        return self._windows[0].job._is_over(seconds if source.is_slow else 0)

    def __del__(self) -> None:
        for window in getattr(self, "_windows", ()):  # there are none where it was not made
            window.job.cancel_soon()

    def _input(self, chunks: list[bytes]) -> dict[str, Any]:
        return {"setup": self._setup, "chunks": chunks}

    def _begun(self, job: UnderWayT) -> None:
        if self._again is not None:
            windows = [_Window(job, self._again), *self._windows]
            self._windows, self._again = windows, None
        elif self._cut is not None:
            windows = [*self._windows, _Window(job, self._cut)]
            self._windows, self._cut = windows, None

    def _first(self) -> UnderWayT | None:
        """The job whose results are next; None: there are no more. Raises what the iterables have
        raised."""
        if self._windows:
            return self._windows[0].job
        if self._source.error is not None:
            raise self._source.error
        return None

    def _take(self, outputs: Sequence[Output], failures: Sequence[Failure] = ()) -> None:
        """That came of the first, and by what the rest has failed. Calls of which nothing is there,
        or can be read, or only another machine may know something, are called again, each by
        itself."""
        cut = self._windows[0].cut
        results: list[Any] = []
        again: list[Chunk] = []
        before: dict[int, list[Any]] = {}
        seconds, calls = 0.0, 0
        found_by_chunk = _in_place(len(cut.chunks), outputs, failures)
        for i, (chunk, output) in enumerate(zip(cut.chunks, found_by_chunk, strict=True)):
            results += cut.before.get(i, ())
            found, took = _found(chunk, output)
            results += found
            seconds, calls = seconds + took, calls + len(found)
            if len(found) < chunk.calls and (self._goes_on or not _has_raised(found)):
                before[len(again)], results = results, []
                again += _singles(chunk, len(found))
        results += cut.before.get(len(cut.chunks), ())
        size = sum(len(data) - EMPTY_BYTES for data in outputs)  # else one call is as large as many
        if calls:
            self._pace, self._result_bytes = seconds / calls, max(0, size) / calls
        missing: Cut | None = None
        if again:
            before[len(again)] = results
            results, missing = before.pop(0), Cut(again, before)
        known, windows = self._as_known(results), self._windows[1:]
        self._windows, self._results, self._again = windows, known, missing

    def _as_known(self, results: list[Any]) -> Known:
        """The next ones, with what calls have raised in place of what says so, or behind them."""
        first, end = self._results.end, self._results.end + len(results)
        if Raised not in set(map(type, results)):  # most are so
            return Known(results, end)
        given: list[Any] = []
        for item, result in enumerate(results, first):
            if not isinstance(result, Raised):
                given.append(result)
            elif self._goes_on:
                given.append(as_raised(result, f"item {item}"))
            else:
                return Known(given, end, as_raised(result, f"item {item}"))
        return Known(given, end)

    def _next_result(self) -> Any:
        """NOTHING where none is known. Raises what the call has raised, unless it goes on then."""
        results = self._results
        if results:
            result = results[0]
            del results[0]
            return result
        if results.error is not None:
            raise results.error
        return NOTHING

    def _name(self, error: JobFailed) -> None:
        """Note at that of the first job of which items it is."""
        partition, cut = error.failure.partition, self._windows[0].cut
        if partition is not None and 0 <= partition < len(cut.chunks):
            first, calls = self._results.end + cut.index(partition), cut.chunks[partition].calls
            last = first + calls - 1
            error.add_note(f"item {first}" if calls == 1 else f"one of the items {first} to {last}")

    def _end(self) -> list[UnderWayT]:
        """Nothing more is wanted. Returns what is under way."""
        windows, self._windows = self._windows, []
        self._source.end()
        self._chunks, self._cut, self._again = [], None, None
        self._results = Known(end=self._results.end)
        return [window.job for window in windows]

    def _cut_next(self) -> None:
        """The window that is to be submitted next, unless no items are left."""
        most = self._nodes * (1 if self._pace is None else CHUNKS_A_NODE)
        source, calls = self._source, sum(chunk.calls for chunk in self._chunks)
        so_far = sum(map(self._bytes, self._chunks))
        while len(self._chunks) < most and so_far < WINDOW_BYTES:
            size = self._chunk_size()
            taken = source.take(size, max(CHUNK_SECONDS, size * (self._pace or 0.0)))
            if not taken:
                break
            chunk = Chunk(packed(taken), len(taken))
            self._chunks, source.taken = [*self._chunks, chunk], []
            calls += chunk.calls
            self._argument_bytes = len(chunk.data) / chunk.calls
            so_far += self._bytes(chunk)
        source.begin()
        if self._chunks:
            left = None if self._left is None else self._left - calls
            self._left, self._cut, self._chunks = left, Cut(self._chunks), []

    def _bytes(self, chunk: Chunk) -> float:
        """Of its arguments, or of its results."""
        return max(len(chunk.data), self._result_bytes * chunk.calls)

    def _chunk_size(self) -> int:
        if self._chunk is not None:
            return self._chunk
        if self._pace is None:
            return 1
        least, likely = (
            max(1, int(seconds / max(self._pace, PACE_SECONDS_MIN)))
            for seconds in (CHUNK_SECONDS_MIN, CHUNK_SECONDS)
        )
        if self._left is not None:
            likely = max(least, min(likely, self._left // (CHUNKS_A_NODE * self._nodes)))
        call_bytes = max(1.0, self._argument_bytes, self._result_bytes)
        return max(1, min(likely, int(CHUNK_BYTES / call_bytes)))


def _in_place(
    chunks: int, outputs: Sequence[Output], failures: Sequence[Failure]
) -> list[Output | Failure]:
    """What came of each chunk, or why nothing did."""
    lost = {one.partition: one for one in failures if one.partition is not None}
    found: list[Output | Failure] = [lost.get(i, NOT_TOLD) for i in range(chunks)]
    if len(outputs) + len(lost) == chunks:
        places = [i for i in range(chunks) if i not in lost]
    else:  # not all that failed are told
        places = [_partition(output) for output in outputs]
    for place, output in zip(places, outputs, strict=True):
        if place in range(chunks):
            found[place] = output
    return found


def _partition(output: Output) -> int:
    """Of which this came; -1: that cannot be read."""
    try:
        done: Done = read(output)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  whatever its class does
        return -1
    return done.partition


def _found(chunk: Chunk, output: Output | Failure) -> tuple[list[Any], float]:
    """The results that are known of it, and how many seconds it took. Of a single call what cannot
    be read, or has failed, is what it has raised."""
    if isinstance(output, Failure):
        return ([Raised(None, output.error)] if chunk.calls == 1 else []), 0.0
    try:
        done: Done = read(output)
        if done.results or chunk.calls > 1:
            return done.results[: chunk.calls], done.seconds
        raise ValueError("a node says what is no result of one call")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  whatever its class does: it may exit, say
        return ([raised(error)] if chunk.calls == 1 else []), 0.0


def _has_raised(results: list[Any]) -> bool:
    return bool(results) and isinstance(results[-1], Raised)


def _singles(chunk: Chunk, known: int) -> list[Chunk]:
    """Its calls but for the first `known`, each by itself. Raises what unpickling raises."""
    calls = pickle.loads(chunk.data)[known:]  # noqa: S301  what was pickled here
    return [Chunk(packed([call]), 1) for call in calls]


def setup_of(
    function: Callable[..., Any], reduce: Callable[[list[Any]], Any] | None, goes_on: bool
) -> bytes:
    """As it travels. Raises TypeError."""
    name = getattr(function, "__qualname__", repr(function))
    try:
        setup = packed_setup(function, reduce, goes_on)
    except Exception as error:
        raise TypeError(f"{name} cannot travel, it is not to be pickled: {error}") from error
    if len(setup) > FUNCTION_BYTES_MAX:
        size, most = len(setup), FUNCTION_BYTES_MAX
        raise TypeError(
            f"{name} has {size:,} bytes with all that it refers to, {most:,} at most can travel: "
            "pass what is large as an argument, or have it read from a file"
        )
    return setup


def name_of(function: Any) -> str:
    """What people call it."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def cut_to_reduce(
    function: Callable[..., Any],
    iterables: tuple[Iterable[Any], ...],
    reduce: Callable[[list[Any]], Any],
    partitions: int,
) -> tuple[dict[str, Any], int]:
    """The input of the job that makes one value of all results, and its partitions, no more than
    those. Raises as `Windows` does, and ValueError where there are no items."""
    setup, calls = setup_of(function, reduce, False), list(zip(*iterables, strict=False))
    if not calls:
        raise ValueError("there are no items to reduce: give at least one")
    partitions = min(len(calls), partitions)
    cuts = [len(calls) * i // partitions for i in range(partitions + 1)]
    chunks = [packed((a, calls[a:b])) for a, b in pairwise(cuts)]
    return {"setup": setup, "chunks": chunks}, partitions


def pieces(nodes: int | None) -> int:
    """Into how many what is reduced is cut for so many nodes."""
    return CHUNKS_A_NODE * (nodes or NODES)


def reduced(result: dict[str, Any]) -> Any:
    """The value, of what came of that job."""
    return read(result["value"])


def as_raised(raised: Raised, where: str) -> BaseException:
    """The exception, with where it was raised; of one that does not take that on, its text."""
    if raised.error is not None:
        with suppress(Exception):
            return _located(raised.error, raised.text, where)
    last = raised.text.strip().rpartition("\n")[2]
    return _located(CallFailed(last), raised.text, where)


def _located(error: BaseException, text: str, where: str) -> BaseException:
    # Its class may have attributes of its own that cannot be set: a frozen dataclass, say.
    BaseException.__setattr__(error, "__cause__", RemoteTraceback(text))
    notes = [*getattr(error, "__notes__", ()), where]
    BaseException.__setattr__(error, "__notes__", notes)
    return error
