"""What goes wrong does so as it is told, and the answer stays right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from core import messages as m
from core.messages import Node
from core.sessions.digest import differing
from core.sessions.votes import HOST
from plugins.console import telling
from sim import World
from sim.command import summary
from sim.faults import actions as a
from sim.faults import script
from sim.links.each import EachNetwork
from tests.processes import printed
from tests.sim.faults.faulty import (
    HEARTBEAT_SECONDS,
    HOP_SECONDS,
    NOTICED_SECONDS,
    PIECE_SECONDS,
    WORKING_SECONDS,
    Job,
    Traffic,
    deep,
    done,
    held,
    host,
    joined,
    left,
    noticed,
    on,
    ordered,
    people,
    right,
    sessions,
    slots,
    wide,
    worker,
    working,
)

SEEDS = """
import sys
from sim import World
for seed in range(4):
    world = World(nodes=12, partitions=30, fanout=4, delay=1.0, seed=seed, faults="heavy",
                  replicas=("shared", "each")[seed % 2])
    print(world.run(until=200).digest)
"""


@pytest.fixture(params=["shared", "each"])
def replicas(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# -- crashes and restarts ------------------------------------------------------------------


def test_a_crash_is_noticed_at_once(replicas: str) -> None:
    world = working(wide(replicas))
    node = worker(world, "0-1")
    assert world.do(f"crash node {node}") == [node]
    on(world, HOP_SECONDS)
    assert node not in people(world, "0-1")
    right(world)


def test_a_silent_crash_is_noticed_after_the_heartbeat_limit(replicas: str) -> None:
    world = working(wide(replicas))
    node, log = worker(world, "0-1"), ordered(world)
    crashed = world.clock.now
    assert world.do(f"crash node {node} silently") == [node]
    right(world)
    (noticed,) = left(log, node)
    assert HEARTBEAT_SECONDS <= noticed - crashed <= NOTICED_SECONDS


def test_who_restarts_as_a_newcomer_has_nothing_from_before(replicas: str) -> None:
    world = working(wide(replicas))
    node, log = worker(world, "0-1"), ordered(world)
    world.do(f"crash node {node}")
    on(world, 1.0)
    assert world.do(f"restart node {node}") == [node]
    right(world)
    again = joined(log, node)[0]
    assert (again.about, again.claims) == (None, ())


def test_who_restarts_with_memory_goes_on_with_what_it_held(replicas: str) -> None:
    world = working(wide(replicas))
    node, log = worker(world, "0-1"), ordered(world)
    (slot,) = held(world, "0-1", node)
    world.do(f"crash node {node}")
    on(world, 1.0)
    assert world.do(f"restart node {node} with memory") == [node]
    right(world)
    again = joined(log, node)[0]
    assert again.about == PIECE_SECONDS
    assert again.claims == (slot,)
    assert world.work.job.compute.__self__.computed.count(16 + slot) == 1  # type: ignore[attr-defined]


def test_a_restart_concerns_only_who_crashed(replicas: str) -> None:
    world = working(wide(replicas))
    assert world.do("restart nodes 0-24") == []
    world.do("crash nodes 3-5")
    assert world.do("crash nodes 4-6") == [6]
    assert world.do("restart nodes 0-24") == [3, 4, 5, 6]
    assert world.do("restart nodes 0-24") == []
    assert right(world).crashed == 4


def test_a_share_of_those_who_crashed_restarts(replicas: str) -> None:
    world = working(wide(replicas))
    world.do("crash nodes 1-10")
    back = world.do("restart 50 % of the nodes")
    assert len(back) == 5
    assert set(back) < set(range(1, 11))
    right(world)


@pytest.mark.parametrize("silently", ["", " silently"])
@pytest.mark.parametrize("memory", ["", " with memory"])
@pytest.mark.parametrize("away_seconds", [0.3, 3.0, 20.0])
def test_the_submitter_comes_back(
    replicas: str, memory: str, silently: str, away_seconds: float
) -> None:
    """Those who are there know the rest: nothing is computed again, with a store or without."""
    world = working(wide(replicas))
    assert world.do(f"crash node 0{silently}") == [0]
    on(world, away_seconds)
    assert world.do(f"restart node 0{memory}") == [0]
    assert right(world).repeated == 0


@pytest.mark.parametrize("memory", [True, False])
def test_only_the_store_survives_when_all_are_lost(replicas: str, memory: bool) -> None:
    """Nobody else listens, so the submitter hosts every session, and stores it."""
    world = working(wide(replicas, listening=0.0, faults=()))
    accepted = world.record.accepted
    assert accepted > 10
    world.do(a.Crash(a.Nodes(tuple(range(25)))))
    on(world, 10.0)
    world.do(a.Restart(a.Nodes((0,)), memory))
    on(world, 1.0)
    world.do("restart nodes 1-24")
    assert right(world).repeated == (0 if memory else accepted)


# -- many at once --------------------------------------------------------------------------


@pytest.mark.parametrize("silently", ["", " silently"])
@pytest.mark.parametrize("build", [wide, deep])
def test_half_of_all_are_lost_at_once(
    replicas: str, build: Callable[..., World], silently: str
) -> None:
    world = working(build(replicas))
    assert len(world.do(f"crash 50 % of the nodes{silently}")) == 12
    right(world)


@pytest.mark.parametrize("silently", ["", " silently"])
@pytest.mark.parametrize("session", ["0-1", "0-1-1"])
def test_everyone_in_a_session_is_lost(replicas: str, session: str, silently: str) -> None:
    world = working(deep(replicas))
    everyone = sorted(people(world, session))
    assert world.do(f"crash everyone in {session}{silently}") == everyone
    right(world)


def test_everyone_in_the_root_is_everyone_but_the_submitter(replicas: str) -> None:
    world = working(deep(replicas))
    assert set(world.do("crash everyone in 0")) == set(people(world, "0")) - {0}
    right(world)


def test_a_subtree_is_a_session_with_those_below_it(replicas: str) -> None:
    world = working(deep(replicas))
    below = [s for s in sessions(world) if f"{s}-".startswith("0-1-")]
    everyone = sorted({node for s in below for node in people(world, s)})
    assert len(below) == 5
    assert world.do("kill the subtree of 0-1") == everyone
    right(world)


@pytest.mark.parametrize("silently", [False, True])
def test_hosts_of_several_levels_are_lost_at_once(replicas: str, silently: bool) -> None:
    world = working(deep(replicas))
    hosts = {host(world, session) for session in sessions(world)} - {0}
    assert len(hosts) == 16
    assert len([s for s in sessions(world) if host(world, s) == host(world, "0-1")]) == 2
    world.do(a.Crash(a.Nodes(tuple(sorted(hosts))), silently))
    assert right(world).crashed == 16


def test_the_host_and_the_leader_of_a_session(replicas: str) -> None:
    world = working(deep(replicas))
    assert world.do("slow the leader of 0-1 by 1") == [world.session("0-1").state.leader]
    address = host(world, "0-1")
    assert world.do("crash the host of 0-1") == [address]
    on(world, 1.0)
    assert world.do("crash the host of 0-1") not in ([], [address])
    right(world)


def test_one_after_the_other_hosts_a_session_and_is_lost(replicas: str) -> None:
    world = working(deep(replicas))
    lost = []
    for _ in range(5):
        lost += world.do("crash the host of 0-1")
        on(world, 1.0)
    assert len(set(lost)) == 5
    right(world)


def test_an_old_replica_comes_back(replicas: str) -> None:
    """What was accepted while its owner was away is not lost; it computes one in vain at most."""
    world = working(wide(replicas))
    node = host(world, "0-1")
    known = done(world, "0-1")
    world.do(f"crash node {node}")
    on(world, 4.0)
    assert host(world, "0-1") != node
    assert known < done(world, "0-1")
    world.do(f"restart node {node} with memory")
    on(world, 1.0)
    assert known < done(world, "0-1")
    assert right(world).repeated <= 1


# -- partitions ----------------------------------------------------------------------------


def test_a_partition_that_heals_in_time_loses_nothing(replicas: str) -> None:
    world = working(wide(replicas))
    undisturbed = right(working(wide(replicas)))
    log, losses = ordered(world), noticed(world)
    node = worker(world, "0-1")
    assert world.do(f"partition node {node}") == [node]
    on(world, HEARTBEAT_SECONDS - HOP_SECONDS)
    assert not [message for _, _, message in log if getattr(message, "node", None) == node]
    assert world.do("heal") == []
    report = right(world)
    assert losses == []
    assert left(log, node) == []
    assert report.repeated == 0
    assert report.finished_seconds is not None
    assert undisturbed.finished_seconds is not None
    assert report.finished_seconds <= undisturbed.finished_seconds + HEARTBEAT_SECONDS


def test_a_partition_beyond_the_limit_is_noticed_at_both_ends(replicas: str) -> None:
    world = working(wide(replicas))
    losses, node, began = noticed(world), worker(world, "0-1"), world.clock.now
    world.do(f"partition node {node}")
    on(world, NOTICED_SECONDS)
    far = host(world, "0-1")
    assert {(node, far), (far, node)} <= {ends for _, ends in losses}
    for at, _ in losses:
        assert HEARTBEAT_SECONDS <= at - began <= NOTICED_SECONDS
    assert node not in people(world, "0-1")
    world.do("heal")
    right(world)


def test_who_is_not_heard_still_hears(replicas: str) -> None:
    world = working(wide(replicas))
    node, far = worker(world, "0-1"), host(world, "0-1")
    on(world, 1.9)
    assert world.do(f"partition node {node} one-way") == [node]
    traffic = Traffic(world)
    world.network.send(world.network.chain(node)[-1], world.session("0-1").place, m.Leave())
    on(world, HEARTBEAT_SECONDS - HOP_SECONDS)
    assert traffic.arrived[node, far] == []
    assert len(traffic.arrived[far, node]) == len(traffic.sent[far, node])
    world.do("heal")
    right(world)


def test_a_partition_between_two_groups_leaves_the_rest_alone(replicas: str) -> None:
    world = working(wide(replicas))
    losses, one, other = noticed(world), sorted(people(world, "0-1")), sorted(people(world, "0-2"))
    assert world.do("partition everyone in 0-1 from everyone in 0-2") == one
    right(world)
    assert not [ends for _, ends in losses if ends[0] in other and ends[1] not in one]


def test_two_leaders_of_a_session_become_one_when_a_split_heals(replicas: str) -> None:
    """A team that is cut off works on, and its slot is given away; then it is sent over."""
    world = working(wide(replicas))
    log, team, older = ordered(world), people(world, "0-1"), host(world, "0-1")
    world.do("partition everyone in 0-1")
    on(world, 7.0)  # in which others have nothing left to do
    newer = host(world, "0-1")
    assert newer not in team
    assert "0-1" in world.network.hosts[older].reflectors
    world.do("heal")
    healed, place = world.clock.now, m.Place("0-1", (0, newer))
    right(world)
    over = [message for _, _, message in log if message == m.Moved(older, place)]
    assert len(over) == 1
    came = {j.node for at, s, j in log if type(j) is m.Joined and s == "0-1" and at > healed}
    assert came
    assert came <= set(team)


def test_healing_ends_flapping_also_while_nobody_is_cut_off(replicas: str) -> None:
    world = working(wide(replicas))
    world.do("flap node 18 every 1 s for 5 times")
    on(world, 1.5)
    world.do("heal")
    for _ in range(4):
        on(world, 0.5)
        assert not world.faults.links.active
    assert right(world).repeated == 0


@pytest.mark.parametrize("every", [HEARTBEAT_SECONDS / 2, 2 * HEARTBEAT_SECONDS])
def test_who_flaps_is_cut_off_again_and_again(replicas: str, every: float) -> None:
    world = on(wide(replicas, job=Job(20.0)), WORKING_SECONDS)
    losses, node = noticed(world), worker(world, "0-1")
    cut = []
    assert world.do(f"flap node {node} every {every} s for 2 times") == [node]
    for _ in range(6):
        on(world, every / 2)
        cut.append(world.faults.links.active)
        on(world, every / 2)
    assert cut == [True, False, True, False, False, False]
    right(world)
    assert bool(losses) == (every > HEARTBEAT_SECONDS)


# -- what happens when a session is to be opened, or a function called ---------------------


def test_who_crashes_before_its_next_session_opens_none(replicas: str) -> None:
    world = on(deep(replicas), 0.01)
    assert world.do("crash nodes 1-3 before its next session") == [1, 2, 3]
    on(world, WORKING_SECONDS)
    down = set(world.faults.crashed)
    assert down
    assert down <= {1, 2, 3}
    assert not {host(world, session) for session in sessions(world)} & down
    right(world)


def test_who_wakes_opens_the_session_before_which_it_crashed(replicas: str) -> None:
    world = on(deep(replicas), 0.01)
    world.do("crash node 1 before its next session")
    on(world, 1.0)
    assert [*world.faults.crashed] == [1]
    assert world.do("restart node 1 with memory") == [1]
    on(world, 1.0)
    assert 1 in {host(world, session) for session in sessions(world)}
    right(world)


def test_all_that_is_called_on_a_broken_node_raises_until_it_heals(replicas: str) -> None:
    world = working(wide(replicas))
    log, node = ordered(world), worker(world, "0-1")
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


def test_who_begins_again_hears_nothing_of_what_waited_at_its_host_before() -> None:
    world = World(nodes=1, arrival_rate=0.01, latency=0.1, service_time=2.0, faults=())
    log = ordered(world)
    on(world, 1.0)
    world.do("crash node 0")  # its own first messages wait in its queue
    world.do("restart node 0")
    on(world, 20.0)
    assert [type(message) for _, _, message in log] == [m.Joined, m.Given, m.Prepared]


# -- slowness and losses -------------------------------------------------------------------


def test_all_that_a_slow_node_does_is_slow(replicas: str) -> None:
    world = on(wide(replicas, latency=0.05), 0.01)
    assert world.do("slow node 18 by 3") == [18]
    log, traffic = ordered(world), Traffic(world)
    right(world)
    pieces = [f for _, _, f in log if type(f) is m.Finished and f.seconds]
    assert {f.seconds for f in pieces if f.node == 18} == {3 * PIECE_SECONDS}
    assert {f.seconds for f in pieces if f.node != 18} == {PIECE_SECONDS}
    for pair, ticks in traffic.ticks.items():
        assert ticks == ({0} if pair[0] == pair[1] else {150 if 18 in pair else 50})


def test_a_slow_link_slows_nobody_else(replicas: str) -> None:
    world = working(wide(replicas, latency=0.05))
    node, far = worker(world, "0-1"), host(world, "0-1")
    assert world.do(f"slow the link of nodes {far} and {node} by 10") == [far, node]
    traffic = Traffic(world)
    on(world, PIECE_SECONDS + 1.0)
    assert traffic.between(node, far) == {500}
    for other in set(people(world, "0-1")) - {node, far}:
        assert traffic.between(other, far) == {50}
    world.do("heal")
    assert right(world).repeated == 0


def test_what_is_held_is_late_and_keeps_its_order(replicas: str) -> None:
    world = on(wide(replicas, latency=0.05), 0.01)
    world.do("hold 30 % of the messages for 0.5 s")
    losses, traffic = noticed(world), Traffic(world)
    assert right(world).repeated == 0
    until_all_is_said(world)
    assert losses == []
    assert traffic.in_order
    for pair, sent in traffic.sent.items():
        assert traffic.arrived[pair] == sent
    assert {50, 550} < set().union(*traffic.ticks.values())


def test_what_is_dropped_takes_its_connection_with_it(replicas: str) -> None:
    world = working(wide(replicas))
    node, far = worker(world, "0-1"), host(world, "0-1")
    losses, log = noticed(world), ordered(world)
    assert world.do("drop 100 % of the messages") == []
    on(world, PIECE_SECONDS)  # in which the node is done with its piece
    assert world.do("drop 0 % of the messages") == []
    right(world)
    assert {(node, far), (far, node)} <= {ends for _, ends in losses}
    assert len(left(log, node)) == 1


def test_losses_now_and_then(replicas: str) -> None:
    world = on(wide(replicas), 0.01)
    world.do("drop 5 % of the messages")
    losses, traffic = noticed(world), Traffic(world)
    right(world)
    assert len(losses) > 10
    assert traffic.in_order


def test_every_publication_comes_twice(replicas: str) -> None:
    world = on(wide(replicas), 0.01)
    assert world.do("duplicate 100 % of the publications") == []
    traffic = Traffic(world)
    right(world)
    until_all_is_said(world)
    for (sender, receiver), sent in traffic.sent.items():
        arrived = traffic.arrived[sender, receiver]
        for what in sent:
            times = 2 if isinstance(what, m.Message) and sender != receiver else 1
            assert len([other for other in arrived if other is what]) == times


def until_all_is_said(world: World) -> None:
    world.clock.stopped = False
    on(world, 5.0)


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


# -- whatever happens ----------------------------------------------------------------------


def test_what_is_done_now_happens_now(replicas: str) -> None:
    world = wide(replicas)
    world.run(until=WORKING_SECONDS + 1.0)  # between two pieces nothing happens
    node, log = worker(world, "0-1"), ordered(world)
    world.do(f"crash node {node} silently")
    right(world)
    (noticed,) = left(log, node)
    assert noticed >= WORKING_SECONDS + 1.0 + HEARTBEAT_SECONDS


@pytest.mark.parametrize("build", [wide, deep])
def test_asking_for_the_faults_changes_nothing(replicas: str, build: Callable[..., World]) -> None:
    untouched, asked = build(replicas), build(replicas)
    assert not asked.faults.links.active
    assert right(untouched).digest == right(asked).digest


@pytest.mark.parametrize("seed", range(4))
def test_nothing_overtakes_anything(replicas: str, seed: int) -> None:
    world = World(nodes=12, partitions=40, fanout=4, replicas=replicas, seed=seed, faults="heavy")
    traffic = Traffic(world)
    world.run(until=120.0)
    assert traffic.in_order


def test_the_same_faults_from_the_same_seed_in_every_process() -> None:
    (digests,) = printed(SEEDS, "1", "2")
    assert len(set(digests.split())) == 4


@pytest.mark.parametrize("silently", ["", " silently"])
@pytest.mark.parametrize("nodes", ["node 0", "nodes 0-24"])
def test_a_run_without_its_submitter_ends(replicas: str, nodes: str, silently: str) -> None:
    world = working(wide(replicas))
    world.do(f"crash {nodes}{silently}")
    report = summary.with_cause(world.run())
    assert (report.result, report.finished_seconds) == (None, None)
    assert report.failure
    line = telling.failure_line(report.failure)
    assert line.startswith("the submitter crashed and was not restarted: ")
    assert f"{report.accepted} of 64 partitions were accepted" in line


def test_a_run_without_anybody_but_its_submitter_ends(replicas: str) -> None:
    world = working(wide(replicas))
    world.do("crash nodes 1-24")
    report = summary.with_cause(world.run())
    assert report.failure
    line = telling.failure_line(report.failure)
    assert f"{report.accepted} of 64 partitions were accepted" in line
    assert "24 crashes" in line
    world.do("restart node 5")
    right(world)


NOBODY = [
    "crash the host of 0-9",
    "crash the leader of 0-9",
    "kill everyone in 0-9",
    "kill the subtree of 0-9",
    "crash node 99",
    "crash 0 % of the nodes",
    "restart nodes 0-99",
    "restart 100 % of the nodes",
    "partition node 99",
    "slow node 99 by 2",
    "flap node 99 every 1 s for 3 times",
    "diverge 0-9",
    "diverge 0-1 on node 99",
    "drop 0 % of the messages",
    "duplicate 0 % of the publications",
    "hold 0 % of the messages for 1 s",
    "heal",
]


@pytest.mark.parametrize("action", NOBODY)
def test_what_concerns_nobody_changes_nothing(action: str) -> None:
    world, undisturbed = working(wide("shared")), wide("shared")
    assert world.do(action) == []
    assert right(world).digest == right(undisturbed).digest


# -- what is told of them ------------------------------------------------------------------


def test_the_report_tells_which_faults_concerned_nobody_and_which_came_too_late() -> None:
    text = "at 1 crash node 3\nat 2 crash the host of 0-99\nat 3 heal\nat 1000 crash node 4"
    report = World(nodes=30, faults=script.read(text)).run()
    assert report.faults == 3
    assert report.faults_in_vain == ["at 2 crash the host of 0-99"]
    assert report.faults_left == 1


def test_messages_are_counted_when_they_are_delivered() -> None:
    quiet = World(nodes=30, faults=()).run()
    later = World(nodes=30, faults=script.read("at 1000 crash node 4")).run()
    assert quiet.messages == later.messages > 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("crsh node 3", "'crsh' is wrong; the verbs are crash"),
        ("", "the verbs are crash"),
        ("at 3 crash node 3", "it is to happen now: leave the time out"),
        (None, "None is no fault; write one, such as 'crash node 3'"),
    ],
)
def test_words_that_say_nothing_are_answered_in_one_line(words: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as error:
        World(nodes=3).do(words)
    assert "\n" not in str(error.value)
    assert "line 1" not in str(error.value)


@pytest.mark.parametrize("faults", [3, ["at 3 crash node 2"]])
def test_faults_that_are_none_are_refused(faults: Any) -> None:
    with pytest.raises(ValueError, match="faults must be 'light', 'heavy', the path of a file"):
        World(nodes=3, faults=faults)
