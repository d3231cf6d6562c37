"""A world that writes a trace: from the command line, of a sample, and when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from plugins import tracing
from plugins.tracing import measures
from plugins.tracing.reading import Trace
from plugins.tracing.recorder import BEFORE_ROWS
from plugins.tracing.schema import TABLES
from plugins.tracing.writing import Writer
from sim import World
from sim.__main__ import main
from tests import TOP

DEADLINE_SECONDS = 60.0  # of a slow machine
SLEEPY = """
import time
def prepare(input, sizes): return [None] * len(sizes)
def compute(input, index):
    time.sleep(0.02)
    return 1
def collect(outputs): return sum(outputs)
"""
HEARING = """
import os, signal, sys
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):  # who began the tests may ignore some
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
INTERRUPTED = """
import signal
def prepare(input, sizes): return [None] * len(sizes)
def compute(input, index):
    if index == 7:
        signal.default_int_handler(signal.SIGINT, None)
    return 1
def collect(outputs): return sum(outputs)
"""
REMOVING = """
import shutil
def prepare(input, sizes): return [input] * len(sizes)
def compute(input, index):
    shutil.rmtree(input, ignore_errors=True)
    return 1
def collect(outputs): return sum(outputs)
"""


def written(folder: Path, source: str) -> str:
    path = folder / "job.py"
    path.write_text(source)
    return str(path)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the one line says."""
    assert main(["--nodes", "5", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


# -- the command line ----------------------------------------------------------------------


def test_a_trace_is_written_and_nothing_else_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for more in ([], ["--trace", str(tmp_path / "run.trace")]):
        assert main(["--nodes", "200", "--fanout", "6", "--seed", "3", "--json", *more]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        found.append(json.loads(out))
    for same in ("digest", "result", "messages", "finished_seconds", "connections_max"):
        assert found[0][same] == found[1][same]
    trace = tracing.read(tmp_path / "run.trace")
    assert trace.run.summary == found[1]
    assert trace.run.options == {}
    assert (trace.run.job, trace.run.nodes, trace.run.seed) == ("plugins.demo", 200, 3)
    assert trace.partitions()["accepted"].count() == 200


def test_without_it_nothing_is_written_and_nothing_is_loaded(tmp_path: Path) -> None:
    code = "import sys; from sim.__main__ import main; main(['--nodes', '9']); " \
           "sys.exit('polars' in sys.modules)"  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert (run.returncode, list(tmp_path.iterdir())) == (0, [])


def test_options_that_are_not_the_defaults_are_told(tmp_path: Path) -> None:
    World(nodes=4, latency=0.1, faults=(), delay="exponential:1", trace=tmp_path / "a").run()
    told = tracing.read(tmp_path / "a").run.options
    assert told == {"latency": 0.1, "faults": [], "delay": "exponential:1"}


def test_a_world_that_is_run_in_parts_is_one_trace(tmp_path: Path) -> None:
    options: dict[str, Any] = {"nodes": 60, "fanout": 4, "lifetime": "exponential:40"}
    World(**options, trace=tmp_path / "whole").run(until=50)
    world = World(**options, trace=tmp_path / "parts")
    for until in (0, 0.05, 3, 11.123, 50):
        report = world.run(until=until)
        summary = tracing.read(tmp_path / "parts").run.summary
        assert summary is not None
        assert summary["messages"] == report.messages
        part = tracing.read(tmp_path / "parts")
        assert part.end <= until
        assert part.traffic["messages"].sum() == report.messages
    whole, parts = (tracing.read(tmp_path / name) for name in ("whole", "parts"))
    assert parts.events.equals(whole.events)
    assert parts.traffic.equals(whole.traffic)
    assert measures.connections(parts).equals(measures.connections(whole))


def test_followed_nodes_are_traced_like_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--nodes", "60", "--fanout", "4"]
    assert main([*options, "--trace", str(tmp_path / "a")]) == 0
    assert main([*options, "--trace", str(tmp_path / "b"), "--follow", "7"]) == 0
    capsys.readouterr()
    one, other = (tracing.read(tmp_path / name) for name in "ab")
    assert one.events.equals(other.events)


@pytest.mark.parametrize("what", ["a folder", "a file"])
def test_what_is_there_is_kept(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    kept = there / "kept" if what == "a folder" else there
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("of use")
    assert "there already" in refused(capsys, "--trace", str(there))
    assert kept.read_text() == "of use"
    assert [path for path in there.parent.rglob("*") if path.is_file()] == [kept]


def test_a_trace_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace"
    World(nodes=20, trace=trace).run()
    before = {path: path.read_bytes() for path in trace.iterdir()}
    assert str(trace) in refused(capsys, "--trace", str(trace))
    assert {path: path.read_bytes() for path in trace.iterdir()} == before


@pytest.mark.parametrize("name", ["missing/trace", "file/trace", "x" * 300, "/proc/trace", "", "."])
def test_what_cannot_be_made_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("of use")
    monkeypatch.chdir(tmp_path)
    said = refused(capsys, "--trace", name)
    assert (name or "--trace") in said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("name", ["", "trace"])
def test_what_must_not_be_written_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    assert "Permission denied" in refused(capsys, "--trace", str(folder / name))


@pytest.mark.parametrize("sample", ["0", "-1", "2.5", "few", "nan", ""])
def test_a_wrong_sample_is_named(
    sample: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "--trace", str(tmp_path / "trace"), f"--sample={sample}")
    assert "--sample" in said
    assert list(tmp_path.iterdir()) == []


def test_a_sample_of_no_trace_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--trace" in refused(capsys, "--sample", "3")


@pytest.mark.parametrize("sample", [0, -1, 1.5, None])
def test_a_world_names_a_wrong_sample(sample: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^sample must be a whole number"):
        World(nodes=5, trace=tmp_path / "trace", sample=sample)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [["--job", "no.such.job"], ["--follow", "6"], ["--faults", "none"], ["--latency", "soon"]],
    ids=" ".join,
)
def test_a_run_that_does_not_begin_leaves_no_folder(
    wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or the corrected command would find it there."""
    refused(capsys, "--trace", str(tmp_path / "trace"), *wrong)
    assert list(tmp_path.iterdir()) == []


