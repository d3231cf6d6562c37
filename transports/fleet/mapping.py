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

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice, pairwise
from typing import Any, Generic, Protocol, TypeVar

import attrs

from transports.fleet.answers import Plain, read
from transports.fleet.calling import Done, Raised, packed, packed_setup

JOB = "transports.fleet.calling"
CHUNK_SECONDS_MIN, CHUNK_SECONDS = 0.02, 0.1
CHUNKS_A_NODE = 4  # of what is left
WINDOWS = 3  # under way at once
WINDOWS_TRIED = 2  # the same, until it is known how long a call takes
PACE_SECONDS_MIN = 1e-7
WINDOW_BYTES = 2**22  # of arguments, or of results
CHUNK_BYTES = 2**20  # the same
EMPTY_BYTES = len(packed(Done(0, [], 0.0)))  # of a chunk without results
FUNCTION_BYTES_MAX = 2**20
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


UnderWayT = TypeVar("UnderWayT")
SubmitT = TypeVar("SubmitT")


@attrs.frozen
class _Window(Generic[UnderWayT]):
    """One job; `sizes` has how many calls each of its chunks is."""

    job: UnderWayT
    sizes: list[int]


class Windows(Generic[UnderWayT, SubmitT]):
    """What is under way, what has come of it, and what is to be submitted next; who waits for all
    of this, and how, is a subclass's. `submit` has an input computed by the job JOB, in so many
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
        if chunk is not None and chunk < 1:
            raise ValueError(f"chunk must be a whole number, 1 or more, not {chunk!r}")
        self._submit, self._title = submit, name_of(function)
        self._setup = setup_of(function, None, goes_on)
        self._goes_on = goes_on
        self._error: Exception | None = None  # of the iterables, which have ended with it
        self._items = self._given(zip(*iterables, strict=False))  # until the shortest ends
        self._left = least_length(iterables)
        self._nodes = nodes or NODES
        self._chunk = chunk
        self._pace: float | None = None  # seconds a call
        self._argument_bytes = self._result_bytes = 0.0  # a call, lately
        self._cut: tuple[list[bytes], list[int]] | None = None  # a window, not submitted yet
        self._windows: deque[_Window[UnderWayT]] = deque()
        self._results: deque[Any] = deque()
        self._index = 0  # of the item whose result is next

    def _wanted(self) -> list[bytes]:
        """The chunks of the job that is to be submitted next, the same ones until it has `_begun`:
        whoever submits may be interrupted. Empty: enough are under way, or no items are left."""
        if len(self._windows) >= (WINDOWS_TRIED if self._pace is None else WINDOWS):
            return []
        if self._cut is None:
            self._cut = self._next_window()
        return self._cut[0]

    def _input(self, chunks: list[bytes]) -> dict[str, Any]:
        return {"setup": self._setup, "chunks": chunks}

    def _begun(self, job: UnderWayT) -> None:
        assert self._cut is not None
        self._windows.append(_Window(job, self._cut[1]))
        self._cut = None

    def _first(self, stop: type[Exception]) -> UnderWayT:
        """The job whose results are next. Raises what the iterables have raised, and `stop`."""
        if not self._windows:
            given, self._error = self._error, None
            raise given or stop
        return self._windows[0].job

    def _take(self, outputs: list[bytes] | list[Plain]) -> None:
        """That came of the first."""
        results, seconds = [], 0.0
        for data in outputs:
            done: Done = read(data)
            results += done.results
            seconds += done.seconds
        calls = sum(self._windows.popleft().sizes)
        size = sum(len(data) - EMPTY_BYTES for data in outputs)  # else one call is as large as many
        self._pace, self._result_bytes = seconds / calls, max(0, size) / calls
        self._results += results

    def _next_result(self) -> Any:
        """Raises what the call has raised, unless it goes on then."""
        result = self._results.popleft()
        self._index += 1
        if not isinstance(result, Raised):
            return result
        error = as_raised(result, f"item {self._index - 1}")
        if self._goes_on:
            return error
        raise error

    def _end(self) -> list[UnderWayT]:
        """Nothing more is wanted. Returns what is under way."""
        self._items, windows = iter(()), [*self._windows]
        self._error = self._cut = None
        self._windows.clear()
        self._results.clear()
        return [window.job for window in windows]

    def _given(self, items: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from items
        except Exception as error:  # noqa: BLE001  it is for whoever takes the results
            self._error = error

    def _next_window(self) -> tuple[list[bytes], list[int]]:
        """The chunks of it, and how many calls each is."""
        most = self._nodes * (1 if self._pace is None else CHUNKS_A_NODE)
        so_far = 0.0
        chunks: list[bytes] = []
        sizes: list[int] = []
        while len(chunks) < most and so_far < WINDOW_BYTES:
            calls = list(islice(self._items, self._chunk_size()))
            if not calls:
                break
            chunks.append(packed(calls))
            sizes.append(len(calls))
            self._argument_bytes = len(chunks[-1]) / len(calls)
            so_far += max(len(chunks[-1]), self._result_bytes * len(calls))
        if self._left is not None:
            self._left -= sum(sizes)
        return chunks, sizes

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


def least_length(iterables: tuple[Iterable[Any], ...]) -> int | None:
    """Of the shortest; None where that is not known of all."""
    try:
        return min(len(one) for one in iterables)  # type: ignore[arg-type]
    except TypeError:
        return None


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
