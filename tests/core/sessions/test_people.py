"""A session around a model that knows nothing of slots: a board on which everyone writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.sessions import Model, Room, Session
from core.sessions import messages as m
from core.sessions.digest import differing, digest
from core.sessions.messages import Address, Facts, Node, Value
from core.sessions.model import Handler, People
from core.sessions.people import Told
from tests.core.events import Event, Played, histories
from tests.wired import wired

THERE = m.Place("0-1", (0, 5))


@attrs.frozen
class Written:
    """Participant, when it has something to write at that line."""

    node: Node
    line: int
    text: str


@attrs.frozen
class Read:
    """To the leader: read out all lines."""

    lines: int


@attrs.frozen
class Hurry:
    """To a participant: somebody waits."""


class Board(Model):
    """Lines by number, of which the first that was written counts, and who is there to write."""

    __slots__ = ("lines", "title", "writers")

    def __init__(self, plan: Value, people: People) -> None:
        super().__init__(plan, people, Room(), children=plan["children"])
        self.lines: dict[int, str] = {}
        self.title: Value = None
        self.writers: list[tuple[Node, Value]] = []

    def joined(self, node: Node, about: Value, claims: tuple[int, ...], now: float) -> None:
        self.writers.append((node, about))
        for line in claims:
            self._add(line, f"{node} at {now}")

    def left(self, node: Node, now: float) -> None:
        self.writers = [entry for entry in self.writers if entry[0] != node]

    def direct_leader(self, now: float) -> None:
        assert self.people.leader is not None
        self.people.tell(self.people.leader, Read(len(self.lines)))

    def late(self, now: float) -> None:
        for node, _ in self.writers:
            self.people.tell(node, Hurry())

    def _written(self, written: Written, now: float) -> None:
        self._add(written.line, written.text)

    def _add(self, line: int, text: str) -> None:
        if line not in self.lines:
            self.lines[line] = text
            self.people.note([line])

    def facts(self, numbers: Iterable[int] | None = None) -> Facts:
        chosen = self.lines if numbers is None else numbers
        return {line: self.lines[line] for line in chosen if line in self.lines}

    def context(self) -> Value:
        return self.title

    def merge(self, facts: Facts, context: Value, now: float) -> None:
        self.title = context if self.title is None else self.title
        self.lines = {**facts, **self.lines}
        self.people.note()

    def plain(self) -> dict[str, Value]:
        return {
            "lines": [list(entry) for entry in self.lines.items()],
            "title": self.title,
            "writers": [list(entry) for entry in self.writers],
        }

    def load(self, plain: dict[str, Value]) -> None:
        self.lines, self.title = dict(plain["lines"]), plain["title"]
        self.writers = [(node, about) for node, about in plain["writers"]]

    handles: ClassVar[dict[type, Handler]] = {Written: _written}


def board(children: int = 0) -> Session:
    return Session("0", (1, 2), Board, {"children": children})


def joined(
    node: Node, address: Address | None = None, observes: bool = False, about: Value = None
) -> m.Joined:
    return m.Joined(node, address, about, (), observes)


def with_people(*nodes: Node, children: int = 0, address: Address | None = None) -> Session:
    state = board(children)
    for node in nodes:
        state.apply(0.0, joined(node, address))
    return state


KINDS = (  # as often as they stand here
    *("join",) * 6,
    *("write",) * 6,
    *("leave",) * 4,
    *("observe", "restored", "late", "stranger"),
    *("moved", "moved by another", "ended"),
)
events = histories(KINDS, 40)


class Story(Played):
    """A session to which things happen, and what is to be seen of them."""

    def __init__(self, children: int) -> None:
        self.children = children
        self.state = board(children)
        self.people: dict[Node, tuple[Address | None, bool]] = {}  # and whether it observes
        self.lines: dict[int, str] = {}
        self.moved = False
        self.ended: m.Ended | None = None
        self.newest = 0
        self.log: list[tuple[float, Any]] = []
        self.told: Told = []

    def happen(self, event: Event) -> None:
        kind, a, b = event
        nodes = list(self.people)
        node = nodes[a % len(nodes)] if nodes else 0
        match KINDS[kind]:
            case "join" | "observe" if not self.moved:
                self.newest += 1
                address, observes = (None, 7, 7, 8)[b % 4], KINDS[kind] == "observe"
                self.people[self.newest] = address, observes
                claims = (b,) if b % 5 == 0 else ()
                self.order(m.Joined(self.newest, address, a, claims, observes))
                for line in () if observes else claims:
                    self.lines.setdefault(line, f"{self.newest} at {self.log[-1][0]}")
            case "leave" if nodes:
                del self.people[node]
                self.order(m.Left(node))
            case "stranger":
                self.order(m.Left(1000 + a))
            case "write" if nodes:
                self.lines.setdefault(b % 9, f"line {a}")
                self.order(Written(node, b % 9, f"line {a}"))
            case "restored":
                facts = {line: f"known {a}" for line in range(9) if (line + b) % 4 == 0}
                self.lines = {**facts, **self.lines}
                self.order(m.Restored(facts, ["title", a]))
            case "late":
                self.order(m.Late())
            case "moved" if nodes and b % 3 == 0:
                self.people, self.moved = {}, True
                self.order(m.Moved(nodes[0], THERE))
            case "moved by another" if node != next(iter(nodes), None):
                self.order(m.Moved(node, m.Place("0-9", (0,))))
            case "ended":
                ended = m.Ended(["result", a], {"error": b} if b % 2 else None)
                if self.state.moved is None:  # else nobody is there any more
                    self.ended = self.ended or ended
                self.order(ended)

    def order(self, message: Any) -> None:
        self.log.append((len(self.log) / 4, message))
        self.told = list(self.state.apply(*self.log[-1]))

    def check(self) -> None:
        state, model = self.state, self.state.model
        assert state.seq == len(self.log)
        assert list(state.people) == list(self.people)
        assert state.leader == next(iter(self.people), None)
        observers = [node for node, (_, observes) in self.people.items() if observes]
        assert list(state.observers) == observers
        assert state.workers == len(self.people) - len(observers)
        addresses = {node: address for node, (address, _) in self.people.items()}
        assert state.addresses == (addresses if self.children else {})
        assert state.moved == (THERE if self.moved else None)
        assert state.ended == self.ended
        assert model.lines == self.lines
        if not self.moved:
            assert [node for node, _ in model.writers] == [
                node for node in self.people if node not in observers
            ]

    def check_told(self, before: list[Node], ended: bool) -> None:
        """`before`: who was there; `ended`: whether all was over already."""
        _, message = self.log[-1]
        for node, command in self.told:
            match command:
                case m.Go():
                    assert isinstance(message, m.Moved)
                case m.Stop():
                    assert isinstance(message, m.Ended)
                case m.TakeOver() | Read() | m.Keep():
                    assert node == self.state.leader
                case Hurry():
                    assert isinstance(message, m.Late)
        told = [node for node, command in self.told if isinstance(command, m.TakeOver)]
        first = next(iter(self.people), None)
        assert told == ([first] if first != next(iter(before), None) and first is not None else [])
        if isinstance(message, m.Ended):
            told = [node for node, command in self.told if command == m.Stop(message)]
            assert told == ([] if ended else before)
        if isinstance(message, m.Moved) and message.place == THERE:
            assert self.told == [(node, m.Go(THERE)) for node in before[1:]]

    def together(self) -> bool:
        """Whether all people of a session with children are in one process."""
        addresses = {address for address, _ in self.people.values()}
        return self.children > 0 and len(addresses) == 1 and None not in addresses


# -- whatever happens ----------------------------------------------------------------------


@settings(max_examples=400)
@given(st.sampled_from([0, 3]), events)
def test_the_people_are_who_joined_and_did_not_leave_and_the_first_of_them_leads(
    children: int, events: list[Event]
) -> None:
    story = Story(children)
    for event in events:
        before, ended, seq = list(story.people), story.ended is not None, len(story.log)
        story.happen(event)
        story.check()
        if len(story.log) > seq:
            story.check_told(before, ended)


@settings(max_examples=400)
@given(st.sampled_from([0, 3]), events)
def test_all_is_kept_where_all_people_of_a_session_with_children_are_in_one_process(
    children: int, events: list[Event]
) -> None:
    story = Story(children)
    kept: set[int] = set()  # in another process, since there was one or somebody was told
    for event in events:
        seq = len(story.log)
        story.happen(event)
        told = [command for _, command in story.told if isinstance(command, m.Keep)]
        if len(story.log) == seq:
            continue
        if not story.together():
            assert told == []
            kept = {*story.lines}
            continue
        for keep in told:
            assert keep.facts
            assert keep.facts.items() <= story.lines.items()
            kept |= keep.facts.keys()
        assert kept == {*story.lines}


@settings(max_examples=100)
@given(children=st.sampled_from([0, 3]), events=events)
def test_a_copy_of_any_moment_is_the_same_and_stays_so(children: int, events: list[Event]) -> None:
    story = Story(children)
    story.play(events)
    state, told = board(children), list[Told]()
    for now, message in story.log:
        told.append(list(state.apply(now, message)))
    replayed = board(children)
    for seq, (now, message) in enumerate(story.log):
        copy = Session.restore(Board, wired(replayed.snapshot()))
        assert differing(copy.snapshot(), replayed.snapshot()) == []
        for later, expected in zip(story.log[seq:], told[seq:], strict=True):
            assert list(copy.apply(*later)) == expected
        assert differing(copy.snapshot(), state.snapshot()) == []
        replayed.apply(now, message)
    assert digest(replayed.snapshot()) == digest(story.state.snapshot())


@settings(max_examples=100)
@given(st.sampled_from([0, 3]), events, events)
def test_a_snapshot_and_a_copy_do_not_change_with_the_session(
    children: int, events: list[Event], later: list[Event]
) -> None:
    story = Story(children)
    story.play(events)
    snapshot, copy = story.state.snapshot(), story.state.copy()
    before = digest(snapshot)
    story.play(later)
    assert digest(snapshot) == digest(copy.snapshot()) == before
    copy.apply(0.0, joined(999))
    assert digest(snapshot) == before
    assert digest(story.state.snapshot()) != digest(copy.snapshot())


def test_all_of_a_session_travels() -> None:
    state = board(children=2)
    state.apply(0.0, joined(4, ("host", 5), observes=True))
    state.apply(0.0, joined(2, None, about=[0.5, "fast"]))
    state.apply(0.5, Written(2, 1, "one"))
    state.apply(1.0, m.Ended({"all": [1, 2.5]}, {"error": "none"}))
    copy = Session.restore(Board, wired(state.snapshot()))
    assert (copy.name, copy.epoch, copy.seq, copy.leader) == ("0", (1, 2), 4, 4)
    assert list(copy.people.items()) == [(4, None), (2, None)]
    assert [(n, wired(a)) for n, a in copy.addresses.items()] == [(4, ["host", 5]), (2, None)]
    assert copy.observers == (4,)
    assert copy.moved is None
    assert copy.ended == m.Ended({"all": [1, 2.5]}, {"error": "none"})
    assert copy.model.plan == {"children": 2}
    assert copy.model.lines == {1: "one"}
    assert copy.model.writers == [(2, [0.5, "fast"])]
    state.apply(2.0, m.Moved(4, m.Place("0-1", ("host", "other"))))
    copy = Session.restore(Board, wired(state.snapshot()))
    assert copy.moved == m.Place("0-1", ("host", "other"))
    assert (copy.people, copy.addresses, copy.observers, copy.leader) == ({}, {}, (), None)


def test_what_leads_to_the_people_of_a_host_is_no_content() -> None:
    state, other = with_people(1, 2), with_people(1, 2)
    state.people[2] = "what leads there"
    assert digest(state.snapshot()) == digest(other.snapshot())
    assert Session.restore(Board, state.snapshot()).people == {1: None, 2: None}


# -- who leads -----------------------------------------------------------------------------


def test_the_next_leader_is_the_next_in_join_order() -> None:
    state = with_people(5, 3, 4)
    assert state.leader == 5
    state.apply(0.0, m.Left(3))
    state.apply(0.0, joined(3))
    assert state.apply(0.0, m.Left(5)) == [(4, m.TakeOver()), (4, Read(0))]
    assert state.apply(0.0, m.Left(4)) == [(3, m.TakeOver()), (3, Read(0))]
    assert state.apply(0.0, m.Left(3)) == []
    assert state.leader is None
    assert state.apply(0.0, joined(6)) == [(6, m.TakeOver()), (6, Read(0))]


def test_who_leaves_without_having_led_changes_no_leader() -> None:
    state = with_people(1, 2, 3)
    assert state.apply(0.0, m.Left(2)) == []
    assert state.leader == 1
    assert [node for node, _ in state.model.writers] == [1, 3]


def test_an_observer_leads_but_the_model_does_not_hear_of_it() -> None:
    state = board()
    assert state.apply(0.0, joined(9, observes=True)) == [(9, m.TakeOver()), (9, Read(0))]
    state.apply(0.0, joined(1))
    assert (state.leader, state.observers, state.workers) == (9, (9,), 1)
    assert [node for node, _ in state.model.writers] == [1]
    assert state.apply(0.0, m.Left(9)) == [(1, m.TakeOver()), (1, Read(0))]
    assert (state.observers, state.workers) == ((), 1)


def test_what_a_stranger_leaves_is_nothing() -> None:
    state = with_people(1, children=2, address=7)
    state.apply(0.0, Written(1, 0, "zero"))
    before = state.snapshot()
    assert state.apply(0.0, m.Left(7)) == [(1, m.Keep({0: "zero"}))]  # said again, no harm
    assert differing(before, state.snapshot()) == ["seq"]


# -- moving on, and the end ----------------------------------------------------------------


def test_the_team_goes_where_its_leader_goes() -> None:
    state = with_people(4, 2, 3)
    assert state.apply(0.0, m.Moved(4, THERE)) == [(2, m.Go(THERE)), (3, m.Go(THERE))]
    assert (state.moved, state.people, state.leader) == (THERE, {}, None)


def test_nobody_but_the_leader_moves_the_team() -> None:
    state = with_people(4, 2)
    before = state.snapshot()
    assert state.apply(0.0, m.Moved(2, THERE)) == []
    assert state.apply(0.0, m.Moved(7, THERE)) == []
    assert differing(before, state.snapshot()) == ["seq"]


def test_who_the_host_was_telling_of_the_move_is_still_to_be_told() -> None:
    state = with_people(4, 2)
    people = state.people
    state.apply(0.0, m.Moved(4, THERE))
    assert list(people) == [4, 2]


def test_all_is_over_once() -> None:
    state = with_people(1, 2)
    ended = m.Ended("result")
    assert state.apply(0.0, ended) == [(1, m.Stop(ended)), (2, m.Stop(ended))]
    assert state.apply(0.0, ended) == []
    assert state.apply(0.0, m.Ended("other", {"error": "late"})) == []
    assert state.ended == ended


def test_who_leaves_when_all_is_over_is_still_missed() -> None:
    state = with_people(1, 2)
    state.apply(0.0, m.Ended("result"))
    assert state.apply(0.0, m.Left(1)) == [(2, m.TakeOver()), (2, Read(0))]
    assert list(state.people) == [2]


# -- one more copy -------------------------------------------------------------------------


def keeps(told: Told) -> list[tuple[Node, Facts]]:
    return [(node, command.facts) for node, command in told if isinstance(command, m.Keep)]


def test_what_becomes_known_is_kept_where_everyone_is_in_the_leaders_process() -> None:
    state = with_people(1, 2, children=3, address=7)
    assert keeps(state.apply(0.0, Written(2, 1, "one"))) == [(1, {1: "one"})]
    assert state.noted == [1]
    assert keeps(state.apply(0.0, Written(2, 1, "other"))) == []  # the first counts
    assert list(state.noted) == []
    assert keeps(state.apply(0.0, Written(1, 2, "two"))) == [(1, {2: "two"})]


@pytest.mark.parametrize(
    ("children", "addresses"),
    [
        (0, [7, 7]),  # a leaf session: its people are elsewhere soon enough
        (3, [7, 8]),
        (3, [7, None]),  # it does not listen, but it is another process
        (3, [None, None]),
    ],
)
def test_nothing_is_kept_elsewhere_where_it_is_in_two_processes_or_in_a_leaf(
    children: int, addresses: list[Address | None]
) -> None:
    state = board(children)
    for node, address in enumerate(addresses, 1):
        state.apply(0.0, joined(node, address))
    assert keeps(state.apply(0.0, Written(1, 1, "one"))) == []
    assert state.model.lines == {1: "one"}


def test_all_that_is_known_is_kept_when_the_last_one_elsewhere_leaves() -> None:
    state = with_people(1, 2, children=3, address=7)
    state.apply(0.0, joined(3, 8))
    state.apply(0.0, Written(3, 0, "zero"))
    state.apply(0.0, Written(3, 2, "two"))
    assert keeps(state.apply(0.0, m.Left(3))) == [(1, {0: "zero", 2: "two"})]


def test_all_that_is_known_is_kept_for_whoever_leads_next() -> None:
    state = with_people(1, 2, children=3, address=7)
    state.apply(0.0, Written(1, 0, "zero"))
    assert keeps(state.apply(0.0, m.Left(1))) == [(2, {0: "zero"})]
    assert keeps(state.apply(0.0, m.Left(2))) == []
    assert keeps(state.apply(0.0, joined(3, 9))) == [(3, {0: "zero"})]


def test_what_a_replica_brought_is_kept_with_all_else() -> None:
    state = with_people(1, children=3, address=7)
    state.apply(0.0, Written(1, 0, "zero"))
    told = state.apply(0.0, m.Restored({0: "other", 1: "one"}, "title"))
    assert keeps(told) == [(1, {0: "zero", 1: "one"})]
    assert set(state.noted) == {0, 1}
    assert state.model.title == "title"


def test_nothing_is_kept_where_nothing_is_known_or_nobody_leads() -> None:
    state = with_people(1, children=3, address=7)
    assert keeps(state.apply(0.0, joined(2, 7))) == []
    assert keeps(state.apply(0.0, m.Left(2))) == []
    state.apply(0.0, m.Left(1))
    assert keeps(state.apply(0.0, m.Restored({1: "one"}, None))) == []


# -- what a model is not asked for ---------------------------------------------------------


def test_a_model_that_says_nothing_is_never_late_and_gives_nothing_out() -> None:
    state = Session("0", (1,), lambda plan, people: Model(plan, people, Room()), None)
    assert state.apply(0.0, joined(1)) == [(1, m.TakeOver())]
    assert state.apply(0.0, m.Late()) == []
    assert state.apply(0.0, m.Restored({1: "one"}, None)) == []
    assert state.apply(0.0, m.Left(1)) == []
    room = state.model.room
    assert (room.wanted(), room.open(), room.due()) == (True, True, None)
    assert (room.holder(0), room.times(0), room.over(0)) == (None, 0, False)
    assert list(room.turns(room.quotas())) == []
