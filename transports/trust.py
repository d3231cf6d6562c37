"""What another process may say to a host of this one.

The wire format has seen to the types. What is left is whether it can be true: who speaks for a
node must be the process that the node belongs to, slots and shapes must be those of the
computation, and the root is the submitter's own. What is late, or comes twice, is no offence:
the core knows what to do with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import assert_never

from core import Computation, Host, Shape
from core import messages as m
from core.cutting import ROOT
from core.messages import Node
from transports.wire import NODE_BITS, RemoteProtocolError, Said


class Trust:
    """The rules for one computation: `root` is its shape, `host` the one that is spoken to."""

    def __init__(self, root: Shape, host: Host) -> None:
        self._root = root
        self._host = host

    def check(self, number: int, name: str, session: str, node: Node, call: Said) -> None:
        """Whether the process `name` may say this of its `node`. Raises RemoteProtocolError."""
        if node >> NODE_BITS != number:
            raise RemoteProtocolError(f"it speaks for node {node}, which is not one of its own")
        shape = self.shape(session)
        match call:
            case m.Arrive():
                _insist(call.node == node, call, "of another node")
                _insist(call.address in (None, name), call, "from another address")
                _insist(not call.observes, call, "as the submitter")
                _insist(call.pace is None or 0 <= call.pace < math.inf, call, "with such a pace")
                if call.past is not None:
                    self._check_past(session, shape, call.past, call)
            case m.Open():
                _insist(session == call.shape.session == call.place.session, call, "elsewhere")
                _insist(session != ROOT, call, "of the root")
                _insist(call.shape == shape and not call.again, call, "of another shape")
                _insist(call.place.address == self._host.address, call, "at another host")
                _insist(len(call.epoch) == len(call.place.route), call, "with such an epoch")
                _insist(session.count("-") + 1 == len(call.place.route), call, "by such a way")
            case m.Kept():
                _within(self.shape(call.session), call.outputs, call)
            case m.Brought():
                self._check_snapshot(shape, call)
            case m.Prepared():
                _insist(len(call.inputs) == shape.slots, call, "of so many inputs")
            case m.Finished():
                _within(shape, call.slots, call)
                _insist(call.node == node, call, "of another node")
                _insist(0 < len(call.slots) == len(call.outputs), call, "of so many outputs")
                _insist(0 <= call.seconds < math.inf, call, "in such a time")
            case m.Failed():
                _within(shape, () if call.slot is None else (call.slot,), call)
                _insist(call.node == node, call, "of another node")
            case m.Moved():
                _insist(call.node == node, call, "of another node")
                self.shape(call.place.session)
            case m.Given() | m.Ended():
                _insist(session != ROOT or self._leads(session, node), call, "in the root")
            case m.Leave() | m.Vote():
                pass
            case _:
                assert_never(call)

    def shape(self, session: str) -> Shape:
        """The shape of a session of this computation. Raises RemoteProtocolError for another."""
        shape = self._root
        for part in session.split("-")[1:]:
            if shape.leaf or int(part) >= shape.slots:
                raise RemoteProtocolError(f"there is no session {session!r:.60}")
            shape = shape.child(int(part))
        if shape.session != session:
            raise RemoteProtocolError(f"there is no session {session!r:.60}")
        return shape

    def _leads(self, session: str, node: Node) -> bool:
        reflector = self._host.reflectors.get(session)
        return reflector is not None and reflector.model.leader == node

    def _check_past(self, session: str, shape: Shape, past: m.Past, call: Said) -> None:
        _within(shape, past.holding, call)
        _insist(past.seq >= 0, call, "with such a past")
        if past.bound:
            self.shape(past.bound)
            _insist(past.bound.startswith(session + "-"), call, "on its way elsewhere")

    def _check_snapshot(self, shape: Shape, brought: m.Brought) -> None:
        """It must be a whole model of that session, or nothing that follows can be relied upon."""
        try:
            model = Computation.restore(brought.snapshot)
            whole = model.shape == shape and len(model.slots) == shape.slots
            sound = all(slot.seconds + slot.started < math.inf for slot in model.slots)
            inside = all(0 <= slot < shape.slots for slot in model.queue)
        except Exception as error:
            raise RemoteProtocolError(f"no replica: {type(error).__name__}: {error}") from error
        _insist(whole and sound and inside, brought, "of another session")


def _within(shape: Shape, slots: Iterable[int], call: Said) -> None:
    _insist(all(0 <= slot < shape.slots for slot in slots), call, "of slots that are not there")


def _insist(holds: bool, call: Said, what: str) -> None:
    if not holds:
        raise RemoteProtocolError(f"{type(call).__name__} {what}")
