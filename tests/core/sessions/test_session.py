"""People of a session with another model: whatever happens to them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.sessions import Session
from core.sessions import messages as m
from core.sessions.digest import differing, digest
from core.sessions.messages import Address, Node
from core.sessions.session import Told
from tests.core.events import Event, Played, histories
from tests.core.sessions.board import THERE, Board, Hurry, Read, Written, board, joined, with_people
from tests.wired import wired

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
                self.order(m.Alarm())
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
                case m.TakeOver() | Read() | m.KeepBackup():
                    assert node == self.state.leader
                case Hurry():
                    assert isinstance(message, m.Alarm)
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
        told = [command for _, command in story.told if isinstance(command, m.KeepBackup)]
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
