"""An installation compiles its hot modules where it can, and is the same program either way."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests import TOP

SOURCES = ("core", "sim", "transports", "plugins")
MORE = ("setup.py", "pyproject.toml", "mypyc.ini", "README.md", "LICENSE")
BUILD_SECONDS = 600

# What either says of itself: a run's digest for each world, and what it refuses.
PROGRAM = """
import json, sys
from core import Shape
from core import messages as m
from sim import World
from sim.clock import Clock

PLACES = "cty1,cty2,rtt_avg\\nA,B,40\\nB,C,90\\nA,C,250\\nA,A,5\\n"
OPTIONS = [
    {"nodes": 60, "fanout": 5},
    {"nodes": 40, "partitions": 300, "fanout": 8, "delay": "exponential:0.5"},
    {"nodes": 60, "fanout": 4, "delay": "uniform:0.5,2", "lifetime": "exponential:6"},
    {"nodes": 50, "fanout": 4, "replicas": "each", "delay": 1.0, "lifetime": "uniform:2,20"},
    {"nodes": 60, "fanout": 4, "delay": "uniform:1,3", "faults": "light"},
    {"nodes": 60, "fanout": 4, "delay": "uniform:1,3", "faults": "heavy"},
    {"nodes": 40, "fanout": 4, "replicas": "each", "delay": 1.0, "faults": "heavy"},
    {"nodes": 60, "fanout": 5, "latency": "places:places.csv", "delay": 0.5},
    {"nodes": 40, "fanout": 5, "latency": "places:places.csv", "replicas": "each"},
    {"nodes": 60, "fanout": 5, "service_time": 0.004, "listening": 0.5, "delay": 0.3},
    {"nodes": 20, "fanout": 5, "job": "fails.py", "keep_going": True},
]
FAILS = '''
def prepare(input, sizes):
    return [None] * len(sizes)

def compute(input, index):
    return 1 // (index % 7)

def collect(outputs):
    return sum(outputs)
'''


def refused(action):
    try:
        action()
    except (AttributeError, ValueError) as error:
        return type(error).__name__


def gap():
    clock = Clock(0.001)
    clock.due_at(1).entries.extend([print, None, None])  # an entry has four parts
    clock.run()


def changed(what, name):
    return lambda: setattr(what, name, None)


with open("places.csv", "w") as file:
    file.write(PLACES)
with open("fails.py", "w") as file:
    file.write(FAILS)
seeds, runs = int(sys.argv[1]), []
for options in OPTIONS:
    for seed in range(seeds):
        report = World(**options, seed=seed).run()
        runs.append([report.digest, report.messages, report.finished_seconds])
frozen = [
    (m.Place("0", (1,)), "route"),
    (m.Finished(1, (0,), [1], 0.5), "outputs"),
    (Shape.root(10, 3), "fanout"),
]
refusals = [refused(gap), *(refused(changed(*one)) for one in frozen)]
print(json.dumps({"compiled": report.compiled, "runs": runs, "refusals": refusals}))
"""


def installed(here: Path, **environment: str) -> Path:
    """What `pip install` makes of the sources, in a folder of its own."""
    for name in SOURCES:
        shutil.copytree(TOP / name, here / "from" / name, ignore=shutil.ignore_patterns("__pyc*"))
    for name in MORE:
        shutil.copy(TOP / name, here / "from")
    pip = [sys.executable, "-m", "pip", "install", "-v", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--target", here / "into", here / "from"], env={**os.environ, **environment},
        capture_output=True, text=True, timeout=BUILD_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return here / "into"


def said(here: Path, sources: Path, seeds: int) -> dict[str, Any]:
    """What the program says when it runs there."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(seeds)], cwd=here, check=False, capture_output=True,
        text=True, env={**os.environ, "PYTHONPATH": str(sources)}, timeout=BUILD_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


REFUSALS = ["ValueError", "AttributeError", "AttributeError", "FrozenInstanceError"]


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_compiled_it_is_the_same(tmp_path: Path) -> None:
    interpreted = said(tmp_path, TOP, seeds=4)
    compiled = said(tmp_path, installed(tmp_path, MILLION_NODES_COMPILE="1"), seeds=4)
    assert (interpreted["compiled"], compiled["compiled"]) == (False, True)
    assert compiled["runs"] == interpreted["runs"]
    assert len({digest for digest, *_ in compiled["runs"]}) > 30
    assert compiled["refusals"] == interpreted["refusals"] == REFUSALS


@pytest.mark.parametrize("why", [{"CC": "false"}, {"MILLION_NODES_COMPILE": "0"}])
def test_without_a_compiler_it_is_installed_as_it_is_written(
    tmp_path: Path, why: dict[str, str]
) -> None:
    found = said(tmp_path, installed(tmp_path, **{"MILLION_NODES_COMPILE": "", **why}), seeds=1)
    assert not found["compiled"]
    assert found["runs"] == said(tmp_path, TOP, seeds=1)["runs"]


def test_where_it_has_to_compile_and_cannot_it_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no C compiler works here"):
        installed(tmp_path, MILLION_NODES_COMPILE="1", CC="false")


def test_wheels_are_for_every_python_that_is_promised() -> None:
    with (TOP / "pyproject.toml").open("rb") as file:
        told = tomllib.load(file)
    lines = "\n".join(told["project"]["classifiers"])
    promised = re.findall(r"Python :: 3\.(\d+)$", lines, re.M)
    built = told["tool"]["cibuildwheel"]["build"]
    assert built == [f"cp3{minor}-manylinux_*" for minor in promised]
