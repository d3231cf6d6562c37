"""The model of one session of a computation: who does what, and what is done.

Rules it keeps:
- It changes by ordered messages alone, and answers by telling people what they are to do.
- The first output of a slot counts, whoever brings it, and later ones change nothing. So a message
  that comes twice, or from somebody who was believed lost, does no harm.
- Whoever takes part holds slots, is idle, or has been at something for too long to count on it.
  Where a slot is free nobody stays idle, but for two cases: a leaf session has no inputs yet; or
  the only free slots are ones that this node failed, and somebody else is there to try them.
- In an interior session a slot is a child session, and its worker the one who leads that.
"""

from __future__ import annotations

from collections.abc import Iterable

from core import messages as m
from core import stragglers
from core.cutting import Shape
from core.losses import as_loss
from core.messages import REST, Compute, Facts, Node, Value
from core.rights import RIGHTS, SAYS
from core.sessions.model import Membership, Model
from core.slots import Slots
from core.steps import Steps


class Computation(Model):
    """The replicated state of one session of that shape."""

    __slots__ = ("first", "given", "input", "leaf", "shape", "slots", "steps")

    def __init__(self, plan: Value, people: Membership) -> None:
        self.shape = shape = Shape(*plan)
        self.leaf = shape.leaf
        self.first = shape.first
        self.slots = slots = Slots(shape)
        super().__init__(plan, people, slots, 0 if self.leaf else len(slots), shape.fanout)
        self.given = False
        self.input: Value = None
        self.steps = Steps(self)  # prepare, and then collect

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
        if self.steps.asked:
            self.steps.joined(now)

    def left(self, node: Node, now: float) -> None:
        self.slots.forget(node)
        self._employ_idle(now)
        self.steps.left(node, now)

    def direct_leader(self, now: float) -> None:
        """Tell the leader what is for a leader to do."""
        self.steps.direct(now)

    # -- inputs ----------------------------------------------------------------------------

    def _given(self, given: m.Given, now: float) -> None:
        if not self.given:
            self.given, self.input = True, given.input
            self.direct_leader(now)

    def _prepared(self, prepared: m.Prepared, now: float) -> None:
        slots = self.slots
        if slots.inputs is not None:
            return
        slots.inputs = prepared.inputs
        self.steps.over()
        for i, worker in enumerate(slots.worker):
            if worker is not None and not slots.done[i] and not self.leaf:
                self.people.tell(worker, m.Supply(i, m.Given(slots.inputs[i])))
        self._employ_idle(now)
        if not slots.remaining:  # all outputs were restored from a replica before
            self.direct_leader(now)

    # -- giving out ------------------------------------------------------------------------

    def _employ(self, node: Node, now: float) -> bool:
        """Give `node`, which is not idle yet, free slots; whether there are any for it."""
        slots = self.slots
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
            self.slots.rouse(node)
            self._employ(node, now)

    def _compute(self, node: Node, slots: tuple[int, ...]) -> None:
        inputs = self.slots.chosen(slots)
        self.people.tell(node, Compute(self.people.name, self.first, slots, inputs))

    def _lead(self, i: int, node: Node) -> None:
        slots, epoch = self.slots, self.people.epoch
        first = None if slots.inputs is None else m.Given(slots.inputs[i])
        self.people.tell(node, m.Lead(i, (*epoch, slots.assigned[i]), first))
        for other in slots.former.get(i, ()):
            # It may have some of what was done.
            if other in slots.idle or other == slots.helpers.get(i):
                self._visit(i, other, node)

    def _visit(self, i: int, node: Node, leader: Node) -> None:
        self.people.tell(node, m.Visit(i, self.people.address(leader)))

    # -- outcomes --------------------------------------------------------------------------

    def _finished(self, finished: m.Finished, now: float) -> None:
        node, numbers, slots, held = finished.node, finished.slots, self.slots, False
        were_open, pace = slots.remaining, slots.paces.get(node)
        for nth, i in enumerate(numbers):
            held = slots.finish(i, node, finished.outputs[nth], now, finished.lost) or held
        if (slots.backoffs and slots.backoffs.cancel(m.process_of(node))) or not self.leaf:
            self._employ_idle(now)  # those who helped with these slots are idle now
        if not self.leaf:
            self.people.note(numbers)
            self.steps.watch()  # what is usual by now says when others are to lead
        held = slots.answered(node) or held
        resting = not held and node in slots.idle
        if held:  # else it came twice, or `node` was not connected and has other work by now
            slots.measure(node, finished.seconds / len(numbers), len(numbers))
            one_at_a_time = pace is None and not slots.claimed  # so it has no other slot
            if one_at_a_time or node not in slots.worker:
                resting = not self._employ(node, now)
            else:
                slots.claimed = True
        if resting:
            self.people.tell(node, REST)
        if were_open and not slots.remaining:
            self.direct_leader(now)

    def _failed(self, failed: m.Failed, now: float) -> None:
        node, slots = failed.node, self.slots
        if self.steps.fail(failed, now):
            slots.drop(node)
            slots.rest(node)  # behind those that were idle before
            self._employ_idle(now)
            if node in slots.idle:
                self.people.tell(node, REST)

    # -- stragglers ------------------------------------------------------------------------

    def late(self, now: float) -> None:
        """Put the idle on late slots, one each; and look after what is late besides."""
        slots = self.slots
        self.steps.late(now)
        slots.resume(now)
        self._employ_idle(now)
        for i, node, worker in stragglers.helped(slots, now):
            if self.leaf:
                self._compute(node, (i,))
            else:
                self._visit(i, node, worker)
        for i, leader in stragglers.led_anew(slots, now):
            self._lead(i, leader)
        self.steps.watch()

    # -- what outlives a host, and copies --------------------------------------------------

    def facts(self, numbers: Iterable[int] | None = None) -> Facts:
        """The output of each slot done, with the seconds it took, and what was lost, if it was."""
        return self.slots.known(numbers)

    def context(self) -> Value:
        had = self.slots.had()
        return {"given": self.given, "input": self.input, "inputs": self.slots.inputs, "had": had}

    def merge(self, facts: Facts, context: Value, now: float) -> None:
        slots = self.slots
        if context and context["given"] and not self.given:
            self.given, self.input = True, context["input"]
        slots.remember(context["had"] if context else ())
        for i, (output, seconds, *lost) in facts.items():
            if not 0 <= i < len(slots) or slots.done[i]:
                continue
            slots.accept(i, output, seconds, *map(as_loss, lost))
            worker = slots.worker[i]
            if worker is not None and not self.leaf:  # its work is not needed
                slots.worker[i] = None
                slots.rest(worker)
                self.people.tell(worker, REST)
        if context and context["inputs"] is not None:
            self._prepared(m.Prepared(context["inputs"]), now)
        self.people.note()
        self._employ_idle(now)
        self.direct_leader(now)

    def child_plan(self, child: int) -> Value:
        return self.shape.child(child).plain()

    def plain(self) -> dict[str, Value]:
        return {
            "given": self.given,
            "input": self.input,
            "steps": self.steps.plain(),
            **self.slots.plain(),
        }

    def load(self, plain: dict[str, Value]) -> None:
        self.given, self.input = plain["given"], plain["input"]
        self.steps.load(plain["steps"])
        self.slots.load(plain)


Computation.says = SAYS
Computation.rights = RIGHTS
Computation.handles = {
    m.Finished: Computation._finished,
    m.Given: Computation._given,
    m.Prepared: Computation._prepared,
    m.Collected: lambda model, collected, now: model.steps.collect(collected, now),
    m.Failed: Computation._failed,
}
