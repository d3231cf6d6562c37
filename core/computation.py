"""The model of one session of a computation: who does what, and what is done.

Rules it keeps:
- It changes by ordered messages alone, and answers by telling people what they are to do.
- The first output of a slot counts, whoever brings it, and later ones change nothing. So a message
  that comes twice, or from somebody who was believed lost, does no harm.
- Whoever takes part holds slots, or is idle. Where a slot is free nobody stays idle, but for two
  cases: a leaf session has no inputs yet; or the only free slots are ones that this node failed,
  and somebody else is there to try them.
- In an interior session a slot is a child session, and its worker the one who leads that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from core import messages as m
from core.cutting import Shape
from core.messages import Facts, Node, Value
from core.rights import RIGHTS, SAYS
from core.sessions.model import Handler, Model, People, Right
from core.sessions.roles import Role
from core.slots import Slots

TRIES = 3  # of a function that raises


class Computation(Model):
    """The replicated state of one session of that shape."""

    __slots__ = ("failure", "failures", "given", "input", "leaf", "shape", "slots")

    def __init__(self, plan: Value, people: People) -> None:
        self.shape = shape = Shape(*plan)
        self.leaf = shape.leaf
        self.slots = slots = Slots(shape)
        super().__init__(plan, people, slots, 0 if self.leaf else len(slots), shape.fanout)
        self.given = False
        self.input: Value = None
        self.failures = 0  # of prepare, and then of collect
        self.failure: m.Failure | None = None

    # -- coming and going ------------------------------------------------------------------

    def joined(self, node: Node, about: Value, claims: tuple[int, ...], now: float) -> None:
        """A newcomer, with its pace, keeps or takes what it claims if nobody else has it by now."""
        slots, kept = self.slots, False
        if about is not None:
            slots.measure(node, about)
        for i in claims:
            if slots.claim(i, node, now):
                kept = True
                if not self.leaf:
                    self._lead(i, node)
        if not kept:
            self._employ(node, now)

    def left(self, node: Node, now: float) -> None:
        self.slots.forget(node)
        self._employ_idle(now)

    def direct_leader(self) -> None:
        """Tell the leader what is for a leader to do."""
        leader = self.people.leader
        if leader is None:
            return
        if self.failure:
            self.people.tell(leader, m.Abort(self.failure))
        elif self.given and self.slots.inputs is None:
            self.people.tell(leader, m.Prepare(self.input))
        elif self.slots.inputs is not None and not self.slots.remaining:
            self.people.tell(leader, m.Collect())

    # -- inputs ----------------------------------------------------------------------------

    def _given(self, given: m.Given, now: float) -> None:
        if not self.given:
            self.given, self.input = True, given.input
            self.direct_leader()

    def _prepared(self, prepared: m.Prepared, now: float) -> None:
        slots = self.slots
        if slots.inputs is not None:
            return
        slots.inputs, self.failures = prepared.inputs, 0
        for i, worker in enumerate(slots.worker):
            if worker is not None and not slots.done[i] and not self.leaf:
                self.people.tell(worker, m.Supply(i, m.Given(slots.inputs[i])))
        self._employ_idle(now)
        if not slots.remaining:  # all outputs were restored from a replica before
            self.direct_leader()

    # -- giving out ------------------------------------------------------------------------

    def _employ(self, node: Node, now: float) -> bool:
        """Give `node` free slots, or leave it idle; whether it has something to do."""
        slots = self.slots
        if slots.idle:
            slots.rouse(node)
        taken = slots.take(node, self.people, now) if slots.free else None
        if not taken:
            slots.idle.append(node)
        elif self.leaf:
            self._compute(node, tuple(taken))
        else:
            self._lead(taken[0], node)
        return bool(taken)

    def _employ_idle(self, now: float) -> None:
        for node in list(self.slots.idle):
            if not self.slots.free:
                break
            self._employ(node, now)

    def _compute(self, node: Node, slots: tuple[int, ...]) -> None:
        shape, inputs = self.shape, self.slots.chosen(slots)
        self.people.tell(node, m.Compute(shape.session, shape.first, slots, inputs))

    def _lead(self, i: int, node: Node) -> None:
        slots, epoch = self.slots, self.people.epoch
        first = None if slots.inputs is None else m.Given(slots.inputs[i])
        self.people.tell(node, m.Lead(i, (*epoch, slots.assigned[i]), first))

    # -- outcomes --------------------------------------------------------------------------

    def _finished(self, finished: m.Finished, now: float) -> None:
        node, numbers, slots, held = finished.node, finished.slots, self.slots, False
        were_open, pace = slots.remaining, slots.paces.get(node)
        for i, output in zip(numbers, finished.outputs, strict=True):
            held = slots.finish(i, node, output, now) or held
        if not self.leaf:
            self._employ_idle(now)  # those who helped with these slots are idle now
            self.people.note(numbers)
        resting = not held and node in slots.idle
        if held:  # else it came twice, or `node` was not connected and has other work by now
            slots.measure(node, finished.seconds / len(numbers), len(numbers))
            one_at_a_time = pace is None and not slots.claimed  # so it has no other slot
            if one_at_a_time or not slots.holds(node):
                resting = not self._employ(node, now)
            else:
                slots.claimed = True
        if resting:
            self.people.tell(node, m.Rest())
        if were_open and not slots.remaining:
            self.direct_leader()

    def _failed(self, failed: m.Failed, now: float) -> None:
        node, i, slots = failed.node, failed.slot, self.slots
        if node not in ((self.people.leader,) if i is None else slots.holders(i)):
            return  # from one who is no longer concerned
        in_vain = i is not None and bool(slots.done[i])  # others have done it
        if failed.before == self.failed(node, i) and not in_vain:
            if i is None:
                self.failures += 1
            else:
                slots.failed[i] = (*slots.failed.get(i, ()), node)
        elif i is None:
            return  # it came twice; with a slot the node may have been away, and is not at it
        tries = self.failures if i is None else len(slots.failed.get(i, ()))
        if self.failure is None and not in_vain and (failed.final or tries >= TRIES):
            self.failure = failed.failure
        if self.failure or i is None:
            return self.direct_leader()
        slots.drop(node)
        slots.rest(node)  # behind those that were idle before
        self._employ_idle(now)
        if node in slots.idle:
            self.people.tell(node, m.Rest())
        return None

    def failed(self, node: Node, slot: int | None) -> int:
        """How often `node` has failed at `slot`, or (None) any leader at the present step."""
        return self.failures if slot is None else self.slots.failed.get(slot, ()).count(node)

    # -- lateness --------------------------------------------------------------------------

    def late(self, now: float) -> None:
        """Put the idle on late slots, one each."""
        slots = self.slots
        for node in list(slots.idle):
            if slots.free or not (due := slots.overdue()) or due[0] > now:
                return
            i = due[1]
            slots.rouse(node)
            slots.helpers[i] = node
            if self.leaf:
                self._compute(node, (i,))
            elif (worker := slots.worker[i]) is not None:
                self.people.tell(node, m.Visit(i, self.people.address(worker)))

    # -- what outlives a host, and copies --------------------------------------------------

    def facts(self, numbers: Iterable[int] | None = None) -> Facts:
        """The output of each slot done, with the seconds it took."""
        return self.slots.known(numbers)

    def context(self) -> Value:
        had = self.slots.had()
        return {"given": self.given, "input": self.input, "inputs": self.slots.inputs, "had": had}

    def merge(self, facts: Facts, context: Value, now: float) -> None:
        slots = self.slots
        if context and context["given"] and not self.given:
            self.given, self.input = True, context["input"]
        slots.remember(context["had"] if context else ())
        for i, (output, seconds) in facts.items():
            if not 0 <= i < len(slots) or slots.done[i]:
                continue
            slots.accept(i, output, seconds)
            worker = slots.worker[i]
            if worker is not None and not self.leaf:  # its work is not needed
                slots.worker[i] = None
                slots.rest(worker)
                self.people.tell(worker, m.Rest())
        if context and context["inputs"] is not None:
            self._prepared(m.Prepared(context["inputs"]), now)
        self.people.note()
        self._employ_idle(now)
        self.direct_leader()

    def child_plan(self, child: int) -> Value:
        return self.shape.child(child).plain()

    def plain(self) -> dict[str, Value]:
        return {
            "given": self.given,
            "input": self.input,
            "failures": self.failures,
            "failure": self.failure and self.failure.plain(),
            **self.slots.plain(),
        }

    def load(self, plain: dict[str, Value]) -> None:
        self.given, self.input, self.failures = plain["given"], plain["input"], plain["failures"]
        self.failure = m.Failure.of(plain["failure"])
        self.slots.load(plain)

    says: ClassVar[dict[type, Role]] = SAYS
    rights: ClassVar[dict[type, Right]] = RIGHTS
    handles: ClassVar[dict[type, Handler]] = {
        m.Finished: _finished,
        m.Given: _given,
        m.Prepared: _prepared,
        m.Failed: _failed,
    }
