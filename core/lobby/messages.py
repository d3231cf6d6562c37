"""What is said in a lobby, beside what is said in any session (`core/sessions/messages.py`)."""

from __future__ import annotations

from typing import Final

from core.sessions.messages import Data, Node

__all__ = ["SETTLE", "Counted", "Draining", "Opened", "Settle"]


class Opened(Data, frozen=True):
    """Reflector, when it first sends somebody below that slot: its holder leads a session there."""

    slot: int


class Draining(Data, frozen=True):
    """Participant, when it is about to go: nobody new is to be sent below its slot."""

    node: Node


class Counted(Data, frozen=True):
    """Call, not ordered: of the child session `child`, from its host, by way of its leader."""

    child: int
    nodes: int  # at home there and below, the leader included
    spaces: int  # how many more could be at home there to whom nobody can connect
    asked: int  # how many have come there that were sent from here


class Settle(Data, frozen=True):
    """Command to a participant: you are at home here; what you had below is over."""


SETTLE: Final = Settle()  # one for all: it says nothing more
