"""What a job's functions take and return is the same on both transports, and so is what fails."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from plugins.console import telling
from plugins.jobs.loading import load
from sim import World
from tests.running import programs
from transports.work.computing import COLLECT, COMPUTE, PAGE_BYTES, PREPARE, Computing

VALUES = """
import collections, datetime, decimal, enum, fractions, pathlib, uuid
import numpy

class Word(str): pass
class Whole(int): pass
class Real(float): pass
class Raw(bytes): pass
class Members(list): pass
class Colour(enum.Enum): RED = 1
class Number(enum.IntEnum): ONE = 1
Point = collections.namedtuple("Point", "x y")

def nested(levels, value=0):
    for _ in range(levels):
        value = [value]
    return value

TAKEN = [
    None, True, -(2**63), 2**64 - 1, 1.5, float("inf"), "", "é\\0", b"\\xff", bytearray(b"a"),
    [], {},
    (1, (2,)), {"a": (1,)}, Word("a"), Whole(3), Real(1.5), Raw(b"x"), Members([1]), Number.ONE,
    Point(1, 2), collections.Counter("aab"), collections.defaultdict(list, a=[1]),
    collections.OrderedDict(a=1), [Word("a"), {"b": Whole(3)}], {Word("k"): 1}, nested(40),
    numpy.float64(1.5), numpy.int64(-3), numpy.uint8(3), numpy.bool_(True), numpy.float32(0.5),
    numpy.str_("a"), [numpy.int16(1)], numpy.arange(6).reshape(2, 3), numpy.zeros((0, 2)),
    numpy.array(1.5), numpy.arange(6)[::2], numpy.array(["a", "bc"]), {"w": [numpy.ones(2)]},
    numpy.array([True]), numpy.array([1j]), numpy.arange(1000.0), "x" * 5000, [b"y" * 3000],
    numpy.array("2026-11-28", dtype="datetime64[D]"),
]
REFUSED = [
    2**64, -(2**63) - 1, [2**70], {1: 2}, {None: 1}, {(1, 2): 3}, {"a": {2: 1}}, {1, 2},
    [frozenset()],
    "\\ud800", {"\\udcf6": 1}, nested(101), object(), 1j, decimal.Decimal(1),
    fractions.Fraction(1, 2),
    datetime.date(2026, 11, 28), datetime.timedelta(1), pathlib.Path("a"), uuid.UUID(int=1),
    Colour.RED, range(3), iter([1]), (i for i in ()), memoryview(b"a"), len, Word, Exception("x"),
    {"\\0blob": 1}, {"\\0array": 1}, [{"\\0": 1}], numpy.array([object()]), numpy.longdouble(1) / 3,
    numpy.zeros(1, dtype=[("a", "i4")]), numpy.complex128(1),
]
"""
JOB = f"""{VALUES}
def shown(value):
    if isinstance(value, numpy.ndarray):
        cells = [shown(cell) for cell in value.ravel().tolist()]
        return ["array", value.dtype.str, list(value.shape), cells]
    if isinstance(value, (list, dict)):
        items = value.items() if isinstance(value, dict) else value
        return [type(value).__name__, *[shown(item) for item in items]]
    return [type(value).__name__, repr(value)[:100]] if not isinstance(value, tuple) else [
        "tuple", *[shown(item) for item in value]]

def prepare(input, sizes):
    return [TAKEN[0] for _ in sizes] if len(sizes) != len(TAKEN) else TAKEN

def compute(input, index):
    seen = shown(input)
    if isinstance(input, list):
        input.append("mine")
    elif isinstance(input, dict):
        input["mine"] = 1
    elif isinstance(input, numpy.ndarray) and input.size and input.dtype.kind == "f":
        input[...] = 7
    return [seen, TAKEN[index]]

def collect(outputs):
    return [[seen, shown(value)] for seen, value in outputs]
"""
REFUSING = f"""{VALUES}
def prepare(input, sizes):
    return [REFUSED[input["value"]]] * len(sizes) if input["where"] == 1 else [input] * len(sizes)

def compute(input, index):
    return REFUSED[input["value"]] if input["where"] == 0 else 1

def collect(outputs):
    return REFUSED[WHAT] if WHERE == 2 else 1
"""
names: dict[str, Any] = {}
pytest.importorskip("numpy")
exec(VALUES, names)  # noqa: S102 - what stands above
TAKEN, REFUSED = len(names["TAKEN"]), len(names["REFUSED"])


def test_what_is_taken_arrives_alike(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(dedent(JOB))
    world = World(nodes=4, partitions=TAKEN, fanout=TAKEN, delay=1.0, job=str(job)).run()
    assert world.failure is None
    with programs(tmp_path) as run:
        shape = ("--nodes", 4, "--partitions", TAKEN, "--fanout", TAKEN, "--json")
        told = run.start(*shape, "--job", job).report()
    assert told["failure"] is None
    assert json.loads(telling.as_json(world))["result"] == told["result"]
    assert len(told["result"]) == TAKEN
    assert all(seen == returned for seen, returned in told["result"])  # in, and out


@pytest.mark.parametrize("where", [COMPUTE, PREPARE, COLLECT])
@pytest.mark.parametrize("value", range(REFUSED))
def test_what_is_refused_is_refused_in_the_same_words(
    tmp_path: Path, value: int, where: int
) -> None:
    job = tmp_path / "job.py"
    job.write_text(REFUSING.replace("WHAT", str(value)).replace("WHERE", str(where)))
    given = {"value": value, "where": where}
    report = World(nodes=1, job=str(job), input=given, delay=1.0).run()
    assert report.failure is not None
    page = memoryview(bytearray(PAGE_BYTES)).cast("Q")
    computing = Computing(load(str(job)), tmp_path, page)
    inputs, numbers = ([], []) if where == COLLECT else ([given], [0 if where == COMPUTE else 1])
    _, _, piece, text, _ = computing.run((1, where, 0, numbers, inputs))
    assert piece == 0
    assert text == report.failure.error
    line = text.splitlines()[-1]
    assert line.startswith("TypeError: not plain data: ")
    assert ": use " in line or ": flatten " in line or ": rename " in line


def test_what_is_given_twice_is_untouched() -> None:
    class Greedy:
        @staticmethod
        def prepare(input: list[int], sizes: list[int]) -> list[list[int]]:
            input.append(0)
            sizes.append(9)
            return [input] * (len(sizes) - 1)

        @staticmethod
        def compute(input: list[int], index: int) -> int:
            input.clear()
            return len(input) + index

        @staticmethod
        def collect(outputs: list[int]) -> list[int]:
            outputs.append(-1)
            return outputs

    mine = [1, 2]
    worlds = [World(nodes=3, job=Greedy, input=mine, delay=1.0) for _ in range(2)]
    results = [world.run().result for world in worlds]
    assert results == [[0, 1, 2, -1]] * 2
    assert mine == [1, 2]
    results[0].clear()
    assert worlds[0].report().result == [0, 1, 2, -1]
