"""What was measured, replayed: times from files, places, traces of volunteers."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from plugins.console import tables
from plugins.console.distributions import Distribution, parse
from sim import World
from sim.__main__ import main
from sim.links import places
from sim.links.places import Links
from sim.measured import tables as recorded

TICK = 0.001


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the test is."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(text: str, name: str = "file.csv") -> str:
    path = Path(name)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return name


def refusal(read: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(ValueError, match=r"file|csv|must|directory") as error:
        read(*arguments, **options)
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 300
    return line


# -- times ---------------------------------------------------------------------------------


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


# -- places --------------------------------------------------------------------------------

HEADER = "cty1,cty2,rtt_cnt,rtt_avg,rtt_std,rtt_min,rtt_max\n"
TABLE = f"""{HEADER}NA,UK,9,100,0,0,1
ID,UK,9,30,0,0,1
ID,ID,9,4,0,0,1
NA,ID,9,400,0,0,1
FJ,ID,9,50,0,0,1
TV,FJ,9,8,0,0,1
"""


def table(text: str) -> dict[str, dict[str, float]]:
    """The full table, by names."""
    found = places.read(written(text))
    return {
        one: dict(zip(found.names, row, strict=True))
        for one, row in zip(found.names, found.milliseconds, strict=True)
    }


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


def links(nodes: int = 5000, seed: str = "seed") -> Links:
    return Links(places.read(written(TABLE)), nodes, seed, TICK)


def test_a_link_takes_half_the_round_trip_of_its_places(here: Path) -> None:
    found, names = table(TABLE), places.read(written(TABLE)).names
    drawn = links(200)
    for one in range(0, 200, 7):
        for other in range(201):
            a, b = (names[drawn.places[node]] for node in (one, other))
            assert drawn.ticks(one, other) == drawn.ticks(other, one) == round(found[a][b] / 2)


def test_each_place_is_as_likely_and_drawn_from_the_seed(here: Path) -> None:
    drawn = links().places
    counts = Counter(drawn)
    assert len(drawn) == 5001  # the submitter too
    assert sorted(counts) == list(range(5))
    assert all(count == pytest.approx(1000, abs=120) for count in counts.values())
    assert drawn == links().places != links(seed="other").places
    assert len({links(1, str(seed)).places[0] for seed in range(40)}) == 5
    assert links(100).places == drawn[:101]  # a node stays where it is when others come


@pytest.mark.parametrize("replicas", ["shared", "each"])
def test_with_one_place_all_links_are_alike(here: Path, replicas: str) -> None:
    written("cty1,cty2,rtt_avg\nA,A,500\n")
    options: dict[str, Any] = {"nodes": 50, "fanout": 4, "replicas": replicas}
    known, measured = (World(**options, latency=value).run() for value in (0.25, "places:file.csv"))
    assert measured.digest == known.digest
    assert measured.messages == known.messages
    assert measured.finished_seconds == known.finished_seconds


def test_messages_take_as_long_as_it_is_between_the_places(here: Path) -> None:
    world = World(nodes=40, latency=f"places:{written(TABLE)}", seed=3)
    drawn = Links(places.read("file.csv"), 40, "3/places", TICK)
    network, nothing = world.network, (lambda a, b, c: None, None, None, None)
    for one in range(41):
        assert network.deliver(one, one, nothing) == 0
        for other in range(one):
            assert network.deliver(one, other, nothing) == drawn.ticks(one, other)
            assert network.link_ticks(one, other) == drawn.ticks(one, other)
    assert world.run().result == 40


def test_a_world_of_places_is_the_same_again_and_with_own_replicas(here: Path) -> None:
    options: dict[str, Any] = {
        "nodes": 80,
        "partitions": 200,
        "fanout": 4,
        "lifetime": "exponential:20",
        "delay": "uniform:0.5,1.5",
        "latency": f"places:{written(TABLE)}",
    }
    first, again, each, other = (
        World(**options, **more).run() for more in ({}, {}, {"replicas": "each"}, {"seed": 1})
    )
    assert first.digest == again.digest == each.digest != other.digest
    assert first.result == 200


# -- arrivals ------------------------------------------------------------------------------

TRACE = "who,arrival,lifetime\na,4.5,100\nb,0,\nc,1.25,2\nd,1.25,1.5\n"


def test_a_trace_is_in_order_of_arrival(here: Path) -> None:
    trace = recorded.trace(written(TRACE, "trace.csv.gz"))
    assert trace.arrivals_seconds == (0, 1.25, 1.25, 4.5)
    assert trace.lifetimes_seconds == (None, 2, 1.5, 100)
    assert recorded.trace(written("arrival\n2\n1\n")).lifetimes_seconds == (None, None)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("lifetime\n1\n", ["line 1", "no column 'arrival'"]),
        ("arrival\n1\n\n-1\n", ["line 4", "'-1'", "a number from 0"]),
        ("arrival,lifetime\n,1\n", ["line 2", "''", "a number from 0"]),
        ("arrival,lifetime\n1,long\n", ["line 2", "'long'", "a number from 0"]),
        ("arrival\n", ["line 1", "nothing below"]),
    ],
)
def test_a_trace_that_cannot_be_is_told_in_one_line(
    here: Path, text: str, facts: list[str]
) -> None:
    line = refusal(World, arrivals=written(text))
    for fact in ["'file.csv'", *facts]:
        assert fact in line


def test_nodes_come_and_go_as_recorded(here: Path) -> None:
    world = World(arrivals=written(TRACE), partitions=4, delay=1000.0)
    there = []
    for seconds in (0, 1.249, 1.25, 2.749, 2.75, 3.249, 3.25, 4.499, 4.5, 99):
        world.run(until=seconds)
        there.append((seconds, [node for node in range(1, 5) if world.network.alive[node]]))
    assert there == [
        (0, [1]),
        (1.249, [1]),
        (1.25, [1, 2, 3]),
        (2.749, [1, 2, 3]),
        (2.75, [1, 2]),
        (3.249, [1, 2]),
        (3.25, [1]),
        (4.499, [1]),
        (4.5, [1, 4]),
        (99, [1, 4]),
    ]
    assert (world.nodes, world.report().arrived, world.report().left) == (4, 4, 2)


def test_nodes_are_as_many_as_the_trace_has_or_the_first_so_many(here: Path) -> None:
    path = written(TRACE)
    assert World(arrivals=path).nodes == World(arrivals=path, nodes=4).nodes == 4
    report = World(arrivals=path, nodes=3, partitions=3, delay=1.0).run()
    assert (report.nodes, report.arrived, report.result) == (3, 3, 3)
    assert World().nodes == 1000
    path = written("arrival\n0\n1\n5000\n")
    assert 3 <= (World(arrivals=path, nodes=2).run().finished_seconds or 0) < 10


def test_a_trace_of_even_arrivals_is_a_world_like_any_other(here: Path) -> None:
    seconds = [(ceil(node * 100 - 1e-9) - 1) * TICK for node in range(1, 101)]  # 10 a second
    path = written("\n".join(["arrival", *map(str, seconds)]))
    for options in ({}, {"lifetime": "exponential:8", "delay": 0.5, "partitions": 300}):
        replayed = World(arrivals=path, fanout=4, **options).run()  # type: ignore[arg-type]
        even = World(nodes=100, fanout=4, **options).run()  # type: ignore[arg-type]
        assert replayed.digest == even.digest


@pytest.mark.parametrize("last", [0, 3, 5000])
def test_by_default_nobody_is_done_before_the_last_has_arrived(here: Path, last: int) -> None:
    path = written("arrival\n" + "0.5\n" * 30 + f"{last}\n")
    report = World(arrivals=path, fanout=5).run()
    assert report.computation_nodes == report.nodes == report.partitions == 31
    assert report.result == 31


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"nodes": 5}, "nodes must be 4 or less, as arrivals has no more, not 5"),
        ({"nodes": 0}, "nodes must be a whole number, 1 or more, not 0"),
        (
            {"arrival_rate": 2.5},
            "arrival_rate must be left out, as arrivals tells when nodes arrive, not 2.5",
        ),
        (
            {"lifetime": 7.5},
            "lifetime must be left out, as arrivals tells how long nodes stay, not 7.5",
        ),
    ],
)
def test_what_a_trace_already_says_is_not_to_be_said_again(
    here: Path, options: dict[str, Any], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(TRACE)
    assert refusal(World, arrivals=path, **options) == line
    named = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    assert main(["--arrivals", path, *named]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


# -- the command line ----------------------------------------------------------------------


def test_recorded_files_can_be_named_on_the_command_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {
        "arrivals": written(TRACE, "trace.csv"),
        "latency": f"places:{written(TABLE, 'table.csv.gz')}",
        "delay": "recorded:work.csv",
        "partitions": 9,
    }
    written("seconds\n0.25\n0.75\n", "work.csv")
    assert main([*(f"--{name}={value}" for name, value in options.items()), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["nodes"], found["result"]) == (4, 9)
    assert found["digest"] == World(**options).run().digest  # type: ignore[arg-type]


def test_who_can_be_followed_depends_on_the_trace(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(TRACE)
    options = ["--arrivals", path, "--partitions", "9", "--delay", "1"]
    assert main([*options, "--follow", "4"]) == 0
    assert "4.500 s" in capsys.readouterr().out
    assert main([*options, "--follow", "5"]) == 2
    assert "from 0 to 4" in capsys.readouterr().err
    assert main([*options, "--nodes", "2", "--follow", "3"]) == 2
    assert "from 0 to 2" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--latency", "--lifetime", "--delay", "--arrivals"])
def test_a_bad_file_is_a_wrong_option(
    here: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written("arrival\n0.5\nsoon\n")
    values = [path] if option == "--arrivals" else [f"recorded:{path}"]
    if option == "--latency":
        values.append(f"places:{written('cty1,cty2,rtt_avg' + chr(10) * 2 + 'A,B,soon', 'b.csv')}")
    for value in values:
        assert main([option, value]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        for fact in (option, ".csv", "line 3", "'soon'", "a number from 0"):
            assert fact in err