def test_faults_that_are_none_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="faults"):
        World(nodes=5, trace=tmp_path / "trace", faults=[1])  # type: ignore[list-item]
    assert list(tmp_path.iterdir()) == []


def test_a_trace_that_can_no_longer_be_written_ends_the_run_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace"
    job = written(tmp_path, REMOVING)
    code = main(["--nodes", "9", "--job", job, "--input", str(trace), "--trace", str(trace)])
    out, err = capsys.readouterr()
    assert code == 1
    assert out.startswith("result            9\n")  # the run is not lost
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert str(trace) in err


def test_an_interrupted_run_leaves_what_was_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ctrl_c: None
) -> None:
    job = written(tmp_path, INTERRUPTED)
    trace = tmp_path / "trace"
    assert main(["--nodes", "20", "--job", job, "--trace", str(trace)]) == 130
    assert capsys.readouterr().err.count("\n") == 1
    found = tracing.read(trace)
    assert found.run.summary is None
    assert 0 < found.partitions()["finished"].count() < 20
    assert found.traffic["messages"].sum() > 20


@pytest.mark.parametrize("piece", [1, 2])
def test_an_interruption_waits_for_the_piece_that_is_being_written(
    piece: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    ctrl_c: None,
) -> None:
    write = pl.DataFrame.write_parquet

    def interrupted(table: pl.DataFrame, path: Path, **named: Any) -> None:
        if path.name == f"events-sim-{piece:06}.parquet.part":
            os.kill(os.getpid(), signal.SIGINT)
        write(table, path, **named)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", interrupted)
    monkeypatch.setattr(Writer, "is_due", lambda writer: len(writer.events) > 500)
    trace = tmp_path / "trace"
    command = ["--nodes", "50", "--partitions", "500", "--delay", "exponential:1"]
    assert main([*command, "--trace", str(trace)]) == 130
    assert {path.suffix for path in trace.iterdir()} == {".parquet", ".json"}
    accepted = tracing.read(trace).partitions()["accepted"].count()
    assert f"{accepted} of 500 partitions were accepted" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whatever_ends_a_run_its_trace_is_complete_up_to_then(
    number: signal.Signals, tmp_path: Path
) -> None:
    job, trace = written(tmp_path, SLEEPY), tmp_path / "trace"
    words = ["-m", "sim", "--job", job, "--nodes", "3000", "--trace", str(trace)]
    command = [sys.executable, "-c", HEARING, sys.executable, *words]
    with subprocess.Popen(command, cwd=TOP, stderr=subprocess.PIPE, text=True) as run:
        try:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while not any(trace.glob("events-*")):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            run.send_signal(number)
            assert run.stderr is not None
            told = run.stderr.read()
            assert run.wait(DEADLINE_SECONDS) == 130
        finally:
            run.kill()
    assert {path.suffix for path in trace.iterdir()} == {".parquet", ".json"}
    accepted = tracing.read(trace).partitions()["accepted"].count()
    assert f"{accepted:,} of 3,000 partitions were accepted" in told


