"""What is said in any session. Each line tells who says it to whom, and when.

Three kinds. *Calls* pass between one participant and one host, unordered. *Messages* are
ordered by a session's reflector and change its state: past tense, they happened. *Commands*
are what a session has for one participant's view to do: imperative, never sent as such, every
replica derives them from the messages. A model adds messages and commands of its own.
"""

from __future__ import annotations

from sys import intern
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

__all__ = [  # noqa: RUF022  in the order in which they stand here
    "Node", "Address", "Epoch", "Value", "Facts", "Data", "Place",
    "Past", "Arrive", "Redirect", "Wait", "TurnedAway", "Absent", "SendState", "StateTransfer",
    "Vote", "Backup", "Key", "Open", "Leave",
    "Joined", "Left", "Restored", "Alarm", "Moved", "Ended",
    "Lead", "Supply", "Visit", "Rest", "REST", "TakeOver", "KeepBackup", "Go", "Stop",
    "Reply", "as_dict", "process_of",
]  # fmt: skip

# Compiled, a node's number stays the object that it is: of an int many a use would make another.
IS_COMPILED = False  # but in the eyes of mypyc (mypyc.ini)
if IS_COMPILED:  # noqa: SIM108 - only so do type checkers choose
    Node = Any
else:
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


class Data(Struct, frozen=True, gc=False, array_like=True, tag=True):
    """What is said, or a part of it: named fields that stay as they are.

    A node needs a dozen of these, so they are small, made without a call in Python, and of no
    concern to the garbage collector: what is said holds plain data, which never refers back.
    Encoded by msgspec, each is an array that begins with the name of its class.
    """


def as_dict(data: Data) -> dict[str, Value]:
    """Its fields by name, as plain data all the way down."""
    named = {field.name: getattr(data, field.name) for field in fields(data)}
    return {name: as_dict(v) if isinstance(v, Data) else v for name, v in named.items()}


class Place(Data, frozen=True, tag=False):
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


class Past(Data, frozen=True, tag=False):
    """What somebody who comes back, or comes with a team, has from before."""

    bound: str  # the session below this one that it leads or looks for, or ""
    claims: tuple[int, ...]  # what the model had given it here, and it is still at
    epoch: Epoch  # of the replica that it brings of this session
    seq: int  # 0: it brings none
    seal: bytes = b""  # that shows that it followed that incarnation


class Arrive(Data, frozen=True):
    """Node -> reflector: have you a place for me?"""

    node: Node
    address: Address | None  # where it listens; None: it does not
    about: Value  # what the model may want to know of it
    past: Past | None = None
    observes: bool = False  # the submitter: leads, and the model gives it nothing


class Redirect(Data, frozen=True):
    """Reflector -> arrival: go there."""

    place: Place


class Wait(Data, frozen=True):
    """Reflector -> arrival: stay as a standby, you will be called."""


class TurnedAway(Data, frozen=True):
    """Reflector -> arrival: nothing for you; ask at the root again after a while."""

    seconds: float


class Absent(Data, frozen=True):
    """Host -> arrival: no such session here; try one level up."""


class SendState(Data, frozen=True):
    """Reflector -> arrival: your replica knows more than mine, send it."""


class StateTransfer(Data, frozen=True):
    """Arrival -> reflector: the replica asked for, as a snapshot."""

    snapshot: dict[str, Value]


class Vote(Data, frozen=True):
    """Participant -> reflector, every so often: the digest of each field of its replica."""

    epoch: Epoch
    seq: int
    digests: dict[str, str]


class Backup(Data, frozen=True):
    """Leader of a session that is in one process only -> host of one above it: keep these.

    Host -> whom it has lead that session, or one above it, and that node -> its own host: the same.
    """

    session: str
    facts: Facts


class Key(Data, frozen=True):
    """Host -> whom it has lead that session, before it is told, and that node -> its own host.

    By the key the host of a session knows its earlier participants again.
    """

    session: str
    key: bytes


class Open(Data, frozen=True):
    """Leader -> its host, before it arrives there: open this session."""

    place: Place
    epoch: Epoch
    plan: Value  # what its model begins with
    again: bool = False  # the root, whose host was lost: its people are about to come back


class Leave(Data, frozen=True):
    """Participant -> reflector: I am going, though my connection stays."""


# -- messages ------------------------------------------------------------------------------


class Joined(Data, frozen=True):
    """Reflector, when it admits an arrival; `claims` is what the newcomer keeps or is to take."""

    node: Node
    address: Address | None
    about: Value
    claims: tuple[int, ...]
    observes: bool


class Left(Data, frozen=True):
    """Reflector, when a participant has gone."""

    node: Node


class Restored(Data, frozen=True):
    """Reflector of a reopened session, when somebody brought a replica that knows more."""

    facts: Facts
    context: Value


class Alarm(Data, frozen=True):
    """Reflector, when somebody is idle and something has become late, or is to be looked at."""


class Moved(Data, frozen=True):
    """Leader, when its team goes on to another session."""

    node: Node
    place: Place


class Ended(Data, frozen=True):
    """Leader of the root, when all is over: the result, or what went wrong."""

    result: Value
    failure: Value = None
    key: bytes = b""  # shows that it comes from the submitter
    lost: Value = None  # what is missing from the result, if anything is


# -- commands ------------------------------------------------------------------------------


class Lead(Data, frozen=True):
    """To a participant: this child session is yours, lead it; and say `first` there."""

    child: int
    epoch: Epoch
    first: Any = None  # a message, if there is one by now


class Supply(Data, frozen=True):
    """To the holder of a child session: say this there, now and whenever you open it anew."""

    child: int
    first: Any


class Visit(Data, frozen=True):
    """To an idle participant: help in this late child session, which is at `address`."""

    child: int
    address: Address | None


class Rest(Data, frozen=True):
    """To a participant: what you sent has counted, and there is nothing for you just now."""


REST = Rest()  # one for all: it says nothing more


class TakeOver(Data, frozen=True):
    """To a participant: you are the leader now."""


class KeepBackup(Data, frozen=True):
    """To the leader: nobody here is in another process, have one know these facts, too."""

    facts: Facts


class Go(Data, frozen=True):
    """To each of a team: your leader has gone there, follow."""

    place: Place


class Stop(Data, frozen=True):
    """To everyone: all is over."""

    ended: Ended


Reply = Redirect | Wait | TurnedAway | Absent | SendState | Backup | Key | Stop
