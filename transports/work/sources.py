"""What can be seen of a job without loading it: whether it is there, and whether two have the same
file. Nothing of it is run.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping

from plugins.jobs.loading import is_path
from transports.work.jobs import called, place

SOURCE_BYTES_MAX = 2**22


def missing(name: str) -> str:
    """What is wrong where there is no such module or file here, in a line; else nothing."""
    if is_path(name):
        return "" if os.path.isfile(name) else f"there is no file {name!r:.300} here"
    return "" if _is_module(name) else f"there is no module {name!r:.300} here"


def _is_module(name: str) -> bool:
    """Whether it would be found where modules are looked for. A package that is not loaded yet is
    asked for its folders alone; what makes modules while it is loaded is not known before."""
    if name in sys.modules:
        return True
    places: list[str] | None = None
    at = ""
    for part in name.split("."):
        at = f"{at}.{part}" if at else part
        found = None
        for finder in sys.meta_path:
            if found is None and hasattr(finder, "find_spec"):
                found = finder.find_spec(at, places)
        if found is None:
            return False
        places = list(found.submodule_search_locations or ())
    return True


def files_of(names: Iterable[str]) -> dict[str, str]:
    """The digests of the job files among `names` that are here, by what each is called over the
    wire."""
    files = {place(name) for name in names}
    found = {called(file): digest(file) for file in files if is_path(file)}
    return {name: sha for name, sha in found.items() if sha}


def digest(file: str) -> str:
    """SHA-256 of a source, however its lines end; nothing where there is none to be read."""
    try:
        if not os.path.isfile(file) or os.path.getsize(file) > SOURCE_BYTES_MAX:
            return ""
        with open(file, "rb") as source:
            return hashlib.sha256(source.read().replace(b"\r\n", b"\n")).hexdigest()
    except OSError:
        return ""


def others(theirs: Mapping[str, str], here: Iterable[str]) -> list[str]:
    """Which of the files of whoever submits are other ones than those `here` of the same name."""
    ours = files_of(here)
    return sorted(name for name, sha in theirs.items() if ours.get(name, sha) != sha)
