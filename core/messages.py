"""Everything that is said, in one place. Each line tells who says it to whom, and when.

Three kinds. *Calls* pass between one participant and one host, unordered. *Messages* are
ordered by a session's reflector and change its model: past tense, they happened. *Commands*
are what a model has for one participant's view to do: imperative, never sent as such, every
replica derives them from the messages.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

from core.cutting import Shape

if TYPE_CHECKING:
    from attrs import frozen
else:  # mypy keeps them frozen; at run time that check would double the cost of each
    from attrs import define as frozen

Node = int
Address = Any  # what the transport connects to: plain data
# Of one assignment of a session: how often it was given to somebody, and before that the same of
# each session above it. So whatever the parent's newer incarnation assigns is newer, too.
Epoch = tuple[int, ...]
Value = Any  # plain data: None, bool, int, float, str, bytes, list, dict
Outputs = dict[int, tuple[Value, float]]  # by slot, each with the seconds it took


@frozen
class Place:
    """Where a session is: its name, and the address of each host from the root down to it."""

    session: str
    route: tuple[Address, ...]

    @property
    def address(self) -> Address:
        return self.route[-1]

    def parent(self) -> Place | None:
        """The place one level up; None for the root."""
        up = self.session.rpartition("-")[0]
        return Place(up, self.route[:-1]) if up else None

    def child(self, slot: int, address: Address) -> Place:
        return Place(intern(f"{self.session}-{slot}"), (*self.route, address))

    def leads_to(self, session: str) -> bool:
        """Whether `session` lies somewhere below this one."""
        return session.startswith(self.session + "-")


@frozen
class Failure:
    """What went wrong in a job's function, and where."""

    session: str
    partition: int | None  # None: in prepare or collect
    error: str


# -- calls ---------------------------------------------------------------------------------


@frozen
class Past:
    """What somebody who comes back, or comes with a team, has from before."""

    bound: str  # the session below this one that it leads or looks for, or ""
    holding: tuple[int, ...]  # slots of this session it is still working on
    epoch: Epoch  # of the replica that it brings of this session
    seq: int  # 0: it brings none


@frozen
class Arrive:
    """Node -> reflector: have you a place for me?"""

    node: Node
    address: Address | None  # where it listens; None: it does not
    pace: float | None  # seconds a piece, measured so far
    past: Past | None = None
    observes: bool = False  # the submitter: leads, takes no slot


@frozen
class Redirect:
    """Reflector -> arrival: go there."""

    place: Place


@frozen
class Wait:
    """Reflector -> arrival: stay as a spare, you will be called."""


@frozen
class TurnedAway:
    """Reflector -> arrival: nothing for you; ask at the root again after a while."""

    seconds: float


@frozen
class Absent:
    """Host -> arrival: no such session here; try one level up."""


@frozen
class Bring:
    """Reflector -> arrival: your replica knows more than mine, send it."""


@frozen
class Brought:
    """Arrival -> reflector: the replica asked for, as a snapshot."""

    snapshot: dict[str, Value]


@frozen
class Vote:
    """Participant -> reflector, every so often: the digest of each field of its replica."""

    epoch: Epoch
    seq: int
    digests: dict[str, str]


@frozen
class Kept:
    """Leader of a session that is in one process only -> host of one above it: keep these.

    Host -> whom it has lead that session, or one above it, and that node -> its own host: the same.
    """

    session: str
    outputs: Outputs


@frozen
class Open:
    """Leader -> its host, before it arrives there: open this session."""

    shape: Shape
    epoch: Epoch
    place: Place
    again: bool = False  # the root, whose host was lost: its people are about to come back


@frozen
class Leave:
    """Participant -> reflector: I am going, though my connection stays."""


# -- messages ------------------------------------------------------------------------------


@frozen
class Joined:
    """Reflector, when it admits an arrival; `holding` is what the newcomer keeps or is to take."""

    node: Node
    address: Address | None
    pace: float | None
    holding: tuple[int, ...]
    observes: bool


@frozen
class Left:
    """Reflector, when a participant has gone."""

    node: Node


@frozen
class Given:
    """Leader, when it knows its session's input."""

    input: Value


@frozen
class Prepared:
    """Leader, when it has cut the input."""

    inputs: list[Value]


@frozen
class Finished:
    """Participant, when it has the outputs of slots; `seconds` is what all of them took."""

    node: Node
    slots: tuple[int, ...]
    outputs: list[Value]
    seconds: float


@frozen
class Failed:
    """Participant, when a job's function raised; slot None: in prepare or collect.

    `final`: the retries were made further down, this only carries the failure up. `before`: how
    often it was counted to have failed at this by then, so that what comes twice counts once.
    """

    node: Node
    slot: int | None
    failure: Failure
    final: bool
    before: int = 0


@frozen
class Restored:
    """Reflector of a reopened session, when somebody brought a replica that knows more."""

    snapshot: dict[str, Value]


@frozen
class Late:
    """Reflector, when somebody is idle and a slot has become late."""


@frozen
class Moved:
    """Leader, when its team goes on to another session."""

    node: Node
    place: Place


@frozen
class Ended:
    """Leader, when the whole computation is over: its result, or the failure."""

    result: Value
    failure: Failure | None


Message = Joined | Left | Given | Prepared | Finished | Failed | Restored | Late | Moved | Ended
Call = Arrive | Leave | Brought | Vote | Kept | Open | Message


# -- commands ------------------------------------------------------------------------------


@frozen
class Compute:
    """To a participant of a leaf session: these slots are yours."""

    session: str
    first: int  # the partition of slot 0
    slots: tuple[int, ...]
    inputs: tuple[Value, ...]


@frozen
class Lead:
    """To a participant of an interior session: this slot is yours, lead its child session."""

    slot: int
    epoch: Epoch
    given: bool
    input: Value


@frozen
class Supply:
    """To the holder of an interior slot, when the slot's input becomes known."""

    slot: int
    input: Value


@frozen
class Reinforce:
    """To an idle participant of an interior session: help with this late slot, at `address`."""

    slot: int
    address: Address | None


@frozen
class Rest:
    """To a participant: what you sent has counted, and there is nothing for you just now."""


@frozen
class TakeOver:
    """To a participant: you are the leader now."""


@frozen
class Prepare:
    """To the leader: cut the input."""

    input: Value


@frozen
class Collect:
    """To the leader: all slots are complete, combine the outputs."""


@frozen
class Keep:
    """To the leader: nobody here is in another process, have one know these outputs, too."""

    outputs: Outputs


@frozen
class Abort:
    """To the leader: the retries are used up, carry the failure up."""

    failure: Failure


@frozen
class Go:
    """To each of a team: your leader has gone there, follow."""

    place: Place


@frozen
class Stop:
    """To everyone: the computation is over."""

    ended: Ended


Command = (
    Compute | Lead | Supply | Reinforce | Rest | TakeOver | Prepare | Collect | Keep | Abort | Go
    | Stop
)  # fmt: skip
Reply = Redirect | Wait | TurnedAway | Absent | Bring | Kept | Stop
