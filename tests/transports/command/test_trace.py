"""What `--trace` writes: by real processes, the same tables as the simulator's, and true."""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import trio
from trio.testing import MockClock

from core import Shape
from core.sessions.messages import NODE_BITS
from plugins.tracing.schema import EVENTS, FORMAT, TABLES, VERSION, in_sample
from plugins.tracing.writing import Writer
from tests.processes import free_port, until
from tests.running import Programs
from tests.transports.command.jobs_for_tests import SLEEPING, WAITING
from transports.command.tracing import LOOK_SECONDS, Tracing
from transports.net.connection import Me

HEARING = (
    *(sys.executable, "-c"),
    "import os, signal, sys\n"
    "for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):\n"  # some may be ignored here
    "    signal.signal(number, signal.SIG_DFL)\n"
    "os.execv(sys.argv[1], sys.argv[1:])",
)
PROGRAM = "python -m transports.tcp"
CONTROL = ("leads", "opened", "recovered")
ASYNCHRONOUS = SLEEPING.replace("import time", "import trio").replace(
    "def compute(input, index):\n    time", "async def compute(input, index):\n    await trio"
)


def pieces(folder: Path, table: str = "events") -> list[pl.DataFrame]:
    return [pl.read_parquet(path) for path in sorted(folder.glob(f"{table}-*.parquet"))]


def rows(folder: Path, table: str = "events") -> pl.DataFrame:
    """All of them, in the order of time."""
    found = pieces(folder, table)
    whole: pl.DataFrame = pl.concat(found) if found else pl.DataFrame(schema=TABLES[table])
    return whole.sort("time", maintain_order=True)


def of(found: pl.DataFrame, *events: str) -> pl.DataFrame:
    return found.filter(pl.col("event").is_in(events))


def described(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "trace.json").read_text())
    return told


def processes(nodes: pl.Series) -> set[int]:
    return {node >> NODE_BITS for node in nodes}


def sessions(shape: Shape) -> Iterator[str]:
    """All that there are to be."""
    yield shape.session
    if not shape.leaf:
        for slot in range(shape.slots):
            yield from sessions(shape.child(slot))


def see_the_order(found: pl.DataFrame, partitions: int) -> None:
    """Each partition was given to somebody, begun, done and accepted, one after the other."""
    steps = ("assigned", "started", "finished", "accepted")
    first = [
        dict(
            of(found, step)
            .filter(pl.col("partition").is_not_null())
            .group_by("partition")
            .agg(pl.col("time").min())
            .iter_rows()
        )
        for step in steps
    ]
    assert [sorted(times) for times in first] == [list(range(partitions))] * len(steps)
    for earlier, later in pairwise(first):
        assert all(earlier[partition] <= later[partition] for partition in earlier)


# -- what is in it -------------------------------------------------------------------------


def test_it_has_the_tables_of_every_trace(run: Programs) -> None:
    trace = run.folder / "trace"
    run.run("--nodes", 10, "--partitions", 50, "--fanout", 5, "--trace", trace)
    for table, columns in TABLES.items():
        found = pieces(trace, table)
        assert found
        assert all(piece.schema == pl.DataFrame(schema=columns).schema for piece in found)
        assert all(piece["time"].is_sorted() for piece in found if table == "events")
    assert set(rows(trace)["event"]) <= set(EVENTS)
    assert not [path for path in trace.iterdir() if path.suffix not in (".parquet", ".json")]
    told = described(trace)
    assert (told["format"], told["version"]) == (FORMAT, VERSION)
    assert (told["transport"], told["job"], told["sample"]) == ("tcp", "plugins.demo", 1)


