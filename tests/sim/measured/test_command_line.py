"""Files of what was measured, named on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim import World
from sim.__main__ import main
from tests.sim.measurements import TABLE, TRACE, written


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
