"""The modules of programs, in a process that computes for one program after the other.

Rules it keeps:
- A module stays loaded for the next program, as it does in the program itself: it may have
  registered something that can be registered once only.
- Where one was edited since it was loaded, or the next program has another one by that name, all
  modules of programs are forgotten: others may have parts of that one.
- Never forgotten is what was loaded before, what is installed, and a package of which a part is
  compiled, as NumPy: such a part cannot be loaded twice.
"""

from __future__ import annotations

import importlib
import os
import site
import sys
import sysconfig
import time
from collections.abc import Iterable
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from types import ModuleType

from plugins.jobs.loading import OURS

Stamp = tuple[str, int, int]
"""A file, when it was changed, in nanoseconds, and its bytes."""


class Programs:
    """Made before the first program has something loaded."""

    def __init__(self) -> None:
        self._before = {*sys.modules}
        self._path = [*sys.path]
        self._stamps: dict[str, Stamp | None] = {}  # of modules, as they were loaded
        self._noted_ns = time.time_ns()  # all that was loaded has a stamp

    def enter(self, path: Iterable[str]) -> None:
        """The next program finds its modules there, behind what is found without any."""
        modules = self._modules()
        importlib.invalidate_caches()
        places = {top: _place(top) for top in map(_top, modules)}
        sys.path[:] = [*self._path, *(place for place in path if place not in self._path)]
        elsewhere = any(place != _place(top) for top, place in places.items())
        if elsewhere or any(map(self._is_edited, modules, modules.values())):
            for name in modules:
                sys.modules.pop(name, None)
            self._stamps.clear()

    def note(self) -> None:
        """What is loaded by now is as its files are."""
        now = time.time_ns()
        for name, module in self._modules().items():
            if name not in self._stamps:
                self._stamps[name] = _stamp(module)
        self._noted_ns = now

    def _modules(self) -> dict[str, ModuleType]:
        """Those that may be forgotten, by name."""
        loaded = {name: found for name, found in [*sys.modules.items()] if _file(found)}
        compiled = {
            _top(name) for name, found in loaded.items() if _file(found).endswith(_COMPILED)
        }
        kept = {*OURS, *compiled}
        return {
            name: found
            for name, found in loaded.items()
            if name not in self._before
            and _top(name) not in kept
            and _file(found).endswith(".py")
            and not _file(found).startswith(_installed())
        }

    def _is_edited(self, name: str, module: ModuleType) -> bool:
        now = _stamp(module)
        if name in self._stamps:
            return now != self._stamps[name]
        return now is None or now[1] > self._noted_ns  # a call has loaded it, before that or after


_COMPILED = tuple(EXTENSION_SUFFIXES)


@cache
def _installed() -> tuple[str, ...]:
    """Folders in which nobody edits a program."""
    paths = sysconfig.get_paths()
    places = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    places += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(f"{place}{os.sep}" for place in places)


def _top(name: str) -> str:
    return name.partition(".")[0]


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or ""


def _stamp(module: ModuleType) -> Stamp | None:
    """Of its file; None: it is not there."""
    file = _file(module)
    try:
        found = os.stat(file)
    except OSError:
        return None
    return file, found.st_mtime_ns, found.st_size


def _place(top: str) -> list[str]:
    """Where a module of that name is found: its file, or the folders of a package that has none."""
    spec = PathFinder.find_spec(top)
    if spec is None:
        return []
    if spec.has_location and spec.origin:
        return [spec.origin]
    return [*(spec.submodule_search_locations or ())]
