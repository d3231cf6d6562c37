"""Whether what has arrived is a whole replica of a session, in which all fits together.

The core goes on with a replica that was brought as it is. So one in which a slot is held by nobody
who is there would end the process that believes it, at some later time. What is plain data in the
core's messages has its types here, too.
"""

from __future__ import annotations

from math import inf, isfinite
from typing import Annotated, Any, NamedTuple

import msgspec

from core import Computation, Session, Shape
from core.losses import PIECE_ERROR_MAX, PIECES_MAX, may_be_lost
from core.messages import Node, Value
from core.slots import BATCH_SECONDS
from core.tries import SECONDS_MAX
from transports.net.forms import SESSION

ERROR_LENGTH_MAX = 100_000  # of the text of a failure

Plan = tuple[str, int, int, int, int, bool]
Piece = tuple[SESSION, int | None, Annotated[str, msgspec.Meta(max_length=PIECE_ERROR_MAX)]]
Loss = tuple[
    Annotated[int, msgspec.Meta(ge=1)],
    Annotated[tuple[Piece, ...], msgspec.Meta(max_length=PIECES_MAX)],
]
Facts = dict[int, tuple[Value, float]]  # the output of each slot, and the seconds it took
LossyFacts = dict[int, tuple[Value, float, Loss]]  # the same of those that lost something
Had = list[tuple[int, list[Node]]]  # some slots, and who was given them
_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    """A dict with certain keys."""


class Failure(_Plain):
    """What `core.messages.Failure` makes plain."""

    session: SESSION
    partition: int | None
    error: Annotated[str, msgspec.Meta(max_length=ERROR_LENGTH_MAX)]


Steps = tuple[  # who is at the present step, who failed, the output, why it was given up, ...
    list[Node],
    list[Node],
    list[Value],
    tuple[Failure, bool, list[Node]] | None,
    float | None,
    float,
]  # ... when another one is asked, and after how many seconds the next


class Context(_Plain):
    """What `Computation.context` says."""

    given: bool
    input: Value
    inputs: list[Value] | None
    had: Had


class _Place(_Plain):
    session: str
    route: list[str]


class _Ended(_Plain):
    result: Value
    failure: Failure | None
    key: Annotated[bytes, msgspec.Meta(max_length=64)]
    lost: Loss | None


class _Snapshot(_Plain):
    """What a session, its model and the slots of that say, in this order."""

    session: str
    epoch: list[int]
    seq: _Count
    people: list[Node]
    addresses: list[tuple[Node, str | None]]
    observers: list[Node]
    leader: Node | None
    moved: _Place | None
    ended: _Ended | None
    plan: Plan

    given: bool
    input: Value
    steps: Steps

    inputs: list[Value] | None
    outputs: list[Value]
    done: bytes
    worker: list[Node | None]
    assigned: list[_Count]
    started: list[float]
    seconds: list[float]
    helpers: list[tuple[int, Node]]
    aside: list[tuple[Node, float]]
    failed: Had
    lost: list[tuple[int, Loss]]
    former: Had
    idle: list[Node]
    paces: list[tuple[Node, float]]
    backoffs: list[tuple[int, tuple[_Count, float]]]  # of processes
    look: float | None
    free: int
    remaining: int
    fresh: int
    claimed: bool
    short: bool
    queue: list[int]


FIELDS = frozenset(_Snapshot.__struct_fields__)


class Most(NamedTuple):
    """How far counters may have come. The core has room to count on from there."""

    seq: int
    often: int  # of what is counted a slot


# Who follows goes on from there, and what it has then is to be taken from it elsewhere.
FOLLOWED, TRANSFERRED = Most(2**52, 2**30), Most(2**53, 2**31)
FAILED_MAX = 1000  # times that a slot failed, if the job itself has not by then


def is_within(session: str, top: str) -> bool:
    """Whether it is the session `top`, or lies below it."""
    return f"{session}-".startswith(f"{top}-")


def restored(snapshot: dict[str, Value], shape: Shape, most: Most = TRANSFERRED) -> Session:
    """The state of a session of that shape. Raises ValueError with one line."""
    try:
        seen = msgspec.convert(snapshot, _Snapshot)
        misfit = _foreign(seen, shape, most) or _misfit(seen, shape)
        state = None if misfit else Session.restore(Computation, snapshot)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if state is None:
        raise ValueError(misfit)
    return state


