"""Functions that raise or hang on some nodes, and replicas that are corrupted."""

from __future__ import annotations

from core import messages as m
from core.messages import Node
from core.sessions.digest import differing
from core.sessions.votes import HOST
from sim import World
from sim.links.each import EachNetwork
from tests.sim.faults.faulty import (
    PIECE_SECONDS,
    WORKING_SECONDS,
    host,
    on,
    right,
    sessions,
    slots,
    wide,
    worker,
    working,
)
from tests.sim.worlds import noted

# -- functions -----------------------------------------------------------------------------


def test_all_that_is_called_on_a_broken_node_raises_until_it_heals(replicas: str) -> None:
    world = working(wide(replicas))
    log, node = noted(world), worker(world, "0-1")
    assert world.do(f"break node {node}") == [node]
    on(world, PIECE_SECONDS)
    failed = [message for _, _, message in log if type(message) is m.Failed]
    assert failed
    assert {message.node for message in failed} == {node}
    assert {*world.faults.network.work.broken} == {node}
    world.do("heal")
    assert not world.faults.network.work.broken


def test_what_hangs_never_ends(replicas: str) -> None:
    world = on(wide(replicas), 0.01)
    assert world.do("hang nodes 1-24") == [*range(1, 25)]
    on(world, WORKING_SECONDS)
    assert world.session("0").model.slots.inputs is not None  # of the submitter, which does not
    assert all(slots(world, name).inputs is None for name in sessions(world) if name != "0")
    world.do("heal")  # what hangs goes on hanging, but others are asked, too
    right(world)


# -- replicas that are corrupted -----------------------------------------------------------


def test_a_corrupted_replica_is_named_and_repaired() -> None:
    world = working(wide("each"))
    node = worker(world, "0-1")
    assert world.do(f"diverge 0-1 on node {node}") == [node]
    mended(world, node)
    assert right(world).repeated == 0


def test_a_corrupted_host_is_named_and_repaired() -> None:
    world = working(wide("each"))
    assert world.do("diverge 0-1") == [host(world, "0-1")]
    mended(world, HOST)
    assert right(world).repeated == 0


def mended(world: World, node: Node) -> None:
    on(world, PIECE_SECONDS + 1.0)
    assert {(d.session, d.node) for d in world.record.divergences} == {("0-1", node)}
    assert isinstance(world.network, EachNetwork)
    reflector = world.session("0-1")
    for member in reflector.members:
        state = world.network.replicas[reflector, member].state
        assert differing(state.snapshot(), reflector.state.snapshot()) == []


def test_nobody_has_a_replica_of_its_own_where_they_are_shared() -> None:
    world = working(wide("shared"))
    assert world.do(f"diverge 0-1 on node {worker(world, '0-1')}") == []
