"""Compiles the hot modules with mypyc where that can be done; else all of it is pure Python.

The sources are the same, and so is every digest. MILLION_NODES_COMPILE=0 never compiles, and 1
fails where the usual answer is to do without: there is no C compiler, or no mypy. An editable
install never compiles: what is edited is to be what runs.

Compiled code holds annotations to their word: a list where a tuple is declared is a TypeError.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setuptools import Extension, setup

TOP = Path(__file__).parent
COMPILES = os.environ.get("MILLION_NODES_COMPILE", "")
BUILDS = {"bdist_wheel", "build", "build_ext", "install"}  # the commands that need extensions
INTERPRETED = {  # of the core: structs of msgspec, which are C already
    "core/messages.py",
    "core/sessions/messages.py",
}
# At -O1 the C compiler takes two thirds of its time at -O2 or -O3, and a run is as fast if no other
# library is to find a function. A warning of another compiler is no reason to install nothing.
FLAGS = ["-fvisibility=hidden", "-Wno-error"]
OF_THE_SIMULATOR = [
    "sim/clock.py",
    "sim/links/lines.py",
    "sim/links/network.py",
    "sim/record.py",
    "sim/work.py",
]


def modules() -> list[str]:
    """The files that are compiled."""
    core = sorted(str(path.relative_to(TOP)) for path in (TOP / "core").rglob("*.py"))
    return [path for path in core if path not in INTERPRETED] + OF_THE_SIMULATOR


def why_not() -> Iterator[str]:
    """Why nothing is compiled, if that is so."""
    if COMPILES == "0":
        yield "MILLION_NODES_COMPILE is 0"
    try:
        import mypyc.build  # noqa: F401 - whether it is there
    except ImportError:
        yield "mypy is not to be found"
    if not has_compiler():
        yield "no C compiler works here"


def has_compiler() -> bool:
    """Whether what an extension needs can be compiled here."""
    from setuptools.command.build_ext import build_ext
    from setuptools.dist import Distribution
    from setuptools.errors import CompileError

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text("#include <Python.h>\n")
        command: Any = build_ext(Distribution())
        command.ensure_finalized()
        try:
            command.setup_shlib_compiler()
            command.shlib_compiler.compile([str(source)], folder, include_dirs=command.include_dirs)
        except (CompileError, OSError):
            return False
    return True


def extensions() -> list[Extension]:
    """Those of this build; none where it is to be pure Python."""
    if not BUILDS.intersection(sys.argv):
        return []
    reason = next(why_not(), None)
    if reason is None:
        print(f"million-nodes: {len(modules())} modules are compiled with mypyc")
        return compiled()
    if COMPILES == "1":
        raise SystemExit(f"million-nodes: MILLION_NODES_COMPILE is 1, but {reason}")
    print(f"million-nodes: pure Python, as {reason}")
    return []


def compiled() -> list[Extension]:
    from mypyc.build import mypycify

    os.chdir(TOP)
    sys.path.insert(0, str(TOP))
    options = ["--config-file=mypyc.ini", *modules()]
    found: list[Extension] = mypycify(options, opt_level="1", debug_level="0")
    for extension in found:
        extension.extra_compile_args += FLAGS
    return found


setup(ext_modules=extensions())
