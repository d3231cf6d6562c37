"""Inputs and results of a fleet travel inside one frame: what does not fit is refused in a line."""

from __future__ import annotations

from transports.net import wire
from transports.net.errors import LocalProtocolError
from transports.net.frames import HEADER
from transports.net.limits import FRAME_BYTES_MAX, MADE_BYTES_MAX, made_bytes

REMEDY = "write it to a file that all can read, and pass the name"


class TooLarge(ValueError):
    """It does not fit. The message is one line."""


def fitted(envelope: wire.Submit | wire.Outcome) -> bytes:
    """The frame, which whoever it is for will take. Raises TooLarge; TypeError if it is not plain
    data."""
    what = "the input" if isinstance(envelope, wire.Submit) else "the result"
    try:
        frame = wire.encode(envelope)
    except LocalProtocolError as error:
        if error.__cause__ is not None:
            raise TypeError(f"{what} is no plain data: {error.__cause__}") from error
        raise TooLarge(
            f"{what} is above the limit of {FRAME_BYTES_MAX >> 20} MB: {REMEDY}"
        ) from error
    if made_bytes(frame[HEADER.size :]) > MADE_BYTES_MAX:
        raise TooLarge(f"{what} would take more than {MADE_BYTES_MAX >> 20} MB in memory: {REMEDY}")
    return frame
