"""The job behind `Fleet.map` and `Fleet.map_reduce`: a function of a program, called for each item.

An input is a dict: `setup`, the pickled `Setup`, and `chunks`, each the pickled arguments of some
calls, with the number of the first item where there is a `reduce`; a partition is a chunk. What
comes of a chunk is pickled, too: `Done`, or, where there is a `reduce`, what that made of it. Where
the input has `plain` this is plain data instead, which anybody can read, not the program alone.

This runs whatever is pickled there. So it is none of the jobs that a node computes unless it was
told to: nodes of a fleet of one's own are, others by `--allow transports.fleet.calling`. Of
others `signed_calls` runs what a key has signed that they trust.
"""

from __future__ import annotations

import io
import os
import pickle
import secrets
import sys
import time
import traceback
from collections import ChainMap
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from types import CodeType
from typing import Any, ClassVar

import attrs
import cloudpickle  # type: ignore[import-untyped]

from plugins.jobs.failing import is_local, summary
from transports.fleet.programs import Programs


@attrs.frozen
class Setup:
    """What is called, for all chunks; `path` is where the program finds its modules."""

    function: Callable[..., Any]
    reduce: Callable[[list[Any]], Any] | None
    goes_on: bool  # where a call raises, with the others
    path: tuple[str, ...]


@attrs.frozen
class Raised:
    """In place of what a call would have returned."""

    error: BaseException | None  # None: it cannot be pickled
    text: str  # its traceback


@attrs.frozen
class Done:
    """What came of the calls of one chunk, of the first ones at least. `seconds`: that all of them
    took."""

    partition: int  # which chunk
    results: list[Any]
    seconds: float


def packed(value: Any) -> bytes:
    """Pickled, with functions and classes that cannot be imported elsewhere."""
    with io.BytesIO() as file:
        _Pickler(file).dump(value)
        return file.getvalue()


def _reduced_code(code: CodeType) -> tuple[Any, ...]:
    _, fields = _TABLE[CodeType](code)
    return _code_in, (code.co_filename, *fields)


def _code_in(file: str, *fields: Any) -> CodeType:
    return CodeType(*fields).replace(co_filename=file)


_TABLE = cloudpickle.CloudPickler.dispatch_table


class _Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]
    """With the file of each function, which cloudpickle leaves out: tracebacks name it, and show
    its lines where it is."""

    dispatch_table: ClassVar[Any] = ChainMap({CodeType: _reduced_code}, _TABLE)


def packed_setup(
    function: Callable[..., Any], reduce: Callable[[list[Any]], Any] | None, goes_on: bool
) -> bytes:
    """Of a function of this program. In two steps: the path is needed before the rest is read."""
    path = tuple(sys.path)
    setup = packed(Setup(function, reduce, goes_on, path))
    return pickle.dumps((secrets.token_bytes(8), path, setup))  # no two are alike


@lru_cache(maxsize=1)
def _setup(data: bytes) -> Setup:
    _, path, rest = pickle.loads(data)  # noqa: S301  it is what this job is for
    programs = _programs()
    programs.enter(path)
    found: Setup = pickle.loads(rest)  # noqa: S301
    programs.note()
    return found


def run_packed(call: bytes) -> Any:
    """Make that call: a function, its arguments and named ones, pickled."""
    function, arguments, named = pickle.loads(call)  # noqa: S301
    return function(*arguments, **named)


@cache
def _programs() -> Programs:
    return Programs()


# -- the job -------------------------------------------------------------------------------


def prepare(input: dict[str, Any], sizes: Sequence[int]) -> list[dict[str, Any]]:
    """The chunks of each slot."""
    chunks, first, found = input["chunks"], 0, []
    for size in sizes:
        found.append({**input, "chunks": chunks[first : first + size]})
        first += size
    return found


