"""How a session comes to its outcome: the steps that one participant takes for all, and giving up.

Rules it keeps:
- The leader is asked to prepare, and to collect. Where it fails, or nothing comes of it for a
  while, another one is asked as well, of another process if there is one, each time after twice as
  long. The first outcome counts, and what was collected the leader hands up.
- Where enough have failed the session gives up, and the leader carries the failure up. But where
  all else is to go on, a slot that enough have failed is lost, and the rest collected; only where
  nothing was ever done is the whole given to another one above first, once. A session of which
  nothing is left has no output, and collects nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from core import messages as m
from core import tries
from core.losses import united
from core.messages import Loss, Node, Value
from core.stragglers import LEAD_SECONDS

if TYPE_CHECKING:
    from core.computation import Computation
    from core.slots import Slots

STEP_SECONDS: Final = 5.0  # until another one is asked as well, for the first time


class Steps:
    """The present step of a session, and who is at it."""

    __slots__ = ("abort", "asked", "collected", "due", "failed", "model", "wait")

    def __init__(self, model: Computation) -> None:
        self.model = model
        self.asked: list[Node] = []  # and still at it
        self.failed: list[Node] = []  # once for each time
        self.collected: list[Value] = []  # the output, once it is there
        self.abort: m.Abort | None = None  # what the session gave up for
        self.due: float | None = None  # when another one is to be asked
        self.wait = STEP_SECONDS

    def present(self) -> m.Prepare | m.Collect | None:
        """What there is to do."""
        given, slots = self.model.given, self.model.slots
        if self.abort:
            return None
        if slots.inputs is None:
            return m.Prepare(self.model.input) if given else None
        return None if slots.remaining or self.outcome else m.Collect()

    @property
    def failure(self) -> m.Failure | None:
        """What the session has given up for."""
        return self.abort.failure if self.abort else None

    @property
    def outcome(self) -> list[Value]:
        """The output of the session, once it is there; None where all is lost."""
        return [None] if all_lost(self.model.slots) else self.collected

    def takes(self, step: type, node: Node) -> bool:
        """Whether `node` was asked to take that step, and its outcome is still wanted."""
        return type(self.present()) is step and node in self.asked

    def direct(self, now: float) -> None:
        """Tell the leader, if there is one, what is for a leader to do."""
        leader = self.model.people.leader
        if leader is None:
            return
        if self.abort:
            self.model.people.tell(leader, self.abort)
        elif outcome := self.outcome:
            self.model.people.tell(leader, m.HandUp(outcome[0], loss_of(self.model.slots)))
        elif leader not in self.failed or self.due is None:  # else it is to try again later
            self._ask(leader, now)

    def _ask(self, node: Node, now: float) -> None:
        """Have `node` take the present step, unless it is at it."""
        step = self.present()
        if step and node not in self.asked:
            self.asked.append(node)
            self._set(now + self.wait if self.due is None else self.due)
            self.model.people.tell(node, step)

    def _ask_another(self, now: float) -> bool:
        """Have one more take it, of another process if there is one; whether anybody can."""
        people, at_it = self.model.people, tries.processes_of(self.asked)
        others = [node for node in tries.who_may_try(self.failed, people) if node not in self.asked]
        elsewhere = [node for node in others if not tries.processes_of([node]) <= at_it]
        for node in (elsewhere or others)[:1]:
            self._ask(node, now)
        return bool(others)

    def late(self, now: float) -> None:
        """Nothing has come of it for a while, or who failed may try again."""
        if self.due is None or self.due > now:
            return
        again = self._again()
        self.wait = min(self.wait * 2 if self.asked and not again else self.wait, tries.SECONDS_MAX)
        self._set(None)  # where nobody is left to be asked nothing more becomes late
        if self._ask_another(now):
            return
        if again:
            self._ask(min(again, key=self.failed.count), now)
        elif not self.asked and self.model.people.leader is not None:
            self._ask(self.model.people.leader, now)

    def _again(self) -> list[Node]:
        """Who may try again, since those who are at it may be so for ever."""
        if not self.asked or self.wait <= LEAD_SECONDS:
            return []
        return [n for n in self.model.people.people if n in self.failed and n not in self.asked]

    def joined(self, now: float) -> None:
        """One more is there to be asked."""
        if self.due is None and self.present():
            self._set(now if self.model.slots.short else now + self.wait)

    def left(self, node: Node, now: float) -> None:
        """`node` is not there any more."""
        if node in self.asked:
            self.asked.remove(node)
            if not self.asked and self.present() and not self._ask_another(now):
                self._set(None if self.model.people.leader is None else now + self.wait)

    def collect(self, collected: m.Collected, now: float) -> None:
        """The output of the session is there."""
        if not self.collected:
            self.collected.append(collected.output)
            self.over()
            self.model.direct_leader(now)

    def over(self) -> None:
        """There is an outcome: the next step is another one."""
        self.asked.clear()
        self.failed.clear()
        self.wait = STEP_SECONDS
        self._set(None)

    def _set(self, due: float | None) -> None:
        """Ask another one then; None: when one more is there."""
        self.due = due
        self.watch()

    def watch(self) -> None:
        """Have the session look after the step."""
        alone = self.due is None and bool(self.asked) and self.present() is not None
        self.model.slots.watch(self.due, alone)

    def fail(self, failed: m.Failed, now: float) -> bool:
        """A function has failed: whether who says so is to have something else now."""
        node, i, slots = failed.node, failed.slot, self.model.slots
        if i is None:
            self._fail(failed, now)
            return False
        if not slots.answered(node) and node not in slots.holders(i):
            return False  # it is no longer concerned
        if slots.done[i]:
            return True  # in vain: others have done it
        if failed.before == self.failures(node, i):  # else it came twice
            slots.fail(i, node, failed.tried, now)
            self.watch()
        tried = slots.failed.get(i, ())
        return not self._give_up(failed, tried, slots.untried(tried, self.model.people, now), now)

    def failures(self, node: Node, slot: int | None) -> int:
        """How often `node` has failed at `slot`, or (None) at the present step."""
        tried = self.failed if slot is None else self.model.slots.failed.get(slot, ())
        return tried.count(node)

    def _fail(self, failed: m.Failed, now: float) -> None:
        """Who was asked has failed; what comes twice counts once."""
        node, tried = failed.node, self.failed
        if node in self.asked and failed.before == tried.count(node) and self.present():
            self.asked.remove(node)
            tried.append(node)
            aside = self.asked if len(tried) >= tries.TRIES_ALONE else ()
            others = tries.who_may_try(tried, self.model.people, aside)
            if self._give_up(failed, tried, others, now) or (self.asked and not self._again()):
                return
            if not self._ask_another(now):
                self._set(now + tries.backoff_seconds(len(tried)))

    def _give_up(
        self, failed: m.Failed, tried: Sequence[Node], others: list[Node], now: float
    ) -> bool:
        """Give up where enough have `tried`, or no `others` are there to; whether it has."""
        final = failed.final or (tries.failed_for_good(tried) and not failed.local)
        if final or (len(tried) >= tries.TRIES and not others):
            i, shape, failure = failed.slot, self.model.shape, failed.failure
            goes_on = shape.keep_going and (final or not self._may_be_broken())
            if self.abort is None and i is not None and goes_on:
                step = None if shape.leaf else (shape.child(i).session, None)
                if step in (None, (failure.session, failure.partition)):
                    self._lose(i, failure, now)
                return False  # what failed further down is tried, and lost, there
            if self.abort is None:
                self.abort = m.Abort(failed.failure, final, tuple(tried))
                self._set(None)
            self.model.direct_leader(now)
        return self.abort is not None

    def _may_be_broken(self) -> bool:
        """Whether those who are here may be to blame, and who is in the sessions above may not."""
        epoch, slots = self.model.people.epoch, self.model.slots
        return len(epoch) > 1 and epoch[-1] == 1 and slots.remaining == len(slots)

    def _lose(self, i: int, failure: m.Failure, now: float) -> None:
        """Go on without slot `i`."""
        slots = self.model.slots
        slots.lose(i, failure, now)
        self.model.people.note((i,))
        if not slots.remaining:
            self.model.direct_leader(now)

    def plain(self) -> list[Value]:
        """As plain data."""
        abort = self.abort and self.abort.plain()
        return [[*self.asked], [*self.failed], [*self.collected], abort, self.due, self.wait]

    def load(self, plain: list[Value]) -> None:
        """Take on what was made `plain`."""
        asked, failed, collected, abort, self.due, self.wait = plain
        self.asked, self.failed, self.collected = [*asked], [*failed], [*collected]
        self.abort = m.Abort.of(abort)


def outputs_left(slots: Slots) -> list[Value]:
    """The outputs that there are."""
    whole = {i for i, (count, _) in slots.lost.items() if count == slots.shape.sizes()[i]}
    return [output for i, output in enumerate(slots.outputs) if i not in whole]


def loss_of(slots: Slots) -> Loss | None:
    """What was lost in the whole session."""
    return united([slots.lost[i] for i in sorted(slots.lost)]) if slots.lost else None


def all_lost(slots: Slots) -> bool:
    """Whether nothing is left of it."""
    return sum([count for count, _ in slots.lost.values()]) == slots.shape.partitions
