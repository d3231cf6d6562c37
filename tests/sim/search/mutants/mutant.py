"""One place in which a core is wrong, and a core that is wrong there for a while."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import Any

import attrs

from core import Computation, Worker, rights
from core.lobby import Lobby, Resident
from core.sessions import roles, session
from core.sessions.participant import Participant


@attrs.frozen
class Mutant:
    """A core in which `function` has `new` where it should have `old`."""

    wrong: str  # in words
    function: Callable[..., Any]
    old: str
    new: str
    within: int  # so many seeds: three times as many as it took, or a little more
    found_by: tuple[str, ...]  # invariants
    lied: bool = False  # it is looked for in worlds with a liar alone


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The core is wrong in this way. Raises ValueError where the core has no such text."""
    function = mutant.function
    source = dedent(inspect.getsource(function))
    if (count := source.count(mutant.old)) != 1:
        raise ValueError(f"{function.__qualname__} has {count} times, not once: {mutant.old!r}")
    wrong = _compiled(source.replace(mutant.old, mutant.new), function)
    owners = list(_owners(function))
    tables = [(table, key) for table in TABLES for key in table if table[key] is function]
    rights = [owner.__dict__[function.__name__] for owner in owners]
    for owner in owners:
        setattr(owner, function.__name__, wrong)
    for table, key in tables:
        table[key] = wrong
    try:
        yield
    finally:
        for owner, right in zip(owners, rights, strict=True):
            setattr(owner, function.__name__, right)
        for table, key in tables:
            table[key] = function


def _owners(function: Callable[..., Any]) -> Iterator[Any]:
    """The class that it is a method of, or the modules that have it by its name."""
    name, _, method = function.__qualname__.partition(".")
    if method:
        yield getattr(sys.modules[function.__module__], name)
        return
    for module in [
        module for path, module in sys.modules.items() if path.startswith(("core.", "sim."))
    ]:
        if module.__dict__.get(name) is function:
            yield module


# What is done for a message or a command is looked up there.
TABLES: tuple[dict[Any, Any], ...] = (
    Computation.handles,
    session._OWN,
    Participant.actions,
    Worker.actions,
    Lobby.handles,
    Resident.actions,
    roles.JUDGED,
    rights.RIGHTS,
)


def _compiled(source: str, function: Callable[..., Any]) -> Any:
    """What `source` defines, in the module of `function`."""
    source = f"from __future__ import annotations\n{source}"
    code = compile(source, f"<wrong {function.__qualname__}>", "exec")
    defined: dict[str, Any] = {}
    exec(code, sys.modules[function.__module__].__dict__, defined)  # noqa: S102 - the text of a mutant
    return defined[function.__name__]