def test_it_agrees_with_what_is_told_at_the_end(run: Programs) -> None:
    trace = run.folder / "trace"
    shape = ("--nodes", 12, "--processes", 2, "--partitions", 300, "--fanout", 8)
    found = run.start(*shape, "--delay", 0.001, "--trace", trace, "--json").report()
    told, events = described(trace), rows(trace)
    assert told["summary"] == found
    alike = ("nodes", "partitions", "fanout", "levels", "seed")
    assert {name: told[name] for name in alike} == {name: found[name] for name in alike}
    assert told["options"] == {"delay": "0.001", "bots": "plugins.bots_local", "processes": 2}

    (submitter,) = of(events, "leads").filter(pl.col("session") == "0")["node"]
    assert of(events, "arrived").height == found["arrived"] + 1
    assert len(processes(events["node"].drop_nulls())) == found["processes"] + 1
    leaves = of(events, "accepted")["partition"].drop_nulls()
    assert leaves.n_unique() == found["accepted"] == 300
    opened = of(events, "opened", "recovered")["session"]
    assert set(opened) == set(sessions(Shape.root(300, 8)))
    assert max(name.count("-") for name in opened) + 1 == found["levels"]
    counted = rows(trace, "connections").filter(pl.col("node") == submitter)["connections"]
    assert counted.max() == found["connections_max"]
    assert set(rows(trace, "traffic")["level"]) == set(range(found["levels"]))
    (ended,) = of(events, "ended").filter(pl.col("session") == "0")["time"]
    assert of(events, "accepted")["time"].max() <= ended
    assert of(events, "lost", "failed").is_empty()
    assert of(events, "left").filter(pl.col("time") > ended).is_empty()  # before, some go elsewhere


@pytest.mark.parametrize("job", [SLEEPING, ASYNCHRONOUS], ids=["processes", "loop"])
def test_all_that_happens_to_a_partition_is_in_order(run: Programs, job: str) -> None:
    trace = run.folder / "trace"
    options = ("--job", run.job(job), "--input", 0.005, "--partitions", 120, "--fanout", 6)
    run.run(*options, "--nodes", 12, "--processes", 3, "--trace", trace)
    found = rows(trace)
    see_the_order(found, 120)
    first = found.filter(pl.col("node").is_not_null()).group_by("node", maintain_order=True).first()
    assert set(first["event"]) == {"arrived"}
    assert first.height == 12 + 1
    assert found["time"].min() >= 0
    seconds = of(found, "finished")["seconds"]
    assert seconds.min() >= 0.004  # of sleep, in single precision


def test_of_a_sample_all_who_lead_are_in_it(run: Programs) -> None:
    trace, sample = run.folder / "trace", 7
    run.run("--nodes", 40, "--partitions", 120, "--fanout", 5, "--trace", trace, "--sample", sample)
    found = rows(trace)
    assert described(trace)["sample"] == sample
    shape = Shape.root(120, 5)
    assert set(of(found, "leads")["session"]) == set(sessions(shape))
    interior = pl.col("event").eq("assigned") & pl.col("partition").is_null()
    control = set(found.filter(pl.col("event").is_in(CONTROL) | interior)["node"])
    assert control <= set(of(found, "arrived")["node"])
    others = set(found["node"].drop_nulls()) - control
    assert all(in_sample(node, sample) for node in others)
    assert len(control | others) < 41


# -- several processes, some of which end early --------------------------------------------


class Unfinished:
    """A job whose last piece waits until it is told to go on."""

    PARTITIONS = 40

    def __init__(self, run: Programs) -> None:
        self.go, self.trace = run.folder / "go", run.folder / "trace"
        value = json.dumps({"half": self.PARTITIONS - 1, "go": str(self.go)})
        job = ("--job", run.job(WAITING), "--input", value)
        self.options = (*job, "--partitions", self.PARTITIONS, "--fanout", 4, "--trace", self.trace)

    def wait(self) -> None:
        """Until some of it is done, and written down."""

        def accepted() -> bool:
            return not of(rows(self.trace), "accepted")["partition"].drop_nulls().is_empty()

        until(accepted, "something is accepted")


def test_the_trace_of_a_host_that_was_killed_can_be_read(run: Programs) -> None:
    job = Unfinished(run)
    program = run.start(*job.options, "--nodes", 12, "--processes", 2)
    job.wait()
    program.kill()
    run.see_that_none_is_left()
    assert described(job.trace)["summary"] is None
    for table, columns in TABLES.items():
        wanted = pl.DataFrame(schema=columns).schema
        assert all(piece.schema == wanted for piece in pieces(job.trace, table))
    found = rows(job.trace)
    assert of(found, "ended").is_empty()
    bots = of(found, "arrived")["node"]  # those that were not killed have written all of it
    assert len(processes(bots)) >= 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_all_leaves_all_that_had_happened(run: Programs, number: int) -> None:
    job = Unfinished(run)
    program = run.start(*job.options, "--nodes", 12, "--processes", 2, "-v", prefix=HEARING)
    program.says("work begins")
    until(lambda: program.stderr.count(" met ") == 2)
    program.signal(number)
    program.ended(130)
    run.see_that_none_is_left()
    assert described(job.trace)["summary"] is None
    found = see_whole(job.trace)
    assert "0" in set(of(found, "opened")["session"])
    assert (
        of(found, "gone").height == of(found, "arrived").height - 1
    )  # the host's own goes with it


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_is_told_to_go_leaves_all_that_had_happened_there(run: Programs, number: int) -> None:
    job = Unfinished(run)
    host = run.host(*job.options, prefix=HEARING)
    allow = ("--nodes", 6, "--allow", run.folder / "job.py", "--trace", job.trace)
    join = run.join(host, *allow, prefix=HEARING)
    job.wait()
    for program in (join, host):
        program.signal(number)
        program.ended(130)
    found = see_whole(job.trace)
    assert of(found, "gone").height == of(found, "arrived").height - 1 == 6
    done = of(found, "accepted")["partition"].drop_nulls()
    assert set(done) <= set(of(found, "finished")["partition"])


