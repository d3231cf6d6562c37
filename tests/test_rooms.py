"""Who may import whom, what the core must not touch, and how long it may become."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import TOP

# Lines of code: no blank lines, comments or docstrings.
TOGETHER_LINES_MAX = 250
TOGETHER = ("computation.py", "worker.py")
COMPUTATION_LINES_MAX = 1015  # of the core, without its sessions and the lobby
SESSIONS_LINES_MAX = 1790
LOBBY_LINES_MAX = 390
FILE_LINES_MAX = 250

ROOMS = ("core", "sim", "transports", "plugins")
BARRED = {  # for each room those that it must not import
    "core": {"sim", "transports", "plugins", "tests"},
    "sim": {"transports", "tests"},
    "transports": {"sim", "tests"},
    "plugins": {"sim", "transports", "tests"},
}
# And the standard library, except what comes below.
CORE_MAY_IMPORT = {"attr", "attrs", "core", "msgspec", "mypy_extensions"}
IMPURE = {
    "_thread",
    "asyncio",
    "builtins",
    "concurrent",
    "contextvars",
    "ctypes",
    "datetime",
    "fcntl",
    "fileinput",
    "ftplib",
    "getpass",
    "glob",
    "http",
    "importlib",
    "inspect",
    "io",
    "locale",
    "logging",
    "mmap",
    "multiprocessing",
    "os",
    "pathlib",
    "pickle",
    "platform",
    "queue",
    "random",
    "resource",
    "runpy",
    "sched",
    "secrets",
    "select",
    "selectors",
    "shelve",
    "shutil",
    "signal",
    "smtplib",
    "socket",
    "socketserver",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "tkinter",
    "urllib",
    "uuid",
    "warnings",
}
IMPURE_CALLS = {"__import__", "breakpoint", "eval", "exec", "hash", "id", "input", "open", "print"}


def files(room: str) -> list[Path]:
    return sorted((TOP / room).rglob("*.py"))


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """The full name of every module imported anywhere in a file of `package`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=module, level=0):
                yield module or ""
            case ast.ImportFrom(module=module, level=level):
                above = package.split(".")[: 1 - level or None]
                yield ".".join([*above, *([module] if module else [])])
            case ast.Call(
                func=ast.Attribute(attr="import_module")
                | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def imported_rooms(path: Path) -> set[str]:
    package = ".".join(path.relative_to(TOP).parent.parts)
    return {name.partition(".")[0] for name in imports(ast.parse(path.read_text()), package)}


def test_every_kind_of_import_is_seen() -> None:
    source = """
import a.b, c as d
from e.f import g
from . import h
from ..i import j
if TYPE_CHECKING:
    import k
def function():
    from l import m
    async def inner():
        import n
        importlib.import_module("o.p")
        __import__("q")
"""
    found = list(imports(ast.parse(source), "room.part"))
    assert sorted(found) == sorted(
        ["a.b", "c", "e.f", "room.part", "room.i", "k", "l", "n", "o.p", "q"]
    )


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_one_way(room: str) -> None:
    if not (TOP / room).exists():
        pytest.skip(f"there is no room {room} yet")
    assert files(room)
    for path in files(room):
        assert not imported_rooms(path) & BARRED[room], path


def test_the_core_imports_the_standard_library_and_what_makes_its_classes() -> None:
    allowed = CORE_MAY_IMPORT | (sys.stdlib_module_names - IMPURE)
    for path in files("core"):
        assert imported_rooms(path) <= allowed, path


def test_the_core_has_no_async_and_asks_nothing_of_the_outside() -> None:
    awaited = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    for path in files("core"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, awaited), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in IMPURE_CALLS, f"{path}:{node.lineno}"


def test_the_core_does_without_the_other_rooms_at_run_time() -> None:
    paths = [path.relative_to(TOP).with_suffix("") for path in files("core")]
    names = [".".join(path.parts) for path in paths if path.stem != "__init__"]
    script = f"import sys, {', '.join(names)}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert {"core", "attr", "msgspec"} <= loaded
    assert not loaded & {*BARRED["core"], "simpy", "trio", "asyncio", "socket"}


# -- no circles ----------------------------------------------------------------------------


def module(path: Path) -> str:
    return ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path: Path, known: set[str]) -> set[str]:
    """Those of `known` that the file names, also where it does so for types only."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(name if name in known else f"{node.module}" for name in names)
    return (found & known) - {module(path)}


def test_outside_the_core_nobody_imports_who_imports_them() -> None:
    paths = {module(path): path for room in ROOMS if room != "core" for path in files(room)}
    left = {name: imported_modules(path, set(paths)) for name, path in paths.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left, sorted(left)


# -- the two layers of the core ------------------------------------------------------------


def session_files() -> list[Path]:
    """Of the lower layer, which keeps any model alive."""
    return files("core/sessions")


def computation_names() -> set[str]:
    """Of all classes and functions of the layer above it."""
    above = [path for path in files("core") if path not in session_files()]
    nodes = [node for path in above for node in ast.parse(path.read_text()).body]
    defined = (ast.ClassDef, ast.FunctionDef)
    return {node.name for node in nodes if isinstance(node, defined) and node.name[0] != "_"}


def test_a_session_imports_nothing_of_the_computation() -> None:
    assert session_files()
    for path in session_files():
        names = set(imports(ast.parse(path.read_text()), "core.sessions"))
        above = {name for name in names if name.partition(".")[0] == "core"}
        assert all(name.startswith("core.sessions") for name in above), f"{path}: {above}"


def test_a_session_names_nothing_of_the_computation() -> None:
    names = computation_names()
    assert {"Computation", "Worker", "Slots", "Shape", "Finished"} <= names
    for path in session_files():
        assert not names & set(re.findall(r"\w+", path.read_text())), path


# -- sizes ---------------------------------------------------------------------------------

NOT_CODE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


def docstring_lines(tree: ast.AST) -> set[int]:
    """The lines of strings that stand alone."""
    alone = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return {line for node in alone for line in range(node.lineno, (node.end_lineno or 0) + 1)}


def code_lines(source: str) -> int:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(ast.parse(source)))


def test_what_counts_as_a_line_of_code() -> None:
    source = '''"""A docstring
of two lines."""

# a comment
def f(
    a,  # counts for the code before it
):
    """Another."""

    return """a string
    of two lines"""
'''
    assert code_lines(source) == 5


def test_computation_and_worker_can_be_read_in_one_sitting() -> None:
    lines = {name: code_lines((TOP / "core" / name).read_text()) for name in TOGETHER}
    assert sum(lines.values()) <= TOGETHER_LINES_MAX, lines


def test_the_core_stays_small() -> None:
    lines = {path: code_lines(path.read_text()) for path in files("core")}
    sessions = sum(lines[path] for path in session_files())
    lobby = sum(lines[path] for path in files("core/lobby"))
    assert sessions <= SESSIONS_LINES_MAX
    assert lobby <= LOBBY_LINES_MAX
    assert sum(lines.values()) - sessions - lobby <= COMPUTATION_LINES_MAX
    assert max(lines.values()) <= FILE_LINES_MAX, lines
