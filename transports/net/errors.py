"""Who is at fault where something cannot be said between two processes."""

from __future__ import annotations


class ProtocolError(Exception):
    """Something that cannot be said between two processes."""


class LocalProtocolError(ProtocolError):
    """This process was about to say it."""


class RemoteProtocolError(ProtocolError):
    """The other process said it; the connection cannot be trusted any more."""


class NotGreeted(RemoteProtocolError):
    """The greeting ended without success. The message says in which way the other end is wrong.

    `final`: it will not go better next time. `quiet`: that end merely closed the connection.
    """

    def __init__(self, reason: str, final: bool = True, quiet: bool = False) -> None:
        super().__init__(reason)
        self.final = final
        self.quiet = quiet