def see_whole(trace: Path) -> pl.DataFrame:
    """Nothing in it is half written; returns its events."""
    assert {path.suffix for path in trace.iterdir()} == {".parquet", ".json"}
    return rows(trace)


def test_who_is_killed_is_lost_and_the_job_completes(run: Programs) -> None:
    job = Unfinished(run)
    host = run.host(*job.options)
    options = ("--nodes", 6, "--allow", run.folder / "job.py", "--trace", job.trace)
    joins = [run.join(host, *options) for _ in range(2)]
    for join in joins:
        join.says("6 nodes for job.py")
    job.wait()
    joins[0].kill()

    def lost() -> set[int]:
        return processes(of(rows(job.trace), "lost")["node"])

    until(lost, "the loss is written down")
    job.go.touch()
    assert host.report()["result"] == sum(range(job.PARTITIONS))
    joins[1].ended()
    assert len(lost()) == 1
    assert described(job.trace)["summary"]["accepted"] == job.PARTITIONS


def test_a_host_that_goes_on_from_its_store_has_a_trace_from_then_on(run: Programs) -> None:
    job, again = Unfinished(run), run.folder / "again"
    where = f"127.0.0.1:{free_port()}"
    store = ("--store", run.folder / "store")
    host = run.host(*job.options, *store, listen=where)
    allow = ("--allow", run.folder / "job.py", "--trace", job.trace)
    join = run.join(where, "--nodes", 6, *allow)
    job.wait()
    host.kill()
    host = run.host(*job.options[:-1], again, *store, listen=where)
    job.go.touch()
    found = host.report()
    join.ended()
    assert (found["result"], found["resumed"]) == (sum(range(job.PARTITIONS)), True)
    root = of(rows(again), "recovered").filter(pl.col("session") == "0")
    assert root["time"].to_list()[0] < found["finished_seconds"]
    assert described(again)["summary"]["resumed"]
    assert described(job.trace)["summary"] is None
    accepted = of(rows(job.trace), "accepted")["partition"]
    assert job.PARTITIONS - 1 in accepted  # who was there before writes on where it did


def test_bots_that_may_be_elsewhere_write_none(run: Programs) -> None:
    (run.folder / "elsewhere.py").write_text("from plugins.bots_local import bots as bots")
    trace, path = run.folder / "trace", {"PYTHONPATH": str(run.folder)}
    options = ("--bots", "elsewhere", "--nodes", 4, "--processes", 2, "--partitions", 9)
    host = run.host(*options, "--trace", trace, env=path)
    host.says("bots of elsewhere write no trace: they may be elsewhere")
    assert host.report()["result"] == 9
    assert len(processes(of(rows(trace), "arrived")["node"])) == 1  # the host's own


def test_a_trace_that_cannot_be_written_any_more_ends_alone(run: Programs) -> None:
    job = Unfinished(run)
    program = run.start(*job.options, "--nodes", 12, "--processes", 2, "--json")
    job.wait()
    until(
        lambda: len({path.name.split("-")[1] for path in job.trace.glob("events-*.parquet")}) == 3
    )
    job.trace.rename(run.folder / "moved")  # at once, whoever is writing
    job.go.touch()
    assert program.report()["result"] == sum(range(job.PARTITIONS))
    told = [line for line in program.stderr.splitlines() if " error untraced " in line]
    assert len(told) == 3  # one of each process
    assert "see whether there is room" in told[0]
    assert "Traceback" not in program.stderr


