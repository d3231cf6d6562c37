"""A fleet that is there: the line to it, and what was started for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from transports.fleet.asked import Asked
from transports.fleet.errors import FleetLost, Refused
from transports.fleet.line import Line
from transports.fleet.own import NotStarted, Own
from transports.fleet.signing import Signing
from transports.net import wire
from transports.net.connection import ConnectError
from transports.net.security import Security

OWN_PATIENCE_SECONDS = 3.0  # a process on this machine that does not listen is not there


@attrs.frozen
class Opened:
    """`own` is None where others have started it. `partitions`: of a job that says nothing of
    them; None: as many as nodes are there."""

    address: str
    line: Line
    own: Own | None = None
    partitions: int | None = None
    signing: Signing | None = None

    def spec(self, asked: Asked, key: bytes) -> wire.Spec:
        """What is asked for, as it travels in that submission. Raises ValueError."""
        spec = asked.spec(here=self.own is not None)
        if self.signing is None:
            return spec
        return self.signing.signed(asked, spec, key, self.line.fleet)

    def answering(self, asked: Asked) -> Callable[[Any], Any] | None:
        """What makes of what came of that what is to be read, if anything."""
        return None if self.signing is None else partial(self.signing.answer, asked)


def start(nodes: int, processes: int | None) -> Opened:
    """One of one's own. Raises FleetLost."""
    try:
        own = Own(nodes, processes)
    except NotStarted as error:
        raise FleetLost(str(error)) from None
    security = Security(own.token)
    try:
        line = Line(own.address, security, OWN_PATIENCE_SECONDS, own.close)
    except ConnectError as error:
        raise FleetLost(str(error)) from None
    return Opened(own.address, line, own, nodes)


def reach(
    address: str, security: Security, patience_seconds: float, signing: Signing | None = None
) -> Opened:
    """One that others have started. Raises Refused, FleetLost."""
    try:
        line = Line(address, security, patience_seconds, _nothing)
    except ConnectError as error:
        raise (Refused if error.final else FleetLost)(str(error)) from None
    return Opened(address, line, signing=signing)


def _nothing() -> None:
    pass
