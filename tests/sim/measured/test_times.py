"""Times from files: which are read, what is wrong with one, and what is drawn from them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from plugins.console import tables
from plugins.console.distributions import Distribution, parse
from sim import World
from tests.sim.measurements import TICK, refusal, written


@pytest.mark.parametrize(
    ("text", "name", "column"),
    [
        ("seconds\n0.3\n0.1\n0.2\n", "file.csv", None),
        ("seconds\n0.3\n0.1\n0.2\n", "file.csv.gz", None),
        ("seconds\n0.3\n0.1\n0.2\n", "file.csv", "seconds"),
        ("who,seconds\na,0.3\nb,1e-1\nc,0.2\n", "file.csv.gz", "seconds"),
        ("\ufeff seconds\r\n\r\n.3\r\n\r\n 0.1\r\n0.2", "file.csv", "seconds"),
        ('"seconds","a ""note"", long"\n"0.3",x\n0.1,y\n0.2,"a\nb"\n', "file.csv", "seconds"),
    ],
)
def test_times_are_read_in_ascending_order(
    here: Path, text: str, name: str, column: str | None
) -> None:
    path = written(text, name)
    assert tables.times(path, column) == (0.1, 0.2, 0.3)
    told = f"recorded:{path}" + (f":{column}" if column else "")
    assert parse(told) == Distribution("recorded", (0.1, 0.2, 0.3))


def test_a_path_may_have_colons(here: Path) -> None:
    path = written("a,b\n1,2\n", "12:30.csv")
    assert parse(f"recorded:{path}:b").numbers == (2,)
    assert parse(f"recorded:{written('a' + chr(10) + '3', '12:31.csv')}").numbers == (3,)


@pytest.mark.parametrize(
    ("text", "column", "facts"),
    [
        ("", None, ["file.csv", "is empty", "header"]),
        ("\n\n", None, ["file.csv", "is empty", "header"]),
        ("seconds\n", None, ["line 1", "nothing below", "a row"]),
        ("0.5\n0.6\n", None, ["line 1", "'0.5'", "header"]),
        ("a,b\n1,2\n", None, ["line 1", "'a, b'", "name one", ":COLUMN"]),
        ("a,b\n1,2\n", "c", ["line 1", "no column 'c'", "'a, b'"]),
        ("a,b\n1,2\n", "B", ["line 1", "no column 'B'", "write it 'B', not 'b'"]),
        ("a,b,a\n1,2,3\n", "a", ["line 1", "two columns 'a'", "keep one"]),
        ("a,b\n1,2\n3\n", "a", ["line 3", "'3' has 1 cells", "has 2"]),
        ("a\n1\n\nsoon\n", "a", ["line 4", "'soon'", "a number from 0", "seconds"]),
        ("a\n1\n-2\n", "a", ["line 3", "'-2'", "a number from 0"]),
        ("a,b\n,2\n", "a", ["line 2", "''", "a number from 0"]),
        ("a,b\n,\n", "a", ["line 2", "''", "a number from 0"]),
        ('a,b\n1,"x\ny"\nsoon,2\n', "a", ["line 4", "'soon'"]),
        ("a\nnan\n", "a", ["line 2", "'nan'", "a number from 0"]),
        ("a\n1e10\n", "a", ["line 2", "'1e10'", "to 1e+09"]),
        ("a;b\n1;2\n", None, ["line 2", "'1;2'", "a number from 0"]),
        ('a\n1\n"2\n3\n', "a", ["line 3", "is not CSV"]),
        ("a\n" + "x" * 10_000, "a", ["line 2", "xxx", "a number from 0"]),
        ("x" * 10_000 + "\n1\n", "a", ["line 1", "no column 'a'"]),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_one_line(
    here: Path, text: str, column: str | None, facts: list[str]
) -> None:
    line = refusal(tables.times, written(text), column)
    for fact in ["'file.csv'", *facts]:
        assert fact in line


def test_a_file_that_cannot_be_read_is_told_in_one_line(here: Path) -> None:
    assert "'no.csv': no such file" in refusal(tables.times, "no.csv")
    assert "directory" in refusal(tables.times, str(here))
    packed = gzip.compress(b"a\n" + b"1\n" * 10_000)
    for damaged in (b"a\n1\n", packed[:-9], packed[:20] + b"????" + packed[24:]):
        (here / "damaged.csv.gz").write_bytes(damaged)
        assert "gzip" in refusal(tables.times, "damaged.csv.gz")
    (here / "packed.csv").write_bytes(packed)
    assert "UTF-8" in refusal(tables.times, "packed.csv")


@pytest.mark.parametrize("text", ["recorded:", "recorded:file", "recorded:file:a", "recorded::a"])
def test_a_recorded_distribution_names_a_csv_file(here: Path, text: str) -> None:
    written("a\n1\n", "file")
    assert repr(text) in refusal(parse, text)
    assert "recorded:FILE.csv[:COLUMN]" in refusal(parse, text)


def test_each_recorded_time_is_drawn_as_often_as_it_was_measured(here: Path) -> None:
    drawn = parse(f"recorded:{written('a' + chr(10) + '1' + chr(10) * 2 + '3' + chr(10) + '3')}")
    table = drawn.ticks("seed", TICK)
    assert set(table) == {1000, 3000}
    assert table.count(3000) / len(table) == pytest.approx(2 / 3, abs=0.05)
    assert table == drawn.ticks("seed", TICK) != drawn.ticks("other", TICK)
    quantile = drawn.quantile()
    assert [quantile(u) for u in (0, 0.33, 0.34, 1 - 2**-53)] == [1, 1, 3, 3]


@pytest.mark.parametrize("option", ["latency", "lifetime", "delay"])
def test_a_world_draws_from_recorded_times(here: Path, option: str) -> None:
    written("who,seconds\na,0.5\nb,0.5\n")
    options: dict[str, Any] = {"nodes": 60, "partitions": 90, "fanout": 5, "arrival_rate": 300}
    if option == "lifetime":
        options["delay"] = 0.2
    known, measured = (
        World(**options, **{option: value}).run() for value in (0.5, "recorded:file.csv:seconds")
    )
    assert measured.digest == known.digest != World(**options).run().digest
    assert measured.finished_seconds == known.finished_seconds
