"""`submit --map`: a function of a file called for many items, as one job, for nodes that compute
whatever anybody says (`--allow transports.fleet.calling`), or what is signed by one they trust.

Rules it keeps:
- The function travels pickled, with what its file imports from the file's own folder.
- Results come in order, as a list, or as what `--reduce` makes of lists of them. They are plain
  data, which anybody can read later: nothing that others made is unpickled for that.
"""

from __future__ import annotations

import builtins
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import cloudpickle  # type: ignore[import-untyped]
import msgspec

from plugins.console.options import BadOption
from plugins.jobs.loading import of_files, resolved
from plugins.jobs.values import plain
from transports.command.clients_wanted import MapOptions
from transports.fleet.asked import Asked, titled
from transports.fleet.job import CALLS
from transports.fleet.mapping import cut_to_reduce, pieces
from transports.net import wire
from transports.work.jobs import called

ASKED = Asked(job=CALLS)


def mapped(wanted: MapOptions, spec: wire.Spec, nodes: int) -> wire.Spec:
    """That job, of these calls. Raises JobError, and BadOption for what cannot be."""
    function = _named("map", wanted.map)
    reduce = _joined if wanted.reduce is None else _named("reduce", wanted.reduce)
    items = _items(wanted.over)
    partitions = spec.partitions or pieces(nodes)
    if not items:
        raise BadOption(f"--over: there are no items in {str(wanted.over)!r}, give at least one")
    try:
        call = function if wanted.reduce else _Listed(function)
        value, partitions = cut_to_reduce(call, (items,), reduce, partitions)
    except TypeError as error:
        raise BadOption(f"--map: {error}") from None
    value["plain"] = True
    cut = {"input": value, "partitions": partitions}
    return msgspec.structs.replace(spec, job=CALLS, **cut, title=titled(called(wanted.map)))


def sizes(wanted: MapOptions, spec: wire.Spec) -> dict[str, int]:
    """How many bytes travel of what: the functions, with what they use of job files; the items."""
    files = sorted({os.path.basename(one.__file__) for one in of_files() if one.__file__})
    functions = " and ".join(filter(None, (wanted.map, wanted.reduce)))
    used = f"{functions}, with what is used of {', '.join(files)}" if files else functions
    return {
        used: len(spec.input["setup"]),
        f"the items of --over {wanted.over}": sum(map(len, spec.input["chunks"])),
    }


@attrs.frozen
class _Listed:
    """Its results are lists of one."""

    function: Callable[[Any], Any]

    def __call__(self, item: Any) -> list[Any]:
        return [plain(self.function(item))]  # it is the item's fault where it is not


def _joined(lists: list[list[Any]]) -> list[Any]:
    return [one for several in lists for one in several]


# -- what is named -------------------------------------------------------------------------


def _named(option: str, text: str) -> Callable[..., Any]:
    """A function of a file or of a module; without either it is a builtin one."""
    place, _, name = text.rpartition(":")
    home = resolved(place) if place else builtins
    found = getattr(home, name, None)
    if not callable(found):
        where = f"{place!r} has" if place else "Python itself has"
        raise BadOption(
            f"--{option}: {where} no function {name!r}, give MODULE_OR_FILE:NAME, such as my.py:f"
        )
    for module in of_files():
        cloudpickle.register_pickle_by_value(module)
    function: Callable[..., Any] = found
    return function


def _items(over: int | Path) -> Sequence[Any]:
    """Numbers from 0 on, or what a file has."""
    if isinstance(over, int):
        return range(over)
    try:
        text = over.read_text(encoding="utf-8")
        found = json.loads(text) if over.suffix == ".json" else text.splitlines()
    except OSError as error:
        raise BadOption(
            f"--over: no file {str(over)!r} ({error.strerror}), see where it is"
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadOption(f"--over: {str(over)!r} cannot be read, mend it: {error}") from None
    if not isinstance(found, list):
        raise BadOption(f"--over: {str(over)!r} has no list, put what is in it between [ and ]")
    return found
