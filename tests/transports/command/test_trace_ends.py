"""The trace of several processes, some of which end early."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import polars as pl
import pytest

from plugins.tracing.schema import TABLES
from tests.processes import HEARING, free_port, until
from tests.running import Programs
from tests.transports.command.jobs_for_tests import WAITING
from tests.transports.command.traced import described, of, pieces, processes, rows


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

    def who_waits(self) -> int:
        """The process that has the last piece; 0 while nobody has begun it."""
        waits = self.go.with_suffix(".waits")
        return int(waits.read_text() or 0) if waits.exists() else 0


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
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


def test_who_is_told_to_go_leaves_all_that_had_happened_there(run: Programs) -> None:
    number = signal.SIGTERM
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
    at_the_last = until(job.who_waits, "the last piece is begun")
    (victim,) = (join for join in joins if join.process.pid == at_the_last)
    joins.remove(victim)
    victim.kill()

    def lost() -> set[int]:
        return processes(of(rows(job.trace), "lost")["node"])

    until(lost, "the loss is written down")
    job.go.touch()
    assert host.report()["result"] == sum(range(job.PARTITIONS))
    joins[0].ended()
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
