"""Turns the name of a job into its functions, or says in one line why that is not possible.

A job is anything that has these functions, usually a module:

    prepare(input, sizes)  -> a sequence of len(sizes) inputs, one a slot
    compute(input, index)  -> the output of one partition
    collect(outputs)       -> the combined output, associative in slot order
    cost(input, index)     -> optional: the seconds that compute takes, for the simulator's clock

`compute` may be an `async def`, on Trio: for pieces that wait rather than compute, such as for an
answer from elsewhere. On real sockets those of many nodes then wait at the same time, in one
process; in the simulator each is run to its end on its own.

A job file is not put into Python's name space of modules under its own name: two files called
`job.py` in two folders are two jobs, and a file that was edited is loaded anew. What it imports is
looked for in its own folder first, wherever the program was started, as Python does for a script.
"""

import ast
import glob
import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from types import ModuleType
from typing import Any

from attrs import evolve, frozen

from plugins.console import signals
from plugins.jobs.failing import summary

PARTS = "a job has prepare(input, sizes), compute(input, index) and collect(outputs)"
_loaded: list[ModuleType] = []
_FOLDERS: dict[str, str] = {}  # of the modules that were made of job files
OURS = frozenset({"core", "sim", "transports", "plugins"})
NAMES = "give a dotted module name, or the path of a .py file"


class JobError(ValueError):
    """A job cannot be loaded. The message is one line: what was given, what is wrong with it, and
    what would be right."""


@frozen
class Job:
    """The functions of a job. Inputs and outputs are plain data: None, bool, int, float, str,
    bytes, and lists and dicts (with str keys) of these."""

    name: str
    prepare: Callable[[Any, Sequence[int]], Sequence[Any]]
    compute: Callable[[Any, int], Any]
    collect: Callable[[Sequence[Any]], Any]
    cost: Callable[[Any, int], float] | None = None

    @property
    def asynchronous(self) -> bool:
        """Whether compute is to be awaited."""
        function: Any = self.compute
        while isinstance(function, partial):
            function = function.func
        call = getattr(function, "__call__", None)  # noqa: B004 - of an object that has one
        return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)

    def synchronous(self) -> "Job":
        """The same job for callers that cannot await: each piece is run to its end when called."""
        if not self.asynchronous:
            return self
        import trio  # which takes longer to load than most jobs, few of which need it

        compute = self.compute

        @wraps(compute)
        def computed(input: Any, index: int) -> Any:
            return trio.run(compute, input, index)

        return evolve(self, compute=computed)


def cut(inputs: Any, slots: int) -> list[Any]:
    """What prepare returned for so many slots. Raises TypeError or ValueError if it is not that."""
    try:
        found = list(inputs)
    except TypeError:
        what = f"prepare returned {type(inputs).__name__}, which is no sequence"
        raise TypeError(f"{what}: return a list of {slots} inputs") from None
    if len(found) != slots:
        raise ValueError(f"prepare returned {len(found)} inputs for {slots} slots")
    return found


def load(
    spec: object,
    prepare: str | None = None,
    compute: str | None = None,
    collect: str | None = None,
) -> Job:
    """The job called `spec`: a dotted module name, or the path of a Python file (a string that
    ends in .py or contains a path separator, or a pathlib.Path). From Python, `spec` may also be
    the module itself or any other object with a job's functions.

    Each of the others replaces one function: `MODULE_OR_FILE[:NAME]`, where NAME is the part's own
    name unless given. `cost` is taken from where `compute` comes from, as that is what it is about.

    Raises JobError.
    """
    home = resolved(spec)
    places = {
        part: (home, _name(spec), part) if override is None else _override(override, part)
        for part, override in (("prepare", prepare), ("compute", compute), ("collect", collect))
    }
    functions = {part: _function(*place) for part, place in places.items()}
    worker, worker_name, _ = places["compute"]
    return Job(name=_name(spec), **functions, cost=_cost(worker, worker_name))


def _name(spec: object) -> str:
    if isinstance(spec, str | os.PathLike):
        return os.fsdecode(spec)
    return str(getattr(spec, "__name__", repr(spec)))


def resolved(spec: object) -> object:
    """The object that has the functions, usually a module. Raises JobError."""
    if isinstance(spec, os.PathLike):
        found = _from_file(os.fsdecode(spec))
    elif not isinstance(spec, str):
        return spec
    else:
        found = _from_file(spec) if is_path(spec) else _from_name(spec)
    if found not in _loaded:
        _loaded.append(found)
    return found


def forget() -> None:
    """At the end of a process that frees nothing: free what jobs have made. So files are closed."""
    for module in _loaded:
        vars(module).clear()


@contextmanager
def loaded_apart() -> Iterator[None]:
    """Forget afterwards the modules of job files, and of their folders, that are loaded meanwhile.

    For a process that looks at one job after the other: two may have helpers of the same name, and
    a helper may be edited between them.
    """
    before = {*sys.modules}
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name not in before and _is_beside(name)]:
            module = sys.modules.pop(name)
            if module in _loaded:
                _loaded.remove(module)


def of_files() -> list[ModuleType]:
    """The modules that are loaded from job files, and those from their folders: other processes
    find none of these by their names."""
    return [module for name, module in [*sys.modules.items()] if _is_beside(name)]


