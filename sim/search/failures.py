"""What may fail in a world, and what its outcome must be.

A broken machine fails at all it tries. Nothing may fail by that as long as anybody whole is there
who has not tried, unless as many broken ones as are enough have tried it.
"""

from __future__ import annotations

from core import Computation, Reflector, Shape, steps
from core import messages as m
from core.messages import Node, Value
from core.tries import HOPELESS_SECONDS, TRIES, TRIES_ALONE
from sim.faults import actions as a
from sim.search.invariants import RESULT, SOUND
from sim.search.job import NOTHING_FAILS
from sim.search.sound import Broken
from sim.search.taint import Taint
from sim.work import NOTHING_WORKS
from sim.world import ROOT, World


class Failures:
    """Watches for them in one world."""

    def __init__(self, world: World, taint: Taint) -> None:
        self.world = world
        self.taint = taint
        self._broken: set[Node] = set()  # whoever was at any time

    def acted(self, action: a.Action, nodes: list[Node]) -> None:
        if isinstance(action, a.Break):
            self._broken |= {*nodes}

    def check_given_up(self, reflector: Reflector, failed: m.Failed) -> None:
        """Raises Broken where a session gave up just now, and somebody whole has not tried."""
        state, model = reflector.state, reflector.model
        assert isinstance(model, Computation)
        abort = model.steps.abort
        if abort is None or abort.failure != failed.failure or not self._by_machine(abort.failure):
            return
        if failed.final or self.taint.of(reflector.session):
            return  # where it began was looked at there
        if len({*abort.tried}) >= TRIES and self._broken.issuperset(abort.tried):
            return
        at_work = zip(model.slots.worker, model.slots.done, strict=True)
        in_vain = [node for node, done in at_work if done]  # maybe for ever
        now, aside = self.world.clock.now, model.slots.aside
        in_vain += [node for node, since in aside.items() if now - since > HOPELESS_SECONDS]
        if len(abort.tried) >= TRIES_ALONE:
            in_vain += model.steps.asked
        barred = {*state.observers, *self._broken, *abort.tried, *in_vain}
        others = [node for node in state.people if node not in barred]
        if abort.final or others:
            what = f"{abort.tried} tried, {[*self._broken]} are broken, but not {others}"
            raise Broken(SOUND, f"message {state.seq} gave up: {what}", reflector.session)

    def output_is_right(self, right: list[int], output: Value, lost: m.Loss | None) -> bool:
        """Whether `output` is what is `right`, but for what is told to be `lost`."""
        if not lost:
            return bool(output == right)
        found = output or []
        return len(found) + lost[0] == len(right) and _is_part(found, right)

    # -- the end ---------------------------------------------------------------------------

    def check_result(self, fails: int, times: int) -> None:
        """The outcome is that of the job run by one, where `fails` does so many `times`.

        Raises Broken.
        """
        outcome = self.world.network.outcome
        assert outcome is not None
        if self.taint.nodes and self._is_of_liar(outcome):
            return
        if not (self._is_failure(outcome, fails, times) if outcome.failure else
                self._is_result(outcome, fails, times)):  # fmt: skip
            raise Broken(RESULT, f"{fails} fails {times} times, but {outcome!r:.300}", "0")

    def _is_failure(self, outcome: m.Ended, fails: int, times: int) -> bool:
        """Whether the job may fail like that."""
        failure = m.Failure.of(outcome.failure)
        assert failure is not None
        if self._by_machine(failure):
            return bool(self._broken)
        partition = fails if fails >= 0 else None
        alone = not self.world.shape.keep_going or self.world.shape.partitions == 1 or fails < 0
        return times >= TRIES and failure.partition == partition and alone

    def _is_result(self, outcome: m.Ended, fails: int, times: int) -> bool:
        """Whether that is all that can be had."""
        certain = times >= TRIES and fails != NOTHING_FAILS
        if certain and (fails < 0 or not self.world.shape.keep_going):
            return False
        every = list(range(self.world.shape.partitions))
        count, pieces = outcome.lost or (0, ())
        missing = {*every} - {*outcome.result}
        lost = {fails} if certain else set[int]()
        return (
            _is_part(outcome.result, every)
            and len(missing) == count
            and {partition for _, partition, _ in pieces} <= missing | {None}
            and (lost <= missing if self._broken else lost == missing)
        )

    def _by_machine(self, failure: m.Failure) -> bool:
        return NOTHING_WORKS in failure.error

    def _is_of_liar(self, outcome: m.Ended) -> bool:
        """Whether what is wrong with the outcome was in the hands of one who lies."""
        failure = m.Failure.of(outcome.failure)
        if failure is not None:
            name, shape = failure.session, self._shape(failure.session)
            if failure.partition is not None and shape.leaf:
                name = f"{name}-{failure.partition - shape.first}"
            return self.taint.of(name)
        root = self.world.network.newest(ROOT.session)
        outputs = [] if root is None else steps.outputs_left(root.model.slots)
        combined = [partition for output in outputs for partition in output]
        return self.taint.of(ROOT.session) and outcome.result == combined

    def _shape(self, session: str) -> Shape:
        shape = self.world.shape
        for slot in map(int, session.split("-")[1:]):
            shape = shape.child(slot)
        return shape


def _is_part(found: list[int], every: list[int]) -> bool:
    """Whether `found` are some of `every`, in the same order."""
    known = {*found}
    return found == [one for one in every if one in known]
