"""Modules of programs: which are loaded anew for the next one."""

from __future__ import annotations

import importlib
import os
import site
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from transports.fleet import programs
from transports.fleet.programs import Programs

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A program whose modules are in those folders imports `main_of_it`; returns that."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before, there = {*sys.modules}, Programs()

    def run(*folders: Path) -> ModuleType:
        there.enter(map(str, folders))
        found = importlib.import_module("main_of_it")
        there.note()
        return found

    yield run
    for name in sys.modules.keys() - before:
        del sys.modules[name]


def program(folder: Path, modules: dict[str, str]) -> Path:
    """With these in that folder, by name of their file."""
    for name, text in modules.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def edit(file: Path, text: str) -> None:
    """Its size may stay the same, the time at which it was changed does not."""
    file.write_text(text)
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))


MAIN = "main_of_it.py"


def test_what_nobody_has_edited_stays(run: Run, tmp_path: Path) -> None:
    folder = program(tmp_path, {MAIN: "import helper_of_it", "helper_of_it.py": ""})
    first = run(folder)
    assert run(folder) is first
    assert run(folder).helper_of_it is first.helper_of_it


def test_who_has_imported_what_was_edited_is_loaded_anew(run: Run, tmp_path: Path) -> None:
    files = {MAIN: "from pack_of_it.part import x", "pack_of_it/part.py": "x=1"}
    folder = program(tmp_path, {**files, "pack_of_it/__init__.py": ""})
    assert run(folder).x == 1
    edit(folder / "pack_of_it" / "part.py", "x=2")
    assert run(folder).x == 2


def test_what_a_call_has_imported_may_have_been_edited_since(run: Run, tmp_path: Path) -> None:
    folder = program(tmp_path, {MAIN: "def late():\n import late_of_it\n return late_of_it.x"})
    main = run(folder)
    program(folder, {"late_of_it.py": "x=1"})
    assert main.late() == 1
    edit(folder / "late_of_it.py", "x=2")
    assert run(folder).late() == 2


@pytest.mark.parametrize("other", [MAIN, "main_of_it/__init__.py"])
def test_the_next_program_has_its_own_modules(run: Run, tmp_path: Path, other: str) -> None:
    one = program(tmp_path / "one", {MAIN: "x=1"})
    two = program(tmp_path / "two", {other: "x=2"})
    assert [run(folder).x for folder in (one, two, one)] == [1, 2, 1]


def test_and_none_that_it_would_not_find(run: Run, tmp_path: Path) -> None:
    files = {MAIN: "import folder_of_it.part", "folder_of_it/part.py": ""}
    run(program(tmp_path / "one", files))
    run(program(tmp_path / "two", {MAIN: ""}))
    assert "folder_of_it.part" not in sys.modules


def test_on_another_path_all_that_is_the_same_stays(run: Run, tmp_path: Path) -> None:
    folder = program(tmp_path / "one", {MAIN: ""})
    first = run(folder)
    assert run(folder, program(tmp_path / "two", {"other.py": ""})) is first


def test_a_package_that_has_a_compiled_part_stays(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {MAIN: "import compiled_of_it.part, helper_of_it", "helper_of_it.py": ""}
    package = {"compiled_of_it/__init__.py": "", "compiled_of_it/part.py": ""}
    folder = program(tmp_path, files | package)
    first = run(folder)
    core: Any = ModuleType("compiled_of_it.core")
    core.__file__ = str(folder / "compiled_of_it" / f"core{EXTENSION_SUFFIXES[0]}")
    monkeypatch.setitem(sys.modules, core.__name__, core)
    for edited in ("helper_of_it.py", "compiled_of_it/part.py"):
        edit(folder / edited, "x=1")
    second = run(folder)
    assert second.helper_of_it.x == 1
    assert second.compiled_of_it is first.compiled_of_it
    assert not hasattr(second.compiled_of_it.part, "x")


def test_what_a_user_has_installed_stays(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = program(tmp_path / "user", {"installed_of_it.py": ""})
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(user))
    monkeypatch.setattr(programs, "_installed", programs._installed.__wrapped__)
    folder = program(tmp_path / "one", {MAIN: "import installed_of_it"})
    first = run(folder, user)
    for file in (user / "installed_of_it.py", folder / MAIN):
        edit(file, file.read_text() + "\n")
    second = run(folder, user)
    assert second is not first
    assert second.installed_of_it is first.installed_of_it
