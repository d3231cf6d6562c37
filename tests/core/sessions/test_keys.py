"""Who has the key of a session, and what it opens, on one host and down a tree."""

from __future__ import annotations

import pytest

from core import Shape
from core import messages as m
from core.messages import Node, Place
from core.sessions.roles import child_key, seal
from tests.core.harness import ROOT_KEY, SUBMITTER, Net
from tests.core.sessions.setup import (
    DEEP,
    HOLDER,
    INTERIOR,
    KEY,
    LEADER,
    OF_OTHER_PROCESS,
    OTHER,
    STRANGER,
    WIDE,
    Setup,
    open_child,
)

# -- arrivals and keys ---------------------------------------------------------------------


MINE = OF_OTHER_PROCESS  # a node of the host's own process


@pytest.mark.parametrize("session", ["0", "0-7"])  # that is open here, and that is not
@pytest.mark.parametrize(
    ("node", "arriving", "observes", "offends"),
    [
        (7, 7, False, False),
        (7, 8, False, True),
        (7, 7, True, True),
        (MINE, MINE, True, False),
        (MINE, MINE + 1, False, True),
    ],
)
def test_who_arrives_does_so_for_itself_and_observes_on_its_own_host_only(
    session: str, node: Node, arriving: Node, observes: bool, offends: bool
) -> None:
    setup = Setup(WIDE)
    arrival = m.Arrive(arriving, arriving, None, None, observes)
    setup.host.receive(node, node, session, arrival)
    assert setup.carrier.offences == ([(node, arrival)] if offends else [])
    waiting = [one.node for _, one in setup.host.waiting.get(session, {}).values()]
    assert (arriving in setup.reflector.members or arriving in waiting) == (not offends)


def test_a_key_is_taken_from_nodes_of_the_hosts_own_process() -> None:
    setup = Setup(INTERIOR)
    before = dict(setup.host.keys)
    for node in (LEADER, HOLDER, STRANGER - 60):
        setup.give_key(node, b"another")
    assert setup.host.keys == before
    assert len(setup.carrier.offences) == 3
    setup.give_key(MINE, b"another")
    assert setup.host.key(MINE, Place("0-1", (0, 0))) == b"another"
    assert setup.host.key(MINE, Place("0-1-2", (0, 0, 0))) == child_key(b"another", 2)
    assert setup.host.key(STRANGER, Place("0-1", (0, 0))) == b""  # another was given it
    setup.host.receive(MINE, MINE, "0", m.Key("0", b"another"))
    assert setup.host.key(MINE, Place("0", (0,))) == KEY  # the root's is its own


def test_a_session_with_a_key_is_opened_anew_by_who_has_it() -> None:
    setup = Setup(INTERIOR)
    other = MINE + 1
    setup.give_key(other, child_key(KEY, 1))
    here = setup.open_child(other, (5, 1))
    assert here.key == child_key(KEY, 1)
    for key in (None, b"", b"another"):
        if key is not None:
            setup.give_key(MINE, key)
        assert setup.open_child(MINE, (1000, 2**40)) is here
        assert not here.closed
    setup.give_key(MINE, here.key)
    assert setup.open_child(MINE, (1000, 2**40)).state.epoch == (1000, 2**40)
    assert here.closed
    assert not setup.carrier.offences


def test_whoever_has_a_key_of_a_root_that_was_opened_anew_opens_what_is_open_since_before() -> None:
    setup = Setup(INTERIOR)
    other = MINE + 1
    setup.give_key(other, child_key(KEY, 1))
    here = setup.open_child(other, (5, 1))
    setup.host.unlock()
    new = child_key(b"of another root", 1)
    setup.give_key(MINE, new)
    assert setup.open_child(MINE, (1000, 1)).key == new
    assert here.closed
    reopened = setup.open_child(other, (2000, 1))  # it has the key before
    assert reopened.state.epoch == (1000, 1)


