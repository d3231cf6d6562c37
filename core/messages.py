"""What is said in a computation, besides what is said in any session.

The kinds are the same: *messages* happened and are ordered, *commands* are what the model has for
one view to do. `core.sessions.messages` has those of any session, and all calls; from here they
can be had together.
"""

from __future__ import annotations

from core.sessions import messages as s
from core.sessions.messages import *  # noqa: F403  everything that is said, from one place
from core.sessions.messages import Data, Node, Value

# How many partitions were lost, and of some of them session, partition and error.
Loss = tuple[int, tuple[tuple[str, int | None, str], ...]]


class Failure(Data, frozen=True, tag=False):
    """What went wrong in a job's function, and where."""

    session: str
    partition: int | None  # None: in prepare or collect
    error: str

    def plain(self) -> dict[str, Value]:
        """As it stands in `Ended` and in snapshots."""
        return {"session": self.session, "partition": self.partition, "error": self.error}

    @classmethod
    def of(cls, plain: Value) -> Failure | None:
        """What was made `plain`; None for None."""
        return None if plain is None else cls(**plain)


# -- messages ------------------------------------------------------------------------------


class Given(Data, frozen=True):
    """Leader, when it knows its session's input."""

    input: Value


class Prepared(Data, frozen=True):
    """Who was asked to, when it has cut the input."""

    inputs: list[Value]


class Collected(Data, frozen=True):
    """Who was asked to, when it has combined the outputs."""

    output: Value


class Finished(Data, frozen=True):
    """Participant, when it has the outputs of slots; `seconds` is what all of them took.

    `lost`: what of a child session has failed for good. Where that is all, there is no output.
    """

    node: Node
    slots: tuple[int, ...]
    outputs: list[Value]
    seconds: float
    lost: Loss | None = None


class Failed(Data, frozen=True):
    """Participant, when a job's function raised; slot None: in prepare or collect.

    `final`: enough have tried it, nobody else is to. `before`: how often it was counted to have
    failed at this by then, so that what comes twice counts once. `tried`: of a child session, who
    tried there, once for each time. `local`: that machine's fault, however many have it.
    """

    node: Node
    slot: int | None
    failure: Failure
    final: bool = False
    before: int = 0
    tried: tuple[Node, ...] = ()
    local: bool = False


Message = (
    s.Joined | s.Left | Given | Prepared | Collected | Finished | Failed | s.Restored
    | s.Alarm | s.Moved | s.Ended
)  # fmt: skip
Call = s.Arrive | s.Leave | s.StateTransfer | s.Vote | s.Backup | s.Key | s.Open | Message


# -- commands ------------------------------------------------------------------------------


class Compute(Data, frozen=True):
    """To a participant of a leaf session: these slots are yours."""

    session: str
    first: int  # the partition of slot 0
    slots: tuple[int, ...]
    inputs: tuple[Value, ...]


class Prepare(Data, frozen=True):
    """To the leader, and to another one where that is late: cut the input."""

    input: Value


class Collect(Data, frozen=True):
    """To the leader, and to another one where that is late: combine the outputs of the slots."""


class HandUp(Data, frozen=True):
    """To the leader: this is the output of the session, and what it lost; hand that up."""

    output: Value
    lost: Loss | None = None


class Abort(Data, frozen=True):
    """To the leader: this session gives up, carry the failure up."""

    failure: Failure
    final: bool
    tried: tuple[Node, ...]

    def plain(self) -> list[Value]:
        """As it stands in snapshots."""
        return [self.failure.plain(), self.final, list(self.tried)]

    @classmethod
    def of(cls, plain: Value) -> Abort | None:
        """What was made `plain`; None for None."""
        return plain and cls(Failure(**plain[0]), plain[1], tuple(plain[2]))


Command = (
    Compute | s.Lead | s.Supply | s.Visit | s.Rest | s.TakeOver | Prepare | Collect | HandUp
    | s.KeepBackup | Abort | s.Go | s.Stop
)  # fmt: skip