def compute(input: dict[str, Any], index: int) -> bytes | dict[str, Any]:
    """All calls of one chunk."""
    setup = _setup(input["setup"])
    (chunk,) = input["chunks"]
    calls = pickle.loads(chunk)  # noqa: S301
    if setup.reduce is not None:
        return _made(input, setup.reduce(numbered(setup, *calls)))
    began = time.perf_counter()
    results = called(setup, calls)
    return packed_done(Done(index, results, time.perf_counter() - began))


def called(setup: Setup, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What came of each call. The last that is there has raised, unless they go on then; or the
    next did for want of what another machine may have. Raises that where it is the only call."""
    results: list[Any] = []
    function, me = setup.function, os.getpid()
    for arguments in calls:
        try:
            results.append(function(*arguments))
        except BaseException as error:
            if os.getpid() != me:
                raise  # a child of this process, which is not to go on here
            if is_local(error) and not setup.goes_on:
                if len(calls) == 1:
                    raise
                break  # whoever takes the results has this one called by itself
            results.append(raised(error))
            if not setup.goes_on:
                break
    return results


def raised(error: BaseException) -> Raised:
    """What would end who takes the results, or look like their end, is told of only."""
    try:
        text = "".join(traceback.format_exception(error)[1:])  # from where it entered ours
    except Exception:  # noqa: BLE001  whatever it does where it is to be shown
        text = summary(error)
    if isinstance(error, StopIteration | StopAsyncIteration):  # as in a generator, PEP 479
        return Raised(RuntimeError(f"the call raised {summary(error)}"), text)
    if not isinstance(error, Exception):
        return Raised(None, text)
    return Raised(error.with_traceback(None), text)


def numbered(setup: Setup, first: int, calls: Iterable[tuple[Any, ...]]) -> list[Any]:
    """The same where all of them are to be reduced, from the `first` item on. Raises what one has
    raised, which says of which item it is."""
    results: list[Any] = []
    for item, arguments in enumerate(calls, first):
        try:
            results.append(setup.function(*arguments))
        except Exception as error:
            with suppress(Exception):  # its class may have no notes
                error.add_note(f"item {item}")
            raise
    return results


def packed_done(done: Done) -> bytes:
    """With what cannot travel as what was raised, and without exceptions that cannot be read."""
    done = attrs.evolve(done, results=[_readable(result) for result in done.results])
    try:
        return packed(done)
    except Exception:  # noqa: BLE001  whatever pickling raises
        return packed(attrs.evolve(done, results=[_travelling(one) for one in done.results]))


def _readable(result: Any) -> Any:
    if isinstance(result, Raised):
        try:
            pickle.loads(packed(result.error))  # noqa: S301
        except Exception:  # noqa: BLE001  whatever its class does
            return Raised(None, result.text)
    return result


def _travelling(result: Any) -> Any:
    try:
        packed(result)
    except Exception as error:  # noqa: BLE001  the same
        return Raised(TypeError(f"what it returned cannot be pickled: {error}"), "")
    return result


def collect(outputs: Sequence[Any]) -> Any:
    """All chunks, in order; or what `reduce` makes of them."""
    if isinstance(outputs[0], dict):
        return _reduced(outputs)
    return collect_chunks(outputs)


def collect_chunks(outputs: Sequence[Any]) -> list[Any]:
    """What came of all chunks, in order."""
    found: list[Any] = []
    for output in outputs:
        found += output if isinstance(output, list) else [output]
    return found


def _reduced(outputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    reduce = _setup(outputs[0]["setup"]).reduce
    assert reduce is not None
    values = [
        output["plain"] if "plain" in output else pickle.loads(output["value"])  # noqa: S301
        for output in outputs
    ]
    return _made(outputs[0], reduce(values))


def _made(like: dict[str, Any], value: Any) -> dict[str, Any]:
    """What `reduce` has made, as it travels."""
    said = {"plain": value} if "plain" in like else {"value": packed(value)}
    return {"setup": like["setup"], **said}
