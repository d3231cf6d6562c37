"""Which large values are needed here: those that a session names, or is about to take in.

Rules it keeps:
- Bytes are brought for what counts, and changes something. Of a slot that is done, or an input that
  is known, whatever else is said names bytes that nobody will read.
- What was brought, and was not taken in after all, as somebody else was faster, is removed.
- What nobody here knows of is not brought because others ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core import Reflector, Session
from core import messages as m
from core.messages import Node, Value
from core.sessions.roles import COUNTS, SAYS, of_message
from transports.values.handles import KEY, Handle, among, handles


def of_call(reflector: Reflector | None, node: Node, call: Any) -> list[Handle]:
    """The values that the session takes in if `node` says that there now."""
    if not isinstance(call, m.Message) or reflector is None or not handles(call):
        return []
    if node in reflector.members:
        role = reflector.model.says.get(type(call)) or SAYS[type(call)]
        if of_message(reflector, node, call, role) is not COUNTS:
            return []
    elif node != reflector.opener or type(call) is not m.Given:  # it may be there in a moment
        return []
    return among(_taken_in(reflector.state, call))


def _taken_in(state: Session, call: Any) -> list[Value]:
    """Of what is said, what is not known yet."""
    model: Any = state.model
    match call:
        case m.Finished(slots=slots, outputs=outputs):
            done = model.slots.done
            return [out for i, out in zip(slots, outputs, strict=True) if not done[i]]
        case m.Given() if not model.given:
            return [call.input]
        case m.Prepared() if model.slots.inputs is None:
            return call.inputs
        case m.Collected() if not model.steps.collected:
            return [call.output]
        case m.Ended() if state.ended is None:
            return [call.result]
    return []


def of_state(state: Session) -> Iterator[Handle]:
    """The values that a session of a computation names."""
    model: Any = state.model
    ended = state.ended
    yield from among((model.input, ended.result if ended else None))
    yield from among(model.slots.inputs or ())
    yield from among(model.slots.outputs)
    yield from among(model.steps.collected)


def of_fact(fact: Value) -> list[Handle]:
    """The values that one thing names which is known of a session for good."""
    return among(fact if isinstance(fact, list | tuple) else (fact,))


def names(state: Session, sha: str) -> bool:
    """Whether that value is among them."""
    return any(handle[KEY] == sha for handle in of_state(state))