def _is_beside(name: str) -> bool:
    """Whether it is a module of a job file, or one from the folder of one."""
    top = sys.modules.get(name.partition(".")[0])
    file = getattr(top, "__file__", None)
    if name in _FOLDERS or file is None:
        return name in _FOLDERS
    folder, last = os.path.split(os.path.realpath(file))
    package = last == "__init__.py" and os.path.basename(folder) not in OURS
    return (os.path.dirname(folder) if package else folder) in _FOLDERS.values()


def beside(module: str) -> dict[str, bytes]:
    """What a job file imports from its own folder, and what that imports: by path, the source.

    Nothing for a module that was loaded by its dotted name: that is installed as a whole.
    """
    if module not in _FOLDERS:
        return {}
    return sources_beside(str(sys.modules[module].__file__))


def sources_beside(file: str) -> dict[str, bytes]:
    """The same of a file that need not be loaded. Raises OSError."""
    folder, found, left = os.path.dirname(file), dict[str, bytes](), [file]
    while left:
        for name in _imported(left.pop()):
            for other in _files(name.partition(".")[0], folder):
                if other not in found:
                    path = os.path.join(folder, other)
                    found[other] = _source(path)
                    left.append(path)
    return dict(sorted(found.items()))


def _files(top: str, folder: str) -> list[str]:
    """Those of the module or package `top` in that folder, by their paths there."""
    package = os.path.join(folder, top)
    if top in OURS:
        return []
    if os.path.isfile(os.path.join(package, "__init__.py")):  # before a file of that name
        inside = glob.glob(os.path.join(glob.escape(package), "**", "*.py"), recursive=True)
        return [os.path.relpath(path, folder) for path in inside]
    return [f"{top}.py"] if os.path.isfile(os.path.join(folder, f"{top}.py")) else []


def _imported(path: str) -> Iterator[str]:
    """The names of the modules that a file imports, wherever in it."""
    try:
        tree = ast.parse(_source(path))
    except (SyntaxError, ValueError):
        return  # it cannot be imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _source(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read().replace(b"\r\n", b"\n")


def is_path(spec: str) -> bool:
    """Whether it names a file, rather than a module."""
    return spec.endswith(".py") or os.sep in spec or bool(os.altsep and os.altsep in spec)


def _override(override: str, part: str) -> tuple[object, str, str]:
    """Where one function is to be found: the object, what to call it in errors, the attribute."""
    place, colon, name = override.rpartition(":")
    if not colon or is_path(name):  # no NAME; the colon, if any, is within the path (C:\job.py)
        place, name = override, part
    return resolved(place), place, name


def _function(home: object, home_name: str, name: str) -> Callable[..., Any]:
    found = getattr(home, name, None)
    if found is None:
        raise JobError(f"job {home_name!r} has no function {name!r}: {PARTS}")
    if not callable(found):
        kind = type(found).__name__
        raise JobError(f"{name!r} of job {home_name!r} is no function, but of type {kind}: {PARTS}")
    function: Callable[..., Any] = found
    return function


def _cost(home: object, home_name: str) -> Callable[..., float] | None:
    return None if getattr(home, "cost", None) is None else _function(home, home_name, "cost")


def _from_name(name: str) -> ModuleType:
    if not all(name.split(".")):  # importlib has other exceptions for these
        raise JobError(f"no module {name!r} to load a job from: {NAMES}")
    importlib.invalidate_caches()  # the file may be younger than Python's list of the folder
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Of the module itself or a package above it; any other is one that the module asks for.
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise JobError(f"no module {name!r} to load a job from ({error}): {NAMES}") from error
        raise _raising(name, error) from error
    except BaseException as error:
        raise _raising(name, error) from error


def _from_file(path: str) -> ModuleType:
    try:
        with open(path, "rb") as file:
            source = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise JobError(f"no file {path!r} to load a job from ({reason}): {NAMES}") from error
    # Same place and content, same module: what a job keeps in its globals is then kept once.
    place = os.path.realpath(path)
    digest = hashlib.sha256(os.fsencode(place) + b"\0" + source).hexdigest()
    name = f"{os.path.basename(place).removesuffix('.py')}_{digest[:16]}"
    return sys.modules.get(name) or _executed(name, path, place, source)


def _executed(name: str, path: str, place: str, source: bytes) -> ModuleType:
    """A new module. Compiled here, since Python's own cache of compiled files takes an edit
    within the same second that keeps the length for no edit."""
    module = ModuleType(name)
    module.__file__ = place
    sys.modules[name] = module  # classes look their module up while they are being made
    _FOLDERS[name] = folder = os.path.dirname(place)
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)  # for good: a function may import something when it is called
    importlib.invalidate_caches()
    try:
        code = compile(source, place, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102  the file that this user named, like an import
    except BaseException as error:
        del sys.modules[name]  # half a module
        raise _raising(path, error) from error
    return module


def _raising(name: str, error: BaseException) -> JobError:
    if signals.is_ours(error):
        raise error
    what = summary(error)
    return JobError(f"job {name!r} cannot be imported, it raises {what}: correct it, then load it")
