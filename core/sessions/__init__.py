"""The session: what keeps any model alive in a tree of sessions, whatever it is a model of.

One order for all, identical replicas, late joiners, nothing acknowledged lost, and a place for
everyone who comes. Nothing here knows what is computed. In the order in which to read it:

- `messages.py`: what is said, by whom, when. `model.py`: what is asked of a model.
- `session.py`, `replica.py`, `digest.py`: the replicated state, a copy of it, what tells two apart.
- `reflector.py`: one order for all. Its rooms: `admission.py` with `alarms.py` (who is let in, and
  that stragglers are noticed), `recovery.py` (state transfer after a loss), `repair.py` with
  `votes.py` (replicas that differ).
- `host.py`: a process that holds reflectors; `backups.py`, what it holds of sessions elsewhere;
  `roles.py`, whom it believes what; `store.py`, its disk.
- `participant.py`, `chain.py`, `states.py`: a node's own side: finding a place, leading, failover.
- `port.py`, `carrier.py`: what participants and reflectors ask of a transport.
"""

from core.sessions.carrier import Carrier
from core.sessions.host import Host
from core.sessions.model import Model, Room
from core.sessions.participant import Participant
from core.sessions.port import Port
from core.sessions.reflector import Reflector
from core.sessions.replica import Replica
from core.sessions.session import Session
from core.sessions.store import Store

__all__ = [
    "Carrier", "Host", "Model", "Participant", "Port", "Reflector", "Replica", "Room",
    "Session", "Store",
]  # fmt: skip
