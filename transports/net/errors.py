"""Who is at fault where something cannot be said between two processes."""

from __future__ import annotations


class ProtocolError(Exception):
    """Something that cannot be said between two processes."""


class LocalProtocolError(ProtocolError):
    """This process was about to say it."""


class RemoteProtocolError(ProtocolError):
    """The other process said it; the connection cannot be trusted any more."""
