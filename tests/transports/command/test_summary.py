"""What is printed about a computation on real sockets."""

from __future__ import annotations

import io
import json
import re

import attrs
import pytest

from core.messages import Failure
from plugins.console.progress import REFRESH_SECONDS
from plugins.console.telling import Lost, as_json
from transports.command import progress
from transports.command.progress import Teller, teller, waiting_line, working_line
from transports.command.summary import Report, table, with_cause

REPORT = Report(
    result=78498,
    failure=None,
    nodes=1000,
    processes=4,
    partitions=10_000,
    fanout=100,
    levels=2,
    arrived=1000,
    left=50,
    lost_processes=1,
    accepted=10_000,
    finished_seconds=2.5,
    messages=12_345,
    root_messages=4321,
    bytes_sent=3 * 2**20,
    connections_max=4,
    seed=0,
    wall_seconds=3.25,
    peak_rss_bytes=50 * 2**20,
)


def test_the_summary_for_people() -> None:
    assert (
        table(REPORT)
        == """\
result            78,498

tree              2 levels, at most 100 slots a session

nodes             1,000 of 1,000 arrived, 50 left
processes         4, of which 1 lost
finished          after 2.500 s
partitions        10,000 of 10,000 accepted
messages          12,345, of which 4,321 changed the root session
connections       at most 4 at the root's process

wall time         3.25 s, 4,000 partitions a second
sent              3.0 MiB by the root's process
peak memory       50.0 MiB of the root's process"""
    )


def test_what_is_known_besides_is_told() -> None:
    known = attrs.evolve(
        REPORT,
        sessions=101,
        control_nodes=101,
        computation_nodes=950,
        formed_seconds=0.75,
        repeated=100,
        divergences=2,
        digest="abc",
        resumed=True,
    )
    text = table(known)
    for line in (
        "sessions          101",
        "control nodes     101",
        "computation nodes 950",
        "tree formed       after 0.750 s",
        "partitions        10,000 of 10,000 accepted; 100 computed again (1.00%)",
        "replicas          2 differed, and were repaired",
        "digest            abc",
        "finished          after 2.500 s, since the root was opened again",
    ):
        assert line in text.splitlines()


def test_json_has_every_field() -> None:
    found = json.loads(as_json(attrs.evolve(REPORT, failure=Failure("0-3", 7, "raised"))))
    assert set(found) == {field.name for field in attrs.fields(Report)}
    assert found["failure"] == {"session": "0-3", "partition": 7, "error": "raised"}
    assert found["finished_seconds"] == 2.5


def test_what_is_lost_is_told() -> None:
    pieces = [Failure("0-3", 7, "raised"), Failure("0-4", None, "a\nb"), Failure("0-5", 9, "c\nd")]
    found = json.loads(as_json(attrs.evolve(REPORT, lost=Lost(12, pieces))))["lost"]
    assert found["count"] == 12
    assert found["pieces"][0] == {"session": "0-3", "partition": 7, "error": "raised"}
    lost = Lost(3, [pieces[0], pieces[2]])
    assert "lost              3: 7, 9, ..." in table(attrs.evolve(REPORT, lost=lost)).splitlines()
    assert lost.line(20).startswith("3 of 20 partitions failed for good")
    assert Lost(12, pieces).which == "7, all of session 0-4, 9"
    assert Lost(12, pieces).tracebacks == "raised\na\nb\nc\nd"
    assert Lost.of((1, (("0", 5, "e"),))) == Lost(1, [Failure("0", 5, "e")])
    assert Lost.of(None) is None


@pytest.mark.parametrize(
    ("arrived", "left", "cause"),
    [
        (0, 0, "no node has come"),
        (10, 10, "all 10 nodes have left, 1 process lost"),
        (10, 3, "ended before the result was there"),
    ],
)
def test_what_was_missing_is_the_failure(arrived: int, left: int, cause: str) -> None:
    report = attrs.evolve(REPORT, arrived=arrived, left=left, accepted=99, finished_seconds=None)
    found = with_cause(report)
    assert found.failure is not None
    assert found.failure.error.startswith(cause)
    assert "99 of 10,000 partitions were accepted" in found.failure.error
    assert "finished          never" in table(found)
    assert with_cause(REPORT) is REPORT


# -- live ----------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_lines() -> None:
    assert waiting_line(1, 50, None, None) == "waiting for nodes  1 process connected  50 nodes"
    assert (
        waiting_line(2, 50, 1000, 65.2)
        == "waiting for nodes  2 processes connected  50 of 1,000 nodes  1:05 left"
    )
    assert (
        working_line(100, 600, 1000, 100, 10)
        == " 60 %  at 10.0 s  100 nodes  600 of 1,000 partitions  50 a second  0:08 left"
    )
    assert "left" not in working_line(100, 100, 1000, 100, 10)


def test_no_terminal_hears_only_what_is_notable() -> None:
    stream = io.StringIO()
    with teller(stream) as told:
        assert not told.on_terminal
        told.waiting(1, 2, 3, 4.0)
        told.note("listens on 127.0.0.1:7411")
        told.working(1, 2, 3)
    assert stream.getvalue() == "python -m transports.tcp: listens on 127.0.0.1:7411\n"


def test_a_terminal_shows_the_line_and_what_is_notable_above_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with teller(stream) as told:
        assert told.on_terminal
        told.waiting(2, 50, 100, None)
        told.note("begins")
        told.working(50, 10, 100)
    text = stream.getvalue()
    waiting = text.index("50 of 100 nodes")
    begins = text.index("python -m transports.tcp: begins\n")
    assert waiting < begins < text.index("10 of 100 partitions")


def test_the_rate_counts_what_was_done_since_work_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    seconds = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: seconds[0])
    stream = Terminal()
    told = Teller(stream)
    told.working(5, 500, 1000)  # taken up from a store
    seconds[0] += 10
    told.working(5, 700, 1000)
    told.clear()
    assert "700 of 1,000 partitions  20 a second  0:15 left" in stream.getvalue()


def test_the_line_is_made_five_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ticks = iter(range(10**6))
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks) / 1000)
    made = []
    monkeypatch.setattr(progress, "waiting_line", lambda *a: made.append(a) or "line")
    with teller(Terminal()) as told:
        for nodes in range(1000):
            told.waiting(1, nodes, None, None)
    assert 2 <= len(made) <= 1 / REFRESH_SECONDS + 1
    assert re.match(r"\(1, 0, None, None\)", str(made[0]))
    with teller(Terminal(), live=False) as quiet:
        assert not quiet.on_terminal
