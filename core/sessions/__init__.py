"""The session: what keeps any model alive in a tree of sessions, whatever it is a model of.

One order for all, identical replicas, late joiners, nothing acknowledged lost, and a place for
everyone who comes. What is asked of a model and of a view stands in `model.py` and at the top of
`participant.py`. Nothing here knows what is computed.
"""

from core.sessions.host import Host
from core.sessions.model import Model, Room
from core.sessions.participant import Participant, Port
from core.sessions.reflector import Carrier, Reflector
from core.sessions.replica import Replica
from core.sessions.session import Session
from core.sessions.store import Store

__all__ = [
    "Carrier", "Host", "Model", "Participant", "Port", "Reflector", "Replica", "Room",
    "Session", "Store",
]  # fmt: skip
