"""A message goes one way through a process: imports there never turn back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import TOP
from tests.test_rooms import files, imports

FACE = "transports.process.process"
FOR_COMMANDS = {
    FACE,
    "transports.process.station",
    "transports.process.store",
    "transports.process.keys",
}


def module(path: Path) -> str:
    return ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """The modules that a file imports to run, not only to be typed."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
    found = set(imports(tree, module(path.parent)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in FOLDERS:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FOLDERS = {module(path.parent) for path in files("transports")}


@pytest.mark.parametrize("folder", ["net", "process"])
def test_imports_never_turn_back(folder: str) -> None:
    left = {module(path): imported(path) for path in files(f"transports/{folder}")}
    assert len(left) > 10
    while free := [name for name, wanted in left.items() if not wanted & left.keys()]:
        for name in free:
            del left[name]
    assert not left


def test_net_knows_nothing_of_what_is_said() -> None:
    for path in files("transports/net"):
        assert not any(name.startswith("transports.process") for name in imported(path)), path


def test_no_room_of_a_process_knows_it() -> None:
    for path in files("transports/process"):
        assert FACE not in imported(path), path


def test_commands_know_a_process_by_its_face() -> None:
    for path in [*files("transports/command"), TOP / "transports/tcp.py"]:
        known = {name for name in imported(path) if name.startswith("transports.process.")}
        assert known <= FOR_COMMANDS, path