# -- one process ---------------------------------------------------------------------------


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file can have more bytes meanwhile, as on a disk that is full."""
    _, most = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("folder", "why"), [("none", "No such file"), (".", "File too large")], ids=["gone", "full"]
)
async def test_a_failure_to_write_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, folder: str, why: str
) -> None:
    told: list[None] = []
    trace = Tracing(Me(5, None), tmp_path / folder, 1, lambda: told.append(None))
    trace.begin(trio.current_time(), 0.0)
    trace.arrived(trio.current_time(), 5 << NODE_BITS, "0")
    with room(100):
        for _ in range(2):
            trace.met(3)
            await trace.close()
    assert trace.ended
    assert len(told) == len(caplog.records) == 1
    assert f"the trace {tmp_path / folder} cannot be written" in caplog.text
    assert why in caplog.text


async def test_time_begins_with_the_root_and_never_goes_back(
    tmp_path: Path,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Writer, "is_due", lambda writer: True)
    trace = Tracing(Me(5, None), tmp_path, 1, lambda: None)
    nursery.start_soon(trace.run)
    trace.met(2)  # before anything has begun
    await trio.sleep(3 * LOOK_SECONDS)
    now = trio.current_time()
    trace.begin(now, trace._offset + now)  # the root was opened at this moment
    for node, moment in ((1, now), (2, now + 1.5), (3, now + 1)):
        trace.arrived(moment, node, "0")
    await trace.close()
    assert rows(tmp_path)["time"].round(6).to_list() == [0.0, 1.5, 1.5]
    ((at, node, connections),) = rows(tmp_path, "connections").rows()
    assert (round(at, 6), node, connections) == (0.0, 5 << NODE_BITS, 2)


# -- what cannot be ------------------------------------------------------------------------


@pytest.mark.parametrize("command", [(), ("host",), ("join", "127.0.0.1:1")], ids=str)
def test_what_cannot_be_is_one_line(run: Programs, command: tuple[str, ...]) -> None:
    nowhere, file = run.folder / "none" / "trace", run.folder / "file"
    file.touch()
    for folder, why in (
        (nowhere, f"--trace: {nowhere} cannot be made (No such file or directory)"),
        (file, f"--trace: {file} is there already"),
    ):
        done = run.run(*command, "--trace", folder, code=2)
        assert done.stderr.startswith(f"{PROGRAM}: {why}")
        assert done.stderr.count("\n") == 1
    done = run.run(*command, "--trace", run.folder / "trace", "--sample", 0, code=2)
    assert done.stderr.startswith(f"{PROGRAM}: --sample: '0' is wrong, give a whole number")
    assert not (run.folder / "trace").exists()


def test_a_trace_is_never_written_over(run: Programs) -> None:
    trace = run.folder / "trace"
    run.run("--trace", trace, "--nodes", 2)
    before = sorted(trace.iterdir())
    done = run.run("--trace", trace, "--nodes", 2, code=2)
    assert done.stderr == (
        f"{PROGRAM}: --trace: {trace} is there already: give another name, or remove it first\n"
    )
    assert sorted(trace.iterdir()) == before


def test_who_joins_may_come_before_the_host(run: Programs) -> None:
    trace, where = run.folder / "trace", f"127.0.0.1:{free_port()}"
    early = run.join(where, "--nodes", 3, "--trace", trace)
    early.says("nobody listens there")
    assert trace.is_dir()
    host = run.host("--partitions", 30, "--trace", trace, listen=where)
    assert host.report()["arrived"] == 3
    early.ended()
    see_the_order(rows(trace), 30)
    assert rows(trace)["time"].max() < host.seconds


def test_what_has_not_begun_leaves_no_folder(run: Programs) -> None:
    trace = run.folder / "trace"
    run.run("host", "--listen", "127.0.0.1:0", "--bots", "nowhere", "--trace", trace, code=1)
    assert not trace.exists()


def test_who_has_no_trace_does_not_load_what_writes_it(run: Programs) -> None:
    modules = run.folder / "modules"
    job = run.job(
        SLEEPING + f"\nimport pathlib, sys\npathlib.Path({str(modules)!r}).write_text("
        "' '.join(sys.modules))\n"
    )
    host = run.host("--job", job, "--input", 0, "--partitions", 1)
    loaded = until(lambda: modules.exists() and modules.read_text().split())
    assert "plugins.jobs.loading" in loaded
    assert not {"polars", "transports.command.tracing"} & set(loaded)
    host.interrupt()
    host.ended(130)
