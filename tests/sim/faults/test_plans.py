"""Faults that are drawn from a seed, or read from a file."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from core import Shape
from sim import World
from sim.faults import actions as a
from sim.faults import plans, script
from sim.faults.actions import Fault
from sim.search import kinds

NODES = 30
SHAPE = Shape.root(100, 5)

levels = pytest.mark.parametrize("level", plans.LEVELS)


def planned(level: str, seed: int = 0) -> tuple[Fault, ...]:
    return plans.planned(level, NODES, SHAPE, seed)


@levels
def test_the_same_seed_draws_the_same_faults(level: str) -> None:
    assert planned(level, 1) == planned(level, 1)
    assert planned(level, 1) != planned(level, 2)


@levels
def test_faults_are_in_order_of_time_and_end_well(level: str) -> None:
    for seed in range(20):
        faults = planned(level, seed)
        times = [fault.at for fault in faults]
        assert times == sorted(times)
        assert [fault.action for fault in faults[-2:]] == [a.Heal(), a.Restart(a.Share(1.0))]
        assert {times[-2], times[-1]} == {plans.UNTIL_SECONDS}


def test_heavy_has_more_faults_and_every_kind() -> None:
    light, heavy = planned("light"), planned("heavy")
    assert len(heavy) > 3 * len(light)
    assert set(plans.LIGHT) < set(plans.HEAVY) == set(plans.KINDS)


@pytest.mark.parametrize("kind", kinds.KINDS)
@pytest.mark.parametrize("shape", [Shape.root(1, 2), SHAPE], ids=["one session", "three levels"])
def test_every_kind_draws_what_a_script_can_say(kind: str, shape: Shape) -> None:
    random = Random(kind)
    for nodes in (1, 2, 30):
        faults = plans.draw(random, {kind: 1}, 0.5, 20.0, nodes, shape, kinds.KINDS)
        assert script.read("\n".join(map(script.line, faults))) == tuple(faults)
        assert not {n for fault in faults for n in named(fault.action) if n > nodes}


def named(action: a.Action) -> tuple[int, ...]:
    match action:
        case a.SlowLink(one, other, _):
            return (one, other)
        case a.Diverge(_, node) if node is not None:
            return (node,)
        case _:
            target = getattr(action, "target", None)
            return target.numbers if isinstance(target, a.Nodes) else ()


@levels
@pytest.mark.parametrize("replicas", ["shared", "each"])
def test_the_answer_is_right_under_every_level(level: str, replicas: str) -> None:
    world = World(
        nodes=NODES, partitions=100, fanout=5, delay=2.0, input=1, replicas=replicas, faults=level
    )
    report = world.run(until=600.0)
    assert report.failure is None
    assert report.result == report.accepted == 100
    assert report.crashed > 0


# -- files ---------------------------------------------------------------------------------


def test_a_file_is_read_and_done(tmp_path: Path) -> None:
    path = tmp_path / "some.faults"
    path.write_text("at 2 crash node 3  # who is there\n\nat 1 crash nodes 1, 2 silently\n")
    assert plans.planned(str(path), NODES, SHAPE, 0) == (
        Fault(1.0, a.Crash(a.Nodes((1, 2)), silently=True)),
        Fault(2.0, a.Crash(a.Nodes((3,)))),
    )
    report = World(nodes=NODES, arrival_rate=1000, faults=str(path)).run()
    assert report.result == NODES
    assert report.crashed == 3


def test_a_wrong_line_is_told_with_its_file_and_number(tmp_path: Path) -> None:
    path = tmp_path / "some.faults"
    path.write_text("at 1 heal\n# nothing\nat 2 crush node 3\n")
    with pytest.raises(ValueError, match=r"some\.faults, line 3, 'at 2 crush node 3': ") as caught:
        World(nodes=NODES, faults=str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "", ".", "binary", "nul\0"])
def test_a_file_that_cannot_be_read_is_told_in_a_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="give 'light', 'heavy' or a file of faults") as caught:
        World(nodes=NODES, faults=name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_faults_may_be_drawn_or_read(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_text("# none\n")
    assert plans.read(str(path)) == ()
    assert plans.draw(Random(0), {"crash": 1}, 1e9, 60.0, NODES, SHAPE) == []