def _foreign(seen: _Snapshot, shape: Shape, most: Most) -> str | None:
    """What cannot be in any session of that shape, if anything."""
    _, raised, collected, abort, due, wait = seen.steps
    columns: list[Any] = [seen.outputs, seen.done, seen.worker, seen.assigned]
    columns += [seen.started, seen.seconds, seen.done if seen.inputs is None else seen.inputs]
    what = _first(
        (seen.session != shape.session or [*seen.plan] != shape.plain(), "another shape"),
        (any(len(column) != shape.slots for column in columns), "so many slots"),
        ({*seen.done} - {False, True}, "slots that are neither done nor not"),
        (len(seen.epoch) != shape.session.count("-") + 1, "such an epoch"),
        (seen.seq >= most.seq, "such a number of messages"),
        (max(seen.assigned) >= most.often, "such counts"),
        (any(times >= most.often for _, (times, _) in seen.backoffs), "such counts"),
        (any(len(nodes) > FAILED_MAX for _, nodes in seen.failed), "such counts"),
        (max(len(raised), len(abort[2]) if abort else 0) > FAILED_MAX, "such counts"),
        (len(collected) > 1, "several outputs"),
        (abort and not is_within(abort[0].session, shape.session), "another's failure"),
        (not all(map(isfinite, (due or 0.0, seen.look or 0.0))), "such times"),
        (not all(0 <= until < inf for _, (_, until) in seen.backoffs), "such times"),
        (not 0 < wait <= SECONDS_MAX, "such times"),
        (not all(map(isfinite, seen.started)), "such times"),
        (not all(isfinite(since) for _, since in seen.aside), "such times"),
        (not all(0 <= seconds < inf for seconds in seen.seconds), "such times"),
        (not all(0 <= pace <= BATCH_SECONDS / 2 for _, pace in seen.paces), "such paces"),
    )
    return what and f"it has {what}"


def _misfit(seen: _Snapshot, shape: Shape) -> str | None:
    """What does not fit together, if anything."""
    busy = {node for node in seen.worker if node is not None}
    busy |= {node for _, node in seen.helpers}
    # Of a session that has moved on nobody is left, and who was at what does not matter any more.
    there = {*seen.people} if not seen.moved else {*seen.people, *seen.idle} | busy
    return (
        _misfit_of_slots(seen, shape.slots)
        or _misfit_of_losses(seen, shape)
        or _misfit_of_people(seen, shape.leaf, busy, there)
    )


def _misfit_of_slots(seen: _Snapshot, count: int) -> str | None:
    known = {*range(count)}
    undone = [w for w, done in zip(seen.worker, seen.done, strict=True) if not done]
    helped, tried = [i for i, _ in seen.helpers], [i for i, _ in seen.failed]
    former = [i for i, _ in seen.former]
    return _first(
        (undone.count(None) != seen.free, "its slots are miscounted"),
        (len(undone) != seen.remaining, "its slots are miscounted"),
        (not 0 <= seen.fresh <= count, "its fresh slots are not there"),
        ({*seen.queue} - known, "its queue has slots that are not there"),
        ({*helped} - known or _repeats(helped), "somebody helps in slots that are not there"),
        ({*tried} - known or _repeats(tried), "somebody failed at slots that are not there"),
        ({*former} - known or _repeats(former), "somebody had slots that are not there"),
    )


def _misfit_of_losses(seen: _Snapshot, shape: Shape) -> str | None:
    lost = [i for i, _ in seen.lost]
    pieces = sum(len(pieces) for _, (_, pieces) in seen.lost)
    return _first(
        ({*lost} - {*range(shape.slots)} or _repeats(lost), "slots are lost that are not there"),
        (not all(map(bool, map(seen.done.__getitem__, lost))), "slots are lost that are not done"),
        (pieces > PIECES_MAX, "it tells of too many losses"),
        (not all(may_be_lost(shape, i, loss) for i, loss in seen.lost), "it has such losses"),
    )


def _misfit_of_people(seen: _Snapshot, leaf: bool, busy: set[Node], there: set[Node]) -> str | None:
    people, addresses = {*seen.people}, [] if leaf else sorted(seen.people)
    asked = [] if seen.moved else seen.steps[0]
    aside = [] if seen.moved else [node for node, _ in seen.aside]
    return _first(
        (seen.moved and people, "it has people, and has moved on"),
        (_repeats(seen.people), "somebody is there twice"),
        (busy - there, "a slot is held by nobody who is there"),
        ({*seen.idle} - there, "somebody is idle who is not there"),
        ({*asked} - people or _repeats(asked), "somebody was asked who is not there"),
        ({*aside} - people or _repeats(aside), "somebody is not counted on who is not there"),
        (_repeats(seen.idle), "somebody is idle twice"),
        ({*seen.observers} - people or _repeats(seen.observers), "it has such observers"),
        ({*seen.observers} & (busy | {*seen.idle}), "an observer takes part"),
        (sorted([n for n, _ in seen.addresses]) != addresses, "it has addresses of others"),
        (seen.leader != next(iter(seen.people), None), "it is not led by the first"),
    )


def _first(*rules: tuple[object, str]) -> str | None:
    """What is wrong by the first rule that is broken."""
    return next((what for broken, what in rules if broken), None)


def _repeats(items: list[int]) -> bool:
    return len({*items}) < len(items)
