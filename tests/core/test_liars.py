"""One who lies spoils what was in its hands in a session, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Computation, Host, Reflector, Shape
from core import messages as m
from core.messages import Command, Message, Node, Place
from tests.core.harness import END_KEY, ROOT, ROOT_KEY, SUBMITTER
from tests.core.liars import LIAR, NOW, SEAL, forged, made, names, pasts, said_by

HONEST = (1, 2, 3, 4)
honest = st.tuples(
    st.sampled_from(["join", "leave", "finish", "finish", "finish", "fail", "given", "prepared"]),
    st.integers(0, 99),
)
lies = st.tuples(st.just("lie"), st.tuples(st.just("0") | names, said_by(LIAR, SEAL)))
returns = st.tuples(st.just("bring"), st.tuples(pasts(SEAL), forged))
of_liar = st.tuples(st.sampled_from(["join", "leave", "finish"]), st.just(LIAR))
events = st.lists(st.one_of(honest, lies, lies, of_liar, returns), max_size=60)


class OneSession:
    """A host with the root session, whose people do what they are told; and one of them lies.

    It may even lead that.
    """

    vote_every = 0

    def __init__(self, shape: Shape, leads: bool = False) -> None:
        self.now = 0.0
        self.leads = leads
        self.timers: list[Any] = []
        self.work: dict[Node, list[int]] = {}
        self.given: set[int] = set()  # to the liar
        self.failed: set[int] = set()  # by anybody
        self.offences: list[Any] = []
        self.people = [SUBMITTER]
        self.host = Host(SUBMITTER, self, Computation, None, ROOT_KEY)
        self.host.open(LIAR if leads else SUBMITTER, m.Open(ROOT, NOW, shape.plain()))
        self.reflector = self.host.reflectors["0"]
        if leads:
            self.happen("join", LIAR)
        self.say(SUBMITTER, m.Arrive(SUBMITTER, SUBMITTER, None, None, observes=True))

    # -- the carrier -----------------------------------------------------------------------

    def reply(self, host: Host, link: Node, place: Place, reply: m.Reply) -> None: ...
    def welcome(self, reflector: Reflector, link: Node, node: Node) -> None: ...

    def call_later(self, seconds: float, action: Any) -> None:
        self.timers.append(action)

    def broadcast(
        self, reflector: Reflector, message: Message, told: list[tuple[Node, Command]]
    ) -> None:
        for node, command in told:
            if reflector is self.reflector:
                self._told(node, command)

    def _told(self, node: Node, command: Command) -> None:
        match command:
            case m.Compute():
                numbers = list(command.slots)
            case m.Lead():
                numbers = [command.child]
            case m.Visit():  # to help in there gives it nothing here
                return
            case _:
                return
        self.work.setdefault(node, []).extend(numbers)
        if node == LIAR:
            self.given |= {*numbers}

    def party(self, node: Node) -> Node:
        return node

    def owns(self, host: Host, node: Node) -> bool:
        return node == SUBMITTER

    def is_end(self, ended: m.Ended) -> bool:
        return ended.key == END_KEY

    def offended(self, host: Host, link: Node, place: Place, call: Any) -> None:
        self.offences.append(call)
        assert link == LIAR, call
        if link in self.people:
            self.people.remove(link)
        self.work.pop(link, None)
        self.host.lose(link)  # its connection is closed

    # -- what happens ----------------------------------------------------------------------

    def say(self, node: Node, call: Any, session: str = "0") -> None:
        self.host.receive(node, node, session, call)

    def happen(self, kind: str, what: Any) -> None:
        self.now += 0.25
        if kind == "lie":
            session, said = what
            return self.say(LIAR, made(said, self.reflector.state), session)
        if kind == "bring":
            past, replica = what
            self.say(LIAR, m.Arrive(LIAR, LIAR, None, past))
            return self.say(LIAR, made(replica, self.reflector.state))
        node = LIAR if what == LIAR else HONEST[what % len(HONEST)]
        match kind:
            case "join" if node not in self.people:
                self.people.append(node)
                self.say(node, m.Arrive(node, node, None))
            case "leave" if node in self.people:
                self.people.remove(node)
                self.work.pop(node, None)
                self.host.lose(node)
            case "finish" if self.work.get(node):
                slot = self.work[node].pop(0)
                self.say(node, m.Finished(node, (slot,), [["right", slot]], 0.1))
            case "fail" if self.work.get(node) and self.reflector.model.leaf:
                slot = self.work[node].pop(0)
                self.failed.add(slot)
                failure = m.Failure("0", slot, "error")
                before = self.reflector.model.failed(node, slot)
                self.say(node, m.Failed(node, slot, failure, False, before))
            case "given":
                self.say(SUBMITTER, m.Given("the input"))
            case "prepared" if self.reflector.model.given:
                count = len(self.reflector.model.slots)
                self.say(SUBMITTER, m.Prepared([["in", i] for i in range(count)]))
            case _:
                if self.timers:
                    self.timers.pop(0)()
        return None

    # -- what must hold --------------------------------------------------------------------

    def check(self) -> None:
        state, model = self.reflector.state, self.reflector.model
        slots = model.slots
        assert self.host.reflectors["0"] is self.reflector
        assert state.ended is None
        assert {*state.people} <= {*self.people, LIAR}
        if not self.leads:
            assert (state.moved, state.leader, state.observers) == (None, SUBMITTER, (SUBMITTER,))
            assert not model.given or model.input == "the input"
            assert slots.inputs in (None, [["in", i] for i in range(len(slots))])
            self._check_failure(model.steps.failure)
        for i, done in enumerate(slots.done):
            if done and i not in self.given:
                assert slots.outputs[i] == ["right", i]
        assert slots.remaining == len(slots) - sum(slots.done)
        assert {session for _, session in self.host.keys} <= {f"0-{i}" for i in range(len(slots))}
        assert b"a guess" not in self.host.keys.values()
        for session in [*self.host.backups.facts, *self.host.reflectors]:
            if session != "0":  # it may keep and open what it holds
                assert self.reflector.place.towards(session) in self.given

    def _check_failure(self, failure: m.Failure | None) -> None:
        """It is told of what somebody had who said so."""
        if failure is not None and self.reflector.model.leaf:
            assert failure.session == "0"
            assert failure.partition in self.given | self.failed
        elif failure is not None:
            assert self.reflector.place.towards(failure.session) in self.given


@pytest.mark.parametrize("shape", [Shape.root(3, 3), Shape.root(9, 3)], ids=["leaf", "interior"])
@settings(max_examples=300)
@given(leads=st.booleans(), events=events)
def test_one_who_lies_spoils_no_slot_that_it_was_never_given(
    shape: Shape, leads: bool, events: list[Any]
) -> None:
    one = OneSession(shape, leads)
    for kind, what in events:
        one.happen(kind, what)
        one.check()


@pytest.mark.parametrize("shape", [Shape.root(3, 3), Shape.root(9, 3)], ids=["leaf", "interior"])
@settings(max_examples=100)
@given(events=events)
def test_others_can_complete_the_session_all_the_same(shape: Shape, events: list[Any]) -> None:
    one = OneSession(shape)
    for kind, what in events:
        one.happen(kind, what)
    if one.reflector.model.steps.failure is None:
        one.happen("leave", LIAR)
        one.host.lose(LIAR)
        for kind in ["given", "prepared"]:
            one.happen(kind, 0)
        for node in range(len(HONEST)):
            one.happen("join", node)
        for _ in range(len(one.reflector.model.slots)):
            for node in HONEST:
                while one.work.get(node):
                    one.happen("finish", node - HONEST[0])
        assert not one.reflector.model.slots.remaining
    one.check()
