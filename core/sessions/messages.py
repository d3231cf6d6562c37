"""What is said in any session. Each line tells who says it to whom, and when.

Three kinds. *Calls* pass between one participant and one host, unordered. *Messages* are
ordered by a session's reflector and change its state: past tense, they happened. *Commands*
are what a session has for one participant's view to do: imperative, never sent as such, every
replica derives them from the messages. A model adds messages and commands of its own.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attrs import frozen
else:  # mypy keeps them frozen; at run time that check would double the cost of each
    from attrs import define as frozen

__all__ = [  # noqa: RUF022  in the order in which they stand here
    "Node", "Address", "Epoch", "Value", "Facts", "Place",
    "Past", "Arrive", "Redirect", "Wait", "TurnedAway", "Absent", "SendState", "StateTransfer",
    "Vote", "Backup", "Key", "Open", "Leave",
    "Joined", "Left", "Restored", "Alarm", "Moved", "Ended",
    "Lead", "Supply", "Visit", "Rest", "TakeOver", "KeepBackup", "Go", "Stop",
    "Reply", "process_of",
]  # fmt: skip

Node = int
NODE_BITS = 20  # of a node's number, where those above are its process's
ALONE_BELOW = 2**40  # a node of a lower number is a process of its own
Address = Any  # what the transport connects to: plain data
# Of one assignment of a session: how often it was given to somebody, and before that the same of
# each session above it. So whatever the parent's newer incarnation assigns is newer, too. Of the
# root, which nobody assigns: when it was opened.
Epoch = tuple[int, ...]
Value = Any  # plain data: None, bool, int, float, str, bytes, list, dict
Facts = dict[int, Value]  # what a model knows for good, by number


def process_of(node: Node) -> int:
    """The process, and so the machine, of a node. Simulated nodes are processes of their own."""
    return node if node < ALONE_BELOW else node >> NODE_BITS


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

    def child(self, number: int, address: Address) -> Place:
        return Place(intern(f"{self.session}-{number}"), (*self.route, address))

    def is_at(self, other: Place) -> bool:
        """Whether it is the same session at the same host, whatever the way there."""
        return self.session == other.session and self.route[-1] == other.route[-1]

    def towards(self, session: str) -> int:
        """The number of the child session that `session` below is, or lies under; -1: none is."""
        number = session[len(self.session) + 1 :].partition("-")[0]
        return int(number) if self.leads_to(session) and number.isdecimal() else -1

    def leads_to(self, session: str) -> bool:
        """Whether `session` lies somewhere below this one."""
        return session.startswith(self.session + "-")


# -- calls ---------------------------------------------------------------------------------


@frozen
class Past:
    """What somebody who comes back, or comes with a team, has from before."""

    bound: str  # the session below this one that it leads or looks for, or ""
    claims: tuple[int, ...]  # what the model had given it here, and it is still at
    epoch: Epoch  # of the replica that it brings of this session
    seq: int  # 0: it brings none
    seal: bytes = b""  # that shows that it followed that incarnation


@frozen
class Arrive:
    """Node -> reflector: have you a place for me?"""

    node: Node
    address: Address | None  # where it listens; None: it does not
    about: Value  # what the model may want to know of it
    past: Past | None = None
    observes: bool = False  # the submitter: leads, and the model gives it nothing


@frozen
class Redirect:
    """Reflector -> arrival: go there."""

    place: Place


@frozen
class Wait:
    """Reflector -> arrival: stay as a standby, you will be called."""


@frozen
class TurnedAway:
    """Reflector -> arrival: nothing for you; ask at the root again after a while."""

    seconds: float


@frozen
class Absent:
    """Host -> arrival: no such session here; try one level up."""


@frozen
class SendState:
    """Reflector -> arrival: your replica knows more than mine, send it."""


@frozen
class StateTransfer:
    """Arrival -> reflector: the replica asked for, as a snapshot."""

    snapshot: dict[str, Value]


@frozen
class Vote:
    """Participant -> reflector, every so often: the digest of each field of its replica."""

    epoch: Epoch
    seq: int
    digests: dict[str, str]


@frozen
class Backup:
    """Leader of a session that is in one process only -> host of one above it: keep these.

    Host -> whom it has lead that session, or one above it, and that node -> its own host: the same.
    """

    session: str
    facts: Facts


@frozen
class Key:
    """Host -> whom it has lead that session, before it is told, and that node -> its own host.

    By the key the host of a session knows its earlier participants again.
    """

    session: str
    key: bytes


@frozen
class Open:
    """Leader -> its host, before it arrives there: open this session."""

    place: Place
    epoch: Epoch
    plan: Value  # what its model begins with
    again: bool = False  # the root, whose host was lost: its people are about to come back


@frozen
class Leave:
    """Participant -> reflector: I am going, though my connection stays."""


# -- messages ------------------------------------------------------------------------------


@frozen
class Joined:
    """Reflector, when it admits an arrival; `claims` is what the newcomer keeps or is to take."""

    node: Node
    address: Address | None
    about: Value
    claims: tuple[int, ...]
    observes: bool


@frozen
class Left:
    """Reflector, when a participant has gone."""

    node: Node


@frozen
class Restored:
    """Reflector of a reopened session, when somebody brought a replica that knows more."""

    facts: Facts
    context: Value


@frozen
class Alarm:
    """Reflector, when somebody is idle and something has become late, or is to be looked at."""


@frozen
class Moved:
    """Leader, when its team goes on to another session."""

    node: Node
    place: Place


@frozen
class Ended:
    """Leader of the root, when all is over: the result, or what went wrong."""

    result: Value
    failure: Value = None
    key: bytes = b""  # shows that it comes from the submitter
    lost: Value = None  # what is missing from the result, if anything is


# -- commands ------------------------------------------------------------------------------


@frozen
class Lead:
    """To a participant: this child session is yours, lead it; and say `first` there."""

    child: int
    epoch: Epoch
    first: Any = None  # a message, if there is one by now


@frozen
class Supply:
    """To the holder of a child session: say this there, now and whenever you open it anew."""

    child: int
    first: Any


@frozen
class Visit:
    """To an idle participant: help in this late child session, which is at `address`."""

    child: int
    address: Address | None


@frozen
class Rest:
    """To a participant: what you sent has counted, and there is nothing for you just now."""


@frozen
class TakeOver:
    """To a participant: you are the leader now."""


@frozen
class KeepBackup:
    """To the leader: nobody here is in another process, have one know these facts, too."""

    facts: Facts


@frozen
class Go:
    """To each of a team: your leader has gone there, follow."""

    place: Place


@frozen
class Stop:
    """To everyone: all is over."""

    ended: Ended


Reply = Redirect | Wait | TurnedAway | Absent | SendState | Backup | Key | Stop
