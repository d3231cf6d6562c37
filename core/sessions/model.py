"""What a session asks of the model that it keeps alive, and of the people the model is given.

Base classes rather than protocols: they are crossed for every message. What a model does not say
is answered here as by one that is never late, gives nothing out, and has no child sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from mypy_extensions import mypyc_attr

from core.sessions.messages import Address, Arrive, Epoch, Facts, Node, Value
from core.sessions.roles import Role, Verdict

Handler = Callable[[Any, Any, float], None]  # of a model, a message, and its time in seconds
Right = Callable[[Any, Node, Any], Verdict]  # of a model, of whoever says it, and the message


@mypyc_attr(allow_interpreted_subclasses=True)
class Membership:
    """The people of a session, as its model sees them: `people` in join order."""

    __slots__ = ("epoch", "leader", "name", "observers", "people")

    def __init__(self, name: str, epoch: Epoch) -> None:
        self.name = name
        self.epoch = epoch  # of the assignment that opened it
        self.leader: Node | None = None
        self.people: dict[Node, Any] = {}  # on the host, with what leads to each
        self.observers: tuple[Node, ...] = ()

    @property
    def workers(self) -> int:
        """How many there are, but observers."""
        return len(self.people) - len(self.observers)

    def tell(self, node: Node, command: Any) -> None:
        """Have the view of `node` do something."""
        raise NotImplementedError

    def address(self, node: Node) -> Address | None:
        """Where `node` listens; known in sessions that have child sessions."""
        raise NotImplementedError

    def note(self, numbers: Iterable[int] | None = None) -> None:
        """The facts of those numbers, or all that there are, may have become known just now."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class Room:
    """What admission asks of a model. Child sessions are called by their numbers."""

    __slots__ = ("idle", "look")

    def __init__(self) -> None:
        self.idle: list[Node] = []  # people who have nothing to do just now
        self.look: float | None = None  # when something may be late though nobody is idle

    def wanted(self) -> bool:
        """Whether there is something to do for one more, beside those who are idle."""
        return True

    def open(self) -> bool:
        """Whether there may be something to do later, so that it makes sense to stand by."""
        return True

    def due(self) -> float | None:
        """When something becomes late, as session time in seconds; None: nothing can."""
        return None

    def holder(self, child: int) -> Node | None:
        """Who leads that child session."""
        return None

    def times(self, child: int) -> int:
        """How often that child session was given to somebody."""
        return 0

    def gave(self, number: int, node: Node) -> bool:
        """Whether what is called `number` was given to `node`, which may still be at it."""
        return False

    def over(self, child: int) -> bool:
        """Whether nobody needs to go to that child session any more."""
        return False

    def turns(self, quotas: list[int]) -> Iterator[int]:
        """The child sessions to which newcomers are sent, in turn; ends where there is none.

        `quotas`: how many newcomers are still to be sent to each before the turns are equal.
        """
        return iter(())

    def quotas(self) -> list[int]:
        """Those of a session that has just been opened."""
        return []


@mypyc_attr(allow_interpreted_subclasses=True)
class Guide:
    """Asked by a host, in the place of `Room`, for whom there is a place and where others go.

    It may know more than is replicated: what people tell the host by calls that change no state.
    """

    __slots__ = ("reflector",)

    def __init__(self, reflector: Any) -> None:
        self.reflector = reflector

    def seat(self, arrival: Arrive, child: int | None) -> int | None:
        """The number that an arrival is to take in this session; None: it is to go on.

        `child`: the child session, led by nobody just now, to which it belongs.
        """
        return None

    def seated(self, arrival: Arrive, number: int) -> None:
        """It has taken part under that number since just now."""

    def way(self, arrival: Arrive, child: int | None) -> int | None:
        """The child session that an arrival is sent to, which is open; None: it is turned away.

        `child`: the one to which it belongs.
        """
        return None

    def heard(self, node: Node, call: Any) -> None:
        """A participant has told the host something."""

    def ordered(self) -> None:
        """A message was ordered."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Model:
    """The replicated content of one session, changed by `handles` and the methods here alone.

    What they do is a function of the state, the message and its time. `handles` has the handler of
    each message of the model's own.
    """

    __slots__ = ("bound", "children", "people", "plan", "room")

    handles: ClassVar[dict[type, Handler]] = {}
    says: ClassVar[dict[type, Role]] = {}  # who may say each; it names them in a field `node`
    rights: ClassVar[dict[type, Right]] = {}  # whether who has that role was given what it names
    guide: ClassVar[type[Guide] | None] = None

    def __init__(
        self, plan: Value, people: Membership, room: Room, children: int = 0, bound: int = 100
    ) -> None:
        self.plan = plan  # plain data
        self.people = people
        self.room = room
        self.children = children  # numbered child sessions; 0: a leaf
        self.bound = bound  # how many stand by in a leaf, at most

    def load(self, plain: dict[str, Value]) -> None:
        """Take on what `plain` said of an equal model; it may have travelled."""

    def plain(self) -> dict[str, Value]:
        """The whole content as plain data, by field; for snapshots and digests."""
        return {}

    def joined(self, node: Node, about: Value, claims: tuple[int, ...], now: float) -> None:
        """`node` takes part, but no observer; `claims` is what it holds from before."""

    def may_lead(self, node: Node) -> bool:
        """Whether `node`, which takes part, may lead the session."""
        return True

    def left(self, node: Node, now: float) -> None:
        """`node` takes part no more. If it was the leader, the next one has been told."""

    def direct_leader(self, now: float) -> None:
        """There is a leader, maybe a new one: tell it what there is for a leader to do."""

    def late(self, now: float) -> None:
        """What `room.due` said has come, and somebody is idle; or what `room.look` said."""

    def facts(self, numbers: Iterable[int] | None = None) -> Facts:
        """What is known for good, of `numbers` or of all: the fact of a number never changes.

        In a session with children a fact is about the child of that number, which is then over.
        """
        return {}

    def context(self) -> Value:
        """What else is to outlive the session's host."""
        return None

    def merge(self, facts: Facts, context: Value, now: float) -> None:
        """Take in what another replica knows, as a union: facts that are known here stay."""

    def child_plan(self, child: int) -> Value:
        """The plan of the model of that child session."""
        return None


Kind = Callable[[Value, Membership], Model]  # makes the model of a session, of a plan
