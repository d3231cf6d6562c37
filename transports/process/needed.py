"""Which large values are needed here: those that a session names, or is about to take in.

Rules it keeps:
- Bytes are brought for what counts, and changes something. Of a slot that is done, or an input that
  is known, whatever else is said names bytes that nobody will read.
- What was known before a loss is taken in only where its bytes are here.
- What is said of values that nobody has does not count: who says so has failed, and others try.
- What was brought, and was not taken in after all, as somebody else was faster, is removed.
- What nobody here knows of is not brought because others ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from core import Computation, Reflector, Session
from core import messages as m
from core.messages import Facts, Node, Value
from core.sessions.roles import COUNTS, SAYS, of_message
from transports.values.handles import KEY, Handle, among, handles


def of_call(reflector: Reflector | None, node: Node, call: Any) -> list[Handle]:
    """The values that the session takes in if `node` says that there now."""
    if reflector is not None and type(call) is m.StateTransfer:
        waits = node in reflector.recovery.transferring
        return among(_brought(reflector.state, call.snapshot)) if waits else []
    if not isinstance(call, m.Message) or reflector is None or not handles(call):
        return []
    if node in reflector.members:
        role = reflector.model.says.get(type(call)) or SAYS[type(call)]
        if of_message(reflector, node, call, role) is not COUNTS:
            return []
    elif node != reflector.opener or type(call) is not m.Given:  # it may be there in a moment
        return []
    return among(_taken_in(reflector.state, call))


def failed(reflector: Reflector, node: Node, call: Any, lacking: list[Handle]) -> m.Failed | None:
    """What that call of `node` comes to where nobody has these of its values."""
    model, shas = reflector.model, {handle[KEY] for handle in lacking}
    shape, slot = model.shape, None
    match call:
        case m.Finished():
            outputs = zip(call.slots, call.outputs, strict=True)
            slot = next(i for i, output in outputs if among([output]) and output[KEY] in shas)
        case m.Prepared() | m.Collected():
            pass
        case _:  # nobody else can say it
            return None
    error = f"nobody has the blob {lacking[0][KEY]:.16}"
    failure = m.Failure(shape.session, None, error)
    if slot is not None and shape.leaf:
        failure = m.Failure(shape.session, shape.first + slot, error)
    elif slot is not None:
        failure = m.Failure(shape.child(slot).session, None, error)
    return m.Failed(node, slot, failure, False, model.steps.failures(node, slot), (), local=True)


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


def _brought(state: Session, snapshot: dict[str, Value]) -> list[Value]:
    """Of a replica from before a loss, what is not known yet."""
    model: Any = state.model
    if not isinstance(model, Computation):
        return []
    done, before = model.slots.done, snapshot["done"]
    found = [out for i, out in enumerate(snapshot["outputs"]) if before[i] and not done[i]]
    found += [] if model.given else [snapshot["input"]]
    return found + ((snapshot["inputs"] or []) if model.slots.inputs is None else [])


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


def facts_here(facts: Facts, has: Callable[[str], bool]) -> Facts:
    """Those all of whose values are here."""
    return {
        number: fact
        for number, fact in facts.items()
        if all(has(handle[KEY]) for handle in of_fact(fact))
    }


def restored(facts: Facts, context: Any, has: Callable[[str], bool]) -> m.Restored:
    """What can be taken in of what was known before a loss.

    A leader says the input again, and is told to prepare again, where there is none.
    """
    if context is not None and "inputs" in context:
        whole = all(has(handle[KEY]) for handle in among([context["input"]]))
        given = {} if whole else {"given": False, "input": None}
        whole = all(has(handle[KEY]) for handle in among(context["inputs"] or ()))
        context = {**context, **given, **({} if whole else {"inputs": None})}
    return m.Restored(facts_here(facts, has), context)


def names(state: Session, sha: str) -> bool:
    """Whether that value is among them."""
    return any(handle[KEY] == sha for handle in of_state(state))
