"""The life of one node, told while it happens."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from core import Shape
from sim import World
from sim.__main__ import main
from sim.command.follow import FollowedWorld

EVENT = re.compile(r" *(?P<seconds>\d+\.\d+) s  (?P<session>0(-\d+)*) +(?P<what>\S.*)")


def followed(node: int, **options: Any) -> tuple[list[re.Match[str]], str, FollowedWorld]:
    """A run's events of `node`, its last line, and the world."""
    lines: list[str] = []
    world = FollowedWorld(node, lines.append, **options)
    world.run()
    world.tell_end()
    events = [EVENT.fullmatch(line) for line in lines[:-1]]
    assert None not in events, lines
    return [event for event in events if event], lines[-1], world


def shape_of(session: str, root: Shape) -> Shape:
    for slot in session.split("-")[1:]:
        root = root.child(int(slot))
    return root


def test_events_are_told_in_order() -> None:
    events, _, world = followed(7, nodes=100, fanout=5)
    seconds = [float(event["seconds"]) for event in events]
    assert seconds == sorted(seconds)
    assert seconds[0] == pytest.approx(0.7, abs=0.002)  # ten arrive each second
    assert seconds[-1] <= world.now
    assert events[0]["session"] == "0"


@pytest.mark.parametrize("node", [1, 7, 60, 100])
def test_slots_and_partitions_are_those_of_the_session(node: int) -> None:
    events, _, world = followed(node, nodes=100, fanout=5)
    computed = []
    for event in events:
        if found := re.search(r"slot (\d+): partition (\d+)$", event["what"]):
            slot, partition = map(int, found.groups())
            shape = shape_of(event["session"], world.shape)
            assert shape.leaf
            assert partition == shape.first + slot
            computed.append(partition)
    assert len(computed) == 1  # as many nodes as partitions


def test_a_leader_is_seen_in_both_its_sessions() -> None:
    events, _, world = followed(1, nodes=20, fanout=5)
    story = [(event["session"], event["what"]) for event in events]
    sessions = {session for session, _ in story}
    assert sessions == {"0", "0-0"}
    assert any(s == "0-0" and "leads" in what for s, what in story)
    assert any(s == "0" and re.search("slot 0.*partitions 0 to 4", what) for s, what in story)
    assert ("0-0", "collects 5 outputs") in story
    assert world.network.outcome is not None


@pytest.mark.parametrize("replicas", ["shared", "each"])
@pytest.mark.parametrize("node", [0, 1, 30, 64])
def test_to_be_followed_changes_nothing(node: int, replicas: str) -> None:
    options = {"nodes": 64, "fanout": 4, "delay": "exponential:1", "seed": 3, "replicas": replicas}
    _, _, world = followed(node, **options)
    alone = World(**options).run()  # type: ignore[arg-type]
    report = world.report()
    assert (report.digest, report.messages) == (alone.digest, alone.messages)


def test_several_pieces_at_once_are_told_as_one() -> None:
    events, _, _ = followed(1, nodes=2, partitions=500, fanout=500, delay=0.001)
    whats = " ".join(event["what"] for event in events)
    assert re.search(r"slots \d+ to \d+: partitions \d+ to \d+", whats)


def test_a_node_that_leaves() -> None:
    events, end, _ = followed(3, nodes=5, lifetime=2)
    assert "leaves" in events[-1]["what"]
    assert float(events[-1]["seconds"]) == pytest.approx(float(events[0]["seconds"]) + 2)
    assert "node 3 has left" in end


def test_a_node_that_never_arrives() -> None:
    events, end, _ = followed(9, nodes=9, partitions=1, arrival_rate=0.01)
    assert events == []
    assert "node 9 has not arrived" in end


def test_a_standby_waits() -> None:
    events, end, _ = followed(4, nodes=4, partitions=2, delay=12.0)
    assert "stands by" in events[-1]["what"]
    assert "stands by in 0" in end


def test_times_are_as_fine_as_the_tick() -> None:
    events, _, _ = followed(1, nodes=2, tick=1e-5)
    assert all(len(event["seconds"].partition(".")[2]) == 5 for event in events)


def test_the_story_stands_before_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nodes", "10", "--follow", "2"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    story, _, summary = out.partition("\n\n")
    assert len(story.splitlines()) > 3
    assert World(nodes=10).run().digest in summary


def test_beside_json_the_story_is_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nodes", "10", "--follow", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["result"] == 10
    assert "node 2" in err


def test_a_second_life_is_told_and_nothing_of_what_the_dead_would_have_done() -> None:
    told: list[str] = []
    world = FollowedWorld(3, told.append, nodes=100, fanout=5, partitions=400, delay=1.0, faults=())
    world.run(until=4)
    world.do("crash node 3")
    before = len(told)
    world.run(until=8)
    assert told[before - 1].endswith("is concerned: crash node 3")
    assert len(told) == before
    world.do("restart node 3")
    world.run(until=9)
    assert any(line.endswith("arrives") for line in told[before:])