@pytest.mark.parametrize("told", ["0-1", "0-1-2"])
@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("right", [False, True])
def test_what_a_node_here_is_told_of_a_session_counts_by_its_key(
    told: str, opened: bool, right: bool
) -> None:
    setup, other, plan = Setup(INTERIOR), MINE + 1, DEEP.child(1).plain()
    opening, facts = open_child(other, (5, 1), plan=plan), {0: ("out", 0.1)}
    key = child_key(KEY, 1)
    setup.give_key(other, key)
    if opened:
        setup.host.open(other, opening)
    setup.give_key(MINE, key if right else b"another")
    del setup.host.reflectors["0"]  # it is elsewhere
    setup.host.receive(MINE, MINE, told, m.Backup(told, facts))
    if not opened:
        assert not setup.host.backups.facts
        setup.host.open(other, opening)
    known = {s: r.model.facts() for s, r in setup.host.reflectors.items() if r.model.facts()}
    known |= setup.host.backups.facts
    assert known == ({told: facts} if right else {})
    assert not setup.host.backups.claimed


@pytest.mark.parametrize(
    ("node", "opening", "opened", "offends"),
    [
        (HOLDER, open_child(HOLDER, (5, 1)), True, False),
        (HOLDER, open_child(HOLDER, (5, 2)), False, True),  # newer than it was given
        (HOLDER, open_child(HOLDER, (4, 9)), False, False),  # of before
        (HOLDER, open_child(HOLDER, (5, 1), again=True), False, True),
        (HOLDER, open_child(HOLDER, (5, 1), plan=INTERIOR.child(0).plain()), False, True),
        (HOLDER, open_child(HOLDER, (5, 1), place=Place("0-1", (0, 8))), False, True),
        (HOLDER, open_child(HOLDER, (5, 1), place=Place("0", (0,))), False, True),
        (OTHER, open_child(OTHER, (5, 1)), False, True),
        (STRANGER, open_child(STRANGER, (5, 1)), True, False),  # of the host's own process
    ],
)
def test_a_session_is_opened_by_who_holds_it(
    node: Node, opening: m.Open, opened: bool, offends: bool
) -> None:
    setup = Setup(INTERIOR)
    setup.host.receive(node, node, opening.place.session, opening)
    assert ("0-1" in setup.host.reflectors) == opened
    assert bool(setup.carrier.offences) == offends


@pytest.mark.parametrize(
    ("node", "session", "kept"),
    [(HOLDER, "0-1", True), (HOLDER, "0-1-2", True), (OTHER, "0-1", False), (HOLDER, "0-2", False)],
)
def test_facts_are_kept_for_who_holds_what_they_are_about(
    node: Node, session: str, kept: bool
) -> None:
    setup = Setup(INTERIOR)
    setup.say(node, m.Backup(session, {0: ("out", 0.1)}))
    assert (session in setup.host.backups.facts) == kept
    assert not setup.carrier.offences
    assert setup.say(node, m.Backup("7", {0: ("out", 0.1)})) == "offence"


# -- keys go down the tree -----------------------------------------------------------------


def key_of(session: str, key: bytes) -> bytes:
    for child in session.split("-")[1:]:
        key = child_key(key, int(child))
    return key


@pytest.mark.parametrize("listening", [True, False])
def test_every_host_has_the_keys_of_the_sessions_that_it_opens(listening: bool) -> None:
    net = Net(Shape.root(8, 2))
    net.submit()
    for node in range(1, 9):
        net.arrive(node, listens=listening or node % 2 == 0)
        net.settle({"compute", "prepare", "collect"})
    found = {reflector.session: reflector for reflector in net.open_reflectors()}
    assert len(found) == 7
    for session, reflector in found.items():
        assert reflector.key == key_of(session, ROOT_KEY) != b""
        for node in reflector.members:
            replica = net.processes[node].replicas[reflector]
            assert replica.seal == seal(reflector.key, reflector.state.epoch, node)
    assert net.processes[SUBMITTER].host is not None
    assert not net.offences


def test_who_opens_a_session_leads_it_even_if_it_had_arrived_before() -> None:
    setup = Setup(INTERIOR)
    setup.reflector.lose(HOLDER)
    setup.arrive(HOLDER)  # is given slot 1 a second time: (5, 2)
    host, arrival = setup.host, m.Arrive(HOLDER, None, None)
    host.receive(HOLDER, HOLDER, "0-1", open_child(HOLDER, (5, 1)))  # late: passed over
    host.receive(HOLDER, HOLDER, "0-1", arrival)
    host.receive(8, 8, "0-1", m.Arrive(8, 8, None))  # a team that helps
    host.receive(HOLDER, HOLDER, "0-1", open_child(HOLDER, (5, 2)))
    host.receive(HOLDER, HOLDER, "0-1", arrival)
    assert host.reflectors["0-1"].state.leader == HOLDER
