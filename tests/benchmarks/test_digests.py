"""What is compiled is compared with what is written, world by world."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import TOP
from tests.benchmarks import digests

COMPILED = 'COMPILED: Final = not __file__.endswith(".py")'
SEEDS = range(6)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources once more, which take themselves to be compiled."""
    for room in ("core", "sim", "plugins"):
        shutil.copytree(TOP / room, tmp_path / room, ignore=shutil.ignore_patterns("__pyc*"))
    replace(tmp_path / "sim" / "record.py", COMPILED, "COMPILED: Final = True")
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    source = path.read_text()
    assert source.count(old) == 1
    path.write_text(source.replace(old, new))


def test_what_is_the_same_does_not_differ(copy: Path) -> None:
    found = list(digests.differing([TOP, copy], SEEDS))
    assert found == [(seed, False) for seed in SEEDS]


def test_a_run_that_differs_is_found(copy: Path) -> None:
    replace(copy / "sim" / "record.py", "update(encoded)", "update(encoded[1:])")
    assert any(differs for _, differs in digests.differing([TOP, copy], SEEDS))


def test_two_that_are_not_compiled_are_not_compared() -> None:
    with pytest.raises(SystemExit, match="one folder is to have it compiled"):
        list(digests.differing([TOP, TOP], SEEDS))


def test_what_once_failed_is_among_it() -> None:
    names = [name for name, _ in digests.sources(first=3, seeds=2)]
    assert names[:2] == ["seed 3", "seed 4"]
    assert "2073.json" in names