# -- killed --------------------------------------------------------------------------------


@contextmanager
def killed(folder: Path, wanted: str, *arguments: str) -> Iterator[Path]:
    """A real run that ends by SIGKILL as soon as there are files called `wanted`."""
    trace = folder / "trace"
    job = written(folder, SLEEPY)
    command = [sys.executable, "-m", "sim", "--job", job, "--trace", str(trace), *arguments]
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.DEVNULL) as run:
        try:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while not any(trace.glob(wanted)):
                assert run.poll() is None, "it ended before"
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            run.kill()
    yield trace


def test_a_killed_run_leaves_all_pieces_whole(tmp_path: Path) -> None:
    sizes = ("--nodes", "3000", "--partitions", "9000", "--delay", "exponential:5")
    with killed(tmp_path, "events-*-000002.parquet", *sizes) as trace:
        found = tracing.read(trace)
        assert found.run.summary is None
        assert found.run.nodes == 3000
        for table in TABLES:
            assert len(found._table(table)) > 0
        assert 0 < len(found.of("arrived")) <= 3001
        assert 0 < found.partitions()["accepted"].count() < 9000
        assert measures.totals(found)["finished_seconds"] is None
        last = found.timeline().row(-1, named=True)
        assert last["accepted"] == found.partitions()["accepted"].count()
        assert set(found.tree()["state"]) > {"forming"}

        page = tmp_path / "page.html"
        command = [sys.executable, "-W", "error", "-m", "sim.report", trace, "--out", page]
        subprocess.run(command, cwd=TOP, check=True, capture_output=True)
        assert "broken off" in page.read_text()


def test_a_run_that_is_killed_at_once_leaves_a_trace(tmp_path: Path) -> None:
    with killed(tmp_path, "trace.json", "--nodes", "20000") as trace:
        assert tracing.read(trace).run.summary is None
        assert tracing.read(trace).run.nodes == 20000


# -- samples -------------------------------------------------------------------------------

SAMPLE = 7
SAMPLED: dict[str, dict[str, Any]] = {
    "plain": {"nodes": 700, "fanout": 6},
    "churn": {
        "nodes": 700, "partitions": 1400, "fanout": 6,
        "lifetime": "exponential:40", "delay": "exponential:3",
    },
    "faults": {"nodes": 300, "partitions": 900, "fanout": 6, "faults": "heavy", "delay": 2.0},
}  # fmt: skip


