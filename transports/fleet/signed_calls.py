"""The job behind `Fleet.map` where its calls are signed: as `calling`, for nodes that trust a key.

Rules it keeps:
- Nothing is unpickled of which the SHA-256 was not signed: the function, and the calls of each
  chunk in its place. What passes from node to node besides is plain data.
- So are results, also on their way to the program; unless that trusts the nodes and has said so,
  then they are pickled. What others have made is unpickled by no node.
- Modules that the function imports are those that are installed here.
"""

from __future__ import annotations

import hashlib
import pickle
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import msgspec

from plugins.jobs.loading import Job
from plugins.jobs.values import packed as plain_bytes
from transports.fleet.calling import (
    Done,
    Raised,
    Setup,
    called,
    collect_chunks,
    numbered,
    packed_done,
    prepare,
)
from transports.values.handles import BLOB_BYTES_MAX
from transports.work.code import PICKLED


class Hashes(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is signed of some calls: SHA-256 of what is pickled."""

    setup: bytes
    chunks: list[bytes]
    pickles: bool  # results are pickled, for a program that trusts the nodes


def hashes_of(value: dict[str, Any], pickles: bool) -> bytes:
    """Of an input of `calling`."""
    chunks = [_sha(chunk) for chunk in value["chunks"]]
    return msgspec.msgpack.encode(Hashes(_sha(value["setup"]), chunks, pickles))


def job(data: bytes) -> Job:
    """The job of which these are the hashes. Raises ValueError."""
    hashes = msgspec.msgpack.decode(data, type=Hashes)
    return Job(PICKLED, prepare, partial(_compute, hashes), partial(_collect, hashes))


def _compute(hashes: Hashes, input: dict[str, Any], index: int) -> Any:
    setup, (chunk,) = _setup(hashes, input["setup"]), input["chunks"]
    if _sha(chunk) != hashes.chunks[index]:
        raise ValueError(f"the calls of partition {index} are not those that were signed")
    calls = pickle.loads(chunk)  # noqa: S301  whose hash was signed
    if setup.reduce is not None:
        return {"setup": input["setup"], "plain": setup.reduce(numbered(setup, *calls))}
    began = time.perf_counter()
    results = called(setup, calls)
    seconds = time.perf_counter() - began
    if hashes.pickles:
        return packed_done(Done(index, results, seconds))
    return _plain(index, results, seconds)


def _collect(hashes: Hashes, outputs: Sequence[Any]) -> Any:
    reduce = _setup(hashes, outputs[0]["setup"]).reduce if _is_reduced(outputs[0]) else None
    if reduce is None:
        return collect_chunks(outputs)
    value = reduce([output["plain"] for output in outputs])
    return {"setup": outputs[0]["setup"], "plain": value}


def _is_reduced(output: Any) -> bool:
    return isinstance(output, dict) and "setup" in output


def _setup(hashes: Hashes, data: bytes) -> Setup:
    if _sha(data) != hashes.setup:
        raise ValueError("the function is not the one that was signed")
    return _loaded(data)


@lru_cache(maxsize=1)
def _loaded(data: bytes) -> Setup:
    _, _, rest = pickle.loads(data)  # noqa: S301  whose hash was signed
    found: Setup = pickle.loads(rest)  # noqa: S301
    return found


def _sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# -- results as plain data -----------------------------------------------------------------


def _plain(index: int, results: list[Any], seconds: float) -> dict[str, Any]:
    """What came of a chunk, as it travels: what was returned, with None for each call that raised,
    and what these raised."""
    raised = {at: one for at, one in enumerate(results) if isinstance(one, Raised)}
    returned = [None if at in raised else one for at, one in enumerate(results)]
    try:
        size = len(plain_bytes(returned))
    except TypeError:
        for at, one in enumerate(returned):
            if error := _not_plain(one):
                raised[at], returned[at] = Raised(error, ""), None
        size = len(plain_bytes(returned))
    return {
        "partition": index,
        "seconds": seconds,
        "returned": returned,
        "raised": [[at, *_told(raised[at])] for at in sorted(raised)],
        "bytes": size,
    }


def _not_plain(value: Any) -> TypeError | None:
    try:
        plain_bytes(value)
    except TypeError as error:
        return TypeError(f"what it returned is {error}")
    return None


def _told(raised: Raised) -> tuple[str, str, list[Any] | None, str]:
    """The module and name of its class, what it was made with, and its traceback."""
    kind = type(raised.error)
    arguments: list[Any] | None = list(getattr(raised.error, "args", ()))
    if _not_plain(arguments):
        arguments = None
    return kind.__module__, kind.__qualname__, arguments, raised.text


Find = Callable[[str, str], Any]


def done_of(value: dict[str, Any], find: Find) -> Done:
    """What came of a chunk, from what a node says; `find` gives the class of an exception by its
    module and name, or nothing. Raises ValueError for what no node would say."""
    try:
        results = list(value["returned"])
        for at, module, name, arguments, text in value["raised"]:
            results[at] = Raised(_rebuilt(find(module, name), arguments), str(text))
        return Done(int(value["partition"]), results, max(0.0, float(value["seconds"])))
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(f"a node says what is no result: {error!r:.200}") from error


def size_of(value: Any) -> int:
    """About how many bytes of results it is, as the node says."""
    said = value.get("bytes") if isinstance(value, dict) else 0
    return min(max(0, said), BLOB_BYTES_MAX) if isinstance(said, int) else 0


def _rebuilt(kind: Any, arguments: Any) -> Exception | None:
    """The exception, if it can be made of what is known of it."""
    known = isinstance(kind, type) and issubclass(kind, Exception)
    if not (known and isinstance(arguments, list)):
        return None
    try:
        made: Exception = kind(*arguments)
    except Exception:  # noqa: BLE001  whatever its class does
        return None
    return made
