"""The view of a computation: what one node does in one session.

It acts on what the model says: it computes the slots that it was given. Where it leads, it cuts the
input, combines the outputs, and passes the result to the parent session. How a node finds a place,
keeps it and comes back is not here: that is the participant (`core/sessions/participant.py`).
"""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from core import messages as m
from core.computation import Computation
from core.jobs import jobs
from core.losses import total_failure
from core.messages import Value
from core.sessions.participant import Participant
from core.sessions.states import LEADING
from core.steps import loss_of, outputs_left


@mypyc_attr(allow_interpreted_subclasses=True)
class Worker(Participant):
    """A participant of a computation."""

    __slots__ = ()

    # -- what the model says ---------------------------------------------------------------

    def _compute(self, command: m.Compute) -> None:
        self.claims, self.unacknowledged = command.slots, None
        jobs(self).compute(self, command)

    def _prepare(self, command: m.Prepare) -> None:
        jobs(self).prepare(self, self.place.session, command.input, self.model.shape.sizes())

    def _collect(self, command: m.Collect) -> None:
        jobs(self).collect(self, self.place.session, outputs_left(self.model.slots))

    def _hand_up(self, command: m.HandUp) -> None:
        output, lost = command.output, command.lost
        if self.is_root:
            self.end(output, total_failure(self.model.shape, lost), lost)
        else:
            self.hand_up(m.Finished(self.node, (self.number,), [output], 0.0, lost))

    def _abort(self, command: m.Abort) -> None:
        failure, above = command.failure, self.above
        if self.is_root:
            self.end(None, failure.plain())
        else:
            seated = above is not None and above.seat is not None
            before = above.model.steps.failures(self.node, self.number) if above and seated else 0
            up = self.node, self.number, failure, command.final, before, command.tried
            self.hand_up(m.Failed(*up), spent=not command.final)

    # -- what came of the job's functions --------------------------------------------------

    def computed(
        self, session: str, slots: tuple[int, ...], outputs: list[Value], seconds: float
    ) -> None:
        """Outputs of all `slots`, after `seconds` of work for all of them.

        They count if this view still claims them: it may have been elsewhere meanwhile.
        """
        if self.is_in(session) and self.claims == tuple(slots):
            self.about = seconds / len(slots)
            self.publish(m.Finished(self.node, slots, outputs, seconds))

    def prepared(self, session: str, inputs: list[Value]) -> None:
        """An input for each slot."""
        if not self.is_seated_in(session):
            return
        wanted = len(self.model.slots)
        if len(inputs) == wanted:
            self.say(m.Prepared(inputs))
        else:
            self.raised(session, None, f"prepare returned {len(inputs)} inputs for {wanted} slots")

    def collected(self, session: str, output: Value) -> None:
        """The combined output of the session."""
        if self.is_seated_in(session):
            self.say(m.Collected(output))
            if self.state is LEADING and self.place.address != self.address:  # its host is far away
                self._hand_up(m.HandUp(output, loss_of(self.model.slots)))

    def raised(self, session: str, slot: int | None, error: str, local: bool = False) -> None:
        """A function of the job raised, computing `slot` or (None) in prepare or collect.

        `local`: it is the fault of this machine, not of the job.
        """
        stale = slot is not None and slot not in self.claims
        if not self.is_in(session) or self.seat is None or stale:
            return
        model: Computation = self.model
        failure = m.Failure(session, None if slot is None else model.shape.first + slot, error)
        before = model.steps.failures(self.node, slot)
        failed = m.Failed(self.node, slot, failure, False, before, (), local)
        if slot is not None:
            self.claims = ()  # the rest of these was not begun
            self.publish(failed)
        elif self.takes_part:  # else it counts for nothing: the model tells the next leader to try
            self.say(failed)


Worker.actions = {
    **Participant.actions,
    m.Compute: Worker._compute,
    m.Prepare: Worker._prepare,
    m.Collect: Worker._collect,
    m.HandUp: Worker._hand_up,
    m.Abort: Worker._abort,
}