@pytest.fixture(scope="module", params=SAMPLED)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The trace of everybody, and of a sample."""
    folder, options = tmp_path_factory.mktemp("sampled"), SAMPLED[request.param]
    reports = [
        World(**options, trace=folder / "all").run(),
        World(**options, trace=folder / "sample", sample=SAMPLE).run(),
    ]
    assert reports[0].digest == reports[1].digest
    return tracing.read(folder / "all"), tracing.read(folder / "sample")


def plain(events: pl.DataFrame) -> pl.DataFrame:
    """Comparable, and the same in any order."""
    text = [pl.col(name).cast(pl.String) for name in ("event", "session", "to")]
    return events.with_columns(text).sort(pl.all())


def absent(expected: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    one, other = plain(expected), plain(found)
    return one.join(other, on=other.columns, how="anti", nulls_equal=True)


LEADING = pl.col("event").is_in(["leads", "opened", "recovered"]) | (
    (pl.col("event") == "assigned") & pl.col("partition").is_null()
)


def test_each_seventh_node_has_all_its_events(both: tuple[Trace, Trace]) -> None:
    whole, sample = both
    assert sample.run.sample == SAMPLE
    known = pl.col("node").is_null() | (pl.col("node") % SAMPLE == 0)
    expected = whole.events.filter(known)
    assert len(expected) > 0
    assert plain(sample.events.filter(known)).equals(plain(expected))
    assert absent(sample.events, whole.events).is_empty()


def test_control_nodes_have_their_events_and_nobody_else(both: tuple[Trace, Trace]) -> None:
    """All of them, but for those of a time when they computed, and did not lead; of those before
    they had a place, the first and the last few."""
    whole, sample = both
    events = whole.events.with_row_index().filter(pl.col("node") % SAMPLE != 0)
    leading = events.filter(LEADING).group_by("node").agg(since=pl.col("index").min())
    assert len(leading) > SAMPLE
    assert set(sample.events.filter(pl.col("node") % SAMPLE != 0)["node"]) == set(leading["node"])
    computing = events.filter((pl.col("event") == "assigned") & pl.col("partition").is_not_null())
    first = computing.group_by("node").agg(computes=pl.col("index").min())
    of = events.join(leading, "node").join(first, "node", how="left")
    since, at_once = pl.col("index") >= pl.col("since"), ~(pl.col("computes") < pl.col("since"))
    number, count = pl.int_range(pl.len()).over("node"), pl.len().over("node")
    before = of.filter(~since).with_columns(number=number, count=count)
    ends = (pl.col("number") == 0) | (pl.col("number") > pl.col("count") - BEFORE_ROWS)
    kept = before.filter(at_once.fill_null(True) & ends)
    needed = pl.concat([kept, of.filter(since)], how="diagonal").select(sample.events.columns)
    assert len(needed) > len(of) / 2
    assert absent(needed, sample.events).is_empty()


def test_messages_and_connections_are_exact(both: tuple[Trace, Trace]) -> None:
    whole, sample = both
    assert sample.traffic.equals(whole.traffic)
    assert measures.messages(sample)["messages"].equals(measures.messages(whole)["messages"])
    assert measures.connections(sample).equals(measures.connections(whole))


def test_sessions_are_all_there(both: tuple[Trace, Trace]) -> None:
    whole, sample = both
    exact = ["session", "level", "first", "partitions", "slots", "host", "leader", "opened",
             "recovered", "completed", "collected"]  # fmt: skip
    assert sample.sessions().select(exact).equals(whole.sessions().select(exact))


def test_estimates_are_near(both: tuple[Trace, Trace]) -> None:
    """Five standard errors of a count of which every seventh is known."""
    whole, sample = both
    exact, found = whole.timeline(50), sample.timeline(50)
    assert found["time"].equals(exact["time"])
    for column in ("opened", "completed"):
        assert found[column].equals(exact[column])
    for column in ("arrived", "gone", "seated", "computing", "accepted"):
        most = exact[column].max()
        assert isinstance(most, int)
        error = 5 * sqrt(SAMPLE * max(most, 1)) + SAMPLE
        far = (found[column] - exact[column]).abs().max()
        assert isinstance(far, int)
        assert far <= error, column


def test_milestones_of_a_sample_are_in_order(both: tuple[Trace, Trace]) -> None:
    _, sample = both
    table = measures.milestones(sample)
    for of in ("given", "done"):
        names = [f"{of}_{share}" for share in measures.SHARES]
        for sooner, later in pairwise(names):
            assert not (table[sooner] > table[later]).any()
