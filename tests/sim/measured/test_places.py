"""Tables of places: how far apart any two are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sim import World
from sim.measured import places, tables
from sim.measured.places import read
from tests.sim.measurements import TABLE, refusal, table, written


def test_what_was_measured_counts_both_ways_even_where_a_detour_is_shorter(here: Path) -> None:
    found = table(TABLE)
    assert found["NA"]["UK"] == found["UK"]["NA"] == 100
    assert found["NA"]["ID"] == found["ID"]["NA"] == 400
    assert found["ID"]["ID"] == 4


def test_a_missing_pair_is_as_far_apart_as_the_best_way_by_others(here: Path) -> None:
    found = table(TABLE)
    assert found["FJ"]["UK"] == found["UK"]["FJ"] == 50 + 30
    assert found["FJ"]["NA"] == 50 + 400
    assert found["TV"]["UK"] == 8 + 50 + 30
    assert table(f"{TABLE}FJ,NA,9,1,0,0,1\n")["FJ"]["UK"] == 80
    assert table(f"{TABLE}FJ,NA,9,1,0,0,1\nNA,UK,9,100,0,0,1\n")["FJ"]["NA"] == 1


def test_nodes_at_one_place_are_no_further_apart_than_its_nearest_other(here: Path) -> None:
    found = table(TABLE)
    assert (found["UK"]["UK"], found["NA"]["NA"], found["TV"]["TV"]) == (30, 100, 8)


def test_neither_the_order_of_rows_nor_of_a_pair_matters(here: Path) -> None:
    header, *rows = TABLE.splitlines()
    swapped = [",".join([b, a, *rest]) for a, b, *rest in (row.split(",") for row in rows)]
    assert table("\n".join([header, *reversed(swapped)])) == table(TABLE)
    assert places.read("file.csv").names == ["FJ", "ID", "NA", "TV", "UK"]
    assert table("rtt_avg,cty2,cty1\n30, UK ,ID") == table("cty1,cty2,rtt_avg\nUK,ID,30")


def test_a_sparse_table_is_filled_in_at_once_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, count = tmp_path / "line.csv", 300
    rows = [f"c{i},c{i + 1},{1 + i % 50}" for i in range(count)]
    path.write_text("\n".join(["cty1,cty2,rtt_avg", *rows]) + "\n")
    began = time.process_time()
    places = read(str(path))
    assert time.process_time() - began < 10  # 5 s of them for each pass over all third places
    index = {name: i for i, name in enumerate(places.names)}
    way = places.milliseconds[index["c0"]]
    end = sum(1 + i % 50 for i in range(count))
    assert [way[index[f"c{i}"]] for i in (1, 2, count)] == [1, 3, end]
    monkeypatch.setattr(tables, "round_trips", None)
    assert read(str(path)) is places


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("cty1,cty2\nA,B\n", ["line 1", "no column 'rtt_avg'"]),
        ("cty1,cty2,rtt_avg\nA,B,far\n", ["line 2", "'far'", "milliseconds"]),
        ("cty1,cty2,rtt_avg\nA,B,-1\n", ["line 2", "'-1'", "milliseconds"]),
        ("cty1,cty2,rtt_avg\nA,,1\n", ["line 2", "''", "no place"]),
        ("cty1,cty2,rtt_avg\nA,B,1\nB,A,2\n", ["line 3", "'A'", "'B'", "two rows", "keep one"]),
        ("cty1,cty2,rtt_avg\nA,B,1\nC,C,2\n", ["'C'", "no way", "add a row"]),
        (
            "cty1,cty2,rtt_avg\n" + "".join(f"A,B{i},1\n" for i in range(1000)),
            ["1001 places", "at most 1000"],
        ),
    ],
)
def test_a_table_that_cannot_be_is_told_in_one_line(
    here: Path, text: str, facts: list[str]
) -> None:
    path = written(text)
    line = refusal(World, latency=f"places:{path}")
    for fact in ["'file.csv'", *facts]:
        assert fact in line
