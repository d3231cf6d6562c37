"""Whether what is said is well formed: right in itself, and of a session of that shape.

The wire format has seen to the types, but of what the core has as plain data. Nothing here depends
on who says it, or on what is so by now. All raise RemoteProtocolError, which says what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any, assert_never

import msgspec

from core import Session, Shape
from core import messages as m
from core.losses import may_be_lost
from core.messages import Facts, Message, Reply, Value
from transports.net.errors import RemoteProtocolError
from transports.net.wire import Said
from transports.process import soundness
from transports.values.handles import LARGE_BYTES

TRIED_MAX = 1000  # who tried in a child session that gave up
LOST_MAX = 1000  # pieces that were lost, of which is told beside what is known of one session

Item = Said | Message | Reply  # what is judged


def check_content(message: Message) -> None:
    """That it is right in itself."""
    match message:
        case m.Given():
            _check_small((message.input,), message)
        case m.Prepared():
            _check_small(message.inputs, message)
        case m.Collected():
            _check_small((message.output,), message)
        case m.Finished():
            _check_distinct(message.slots, message)
            _check_small(message.outputs, message)
        case m.Failed():
            insist(len(message.tried) <= TRIED_MAX, message, "after so many tries")
            check_failure(message.failure)
        case m.Ended():
            check_ended(message, message)
        case m.Joined() | m.Left() | m.Moved() | m.Restored() | m.Alarm():
            pass  # `check_fits` looks at these
        case _:
            assert_never(message)


def check_fits(shape: Shape, message: Message) -> None:
    """That it may be ordered in a session of that shape, which its host has judged."""
    match message:
        case m.Prepared():
            insist(len(message.inputs) == shape.slots, message, "of so many inputs")
        case m.Finished():
            check_slots(shape, message.slots, message)
            many = 0 < len(message.slots) == len(message.outputs)
            insist(many, message, "of so many outputs")
            insist(0 <= message.seconds < math.inf, message, "in such a time")
            _check_lost(shape, message, message.lost)
        case m.Failed():
            check_slots(shape, () if message.slot is None else (message.slot,), message)
            within = soundness.is_within(message.failure.session, shape.session)
            insist(within, message, "of another session")
        case m.Joined():
            check_slots(shape, message.claims, message)
            check_pace(message.about, message)
        case m.Restored():
            check_facts(shape, message.facts, message)
            _check_context(shape, message.context, message)
        case m.Given() | m.Collected() | m.Moved() | m.Ended() | m.Left() | m.Alarm():
            pass
        case _:
            assert_never(message)


def check_slots(shape: Shape, slots: Collection[int], item: Item) -> None:
    """They are of that shape, none twice."""
    insist(all(0 <= slot < shape.slots for slot in slots), item, "of slots that are not there")
    _check_distinct(slots, item)


def _check_distinct(slots: Collection[int], item: Item) -> None:
    insist(len({*slots}) == len(slots), item, "of the same slot twice")


def check_pace(about: Value, item: Item) -> None:
    pace = typed(about, float | None, item, "with such a pace")
    insist(pace is None or 0 <= pace < math.inf, item, "with such a pace")


def check_facts(shape: Shape, facts: Facts, item: Item) -> None:
    check_slots(shape, facts, item)
    lossy = {i: fact for i, fact in facts.items() if type(fact) is list and len(fact) == 3}
    whole = {i: fact for i, fact in facts.items() if i not in lossy} if lossy else facts
    outputs = [*typed(whole, soundness.Facts, item, "of such outputs").values()]
    losses = typed(lossy, soundness.LossyFacts, item, "of such losses")
    insist(all(may_be_lost(shape, i, f[2]) for i, f in losses.items()), item, "of such losses")
    insist(pieces(lossy) <= LOST_MAX, item, "of so many losses")
    outputs += [fact[:2] for fact in losses.values()]
    insist(all(0 <= s < math.inf for _, s in outputs), item, "in such a time")
    _check_small([output for output, _ in outputs], item)


def pieces(facts: Facts) -> int:
    """Of how many pieces that were lost these tell, which have the right types."""
    return sum(len(fact[2][1]) for fact in facts.values() if len(fact) == 3)


def _check_lost(shape: Shape, finished: m.Finished, lost: m.Loss | None) -> None:
    """It is what one child session may have lost."""
    if lost is not None:
        good = not shape.leaf and len(finished.slots) == 1
        good = good and may_be_lost(shape, finished.slots[0], lost)
        insist(good, finished, "of such losses")


def _check_context(shape: Shape, plain: Value, item: Item) -> None:
    context = typed(plain, soundness.Context | None, item, "of such a context")
    if context is not None:
        inputs = context.inputs
        insist(inputs is None or len(inputs) == shape.slots, item, "of so many inputs")
        _check_small((context.input, *(inputs or ())), item)
        check_slots(shape, [i for i, _ in context.had], item)


def check_ended(ended: m.Ended, item: Item) -> None:
    _check_small((ended.result,), item)
    typed(ended.failure, soundness.Failure | None, item, "with such a failure")
    typed(ended.lost, soundness.Loss | None, item, "with such losses")


def typed(plain: Value, kind: Any, item: Item, what: str) -> Any:
    """What the core has as plain data, if it is of that kind."""
    try:
        return msgspec.convert(plain, kind)
    except (msgspec.ValidationError, OverflowError):
        insist(False, item, what)


def check_values(state: Session, item: Item | None) -> None:
    """Those that a session of a computation names are small, or handles."""
    model: Any = state.model
    _check_small((model.input, state.ended and state.ended.result), item)
    _check_small(model.steps.collected, item)
    _check_small(model.slots.outputs, item)
    _check_small(model.slots.inputs or (), item)


def _check_small(values: Iterable[Value], item: Item | None) -> None:
    """Whatever is larger travels as a handle."""
    for value in values:
        kind = type(value)
        if kind is int or kind is float or value is None or kind is bool:
            continue
        if len(msgspec.msgpack.encode(value)) > LARGE_BYTES:
            insist(False, item, f"with a value above {LARGE_BYTES} bytes")


def check_failure(failure: m.Failure | None) -> None:
    """Whether it is one that may be told. Raises RemoteProtocolError."""
    if failure is not None and len(failure.error) > soundness.ERROR_LENGTH_MAX:
        raise RemoteProtocolError("a failure of such a length")


def insist(holds: bool, item: Item | None, what: str) -> None:
    if not holds:
        name = type(item).__name__ if item is not None else "Follow"
        raise RemoteProtocolError(f"{name} {what}")
