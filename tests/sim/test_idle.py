"""Worlds whose nodes only come, stay and go."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.__main__ import main
from sim.idle import IdleReport, IdleWorld
from sim.search.lobby.home import levels_max


def idle(seconds: float = 30.0, **options: Any) -> IdleReport:
    world = IdleWorld(seconds, **options)
    world.run(until=seconds)
    return world.idle_report()


@pytest.mark.parametrize("nodes", [0, 1, 8, 9, 64])
def test_all_are_at_home_in_as_few_levels_as_can_be(nodes: int) -> None:
    if not nodes:
        with pytest.raises(ValueError, match="nodes"):
            idle(nodes=0)
        return
    report = idle(nodes=nodes, fanout=8)
    assert (report.at_home, report.turned_away, report.without) == (nodes, 0, 0)
    assert report.levels == 1 + (nodes > 8)
    assert report.sessions == 1 + (min(nodes - 8, 8) if nodes > 8 else 0)


@pytest.mark.parametrize("listening", [1.0, 0.5, 0.2])
def test_connections_are_bounded_whoever_listens(listening: float) -> None:
    report = idle(100.0, nodes=1000, fanout=16, listening=listening)
    assert report.at_home == 1000
    assert report.levels <= levels_max(1000, 16)
    assert report.connections_max <= 16 * report.levels


def test_where_few_listen_the_rest_is_turned_away() -> None:
    report = idle(100.0, nodes=300, fanout=8, listening=0.05)
    assert report.at_home + report.turned_away == 300
    assert report.turned_away > 100
    assert report.connections_max <= 8 * levels_max(300, 8)


def test_where_nobody_listens_half_of_the_root_is_for_them() -> None:
    report = idle(nodes=50, fanout=8, listening=0.0)
    assert (report.at_home, report.turned_away, report.sessions) == (4, 46, 1)


def test_the_root_hears_little() -> None:
    """Each node once as it comes; in order only its own people, and which sessions are opened."""
    report = idle(60.0, nodes=1000, fanout=8)
    assert report.root_arrivals == 1000
    assert report.root_ordered == 1 + 2 * 8
    assert report.root_calls <= 8 * 30


def test_replicas_of_its_own_make_no_difference() -> None:
    one, other = (idle(nodes=60, fanout=4, listening=0.6, replicas=r) for r in ("shared", "each"))
    assert one.digest == other.digest


def test_nodes_that_go_leave_their_places_to_others() -> None:
    report = idle(60.0, nodes=600, fanout=8, lifetime="exponential:15", arrival_rate=20.0)
    assert report.left > 300
    assert report.at_home >= 0.9 * (report.arrived - report.left)
    assert report.levels <= 4


def test_the_command_line_tells_how_nodes_are_at_home(capsys: Any) -> None:
    arguments = ["--idle", "20", "--nodes", "200", "--fanout", "8"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("at home           200 nodes\nlobby             3 levels")
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["at_home"], report["nodes"], report["seconds"]) == (200, 200, 20.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--idle", "0"], "--idle: '0' is wrong"),
        (["--idle", "nan"], "--idle: 'nan' is wrong"),
        (["--idle", "9", "--fanout", "3"], "--fanout 3 is too small for --idle, give 4 or more"),
        (["--idle", "9", "--partitions", "3"], "--partitions is about a job"),
        (["--idle", "9", "--follow", "3"], "--follow is about a job"),
        (["--idle", "9", "--keep-going"], "--keep-going is about a job"),
    ],
)
def test_what_cannot_be_is_told(arguments: list[str], said: str, capsys: Any) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_in_python_too_a_lobby_has_slots_enough() -> None:
    with pytest.raises(ValueError, match="fanout must be 4 or more, not 2"):
        IdleWorld(10.0, fanout=2)
