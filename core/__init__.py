"""The computation itself: what a session of it is, who leads it, who computes what.

No clock, no sockets, no randomness: time comes in as an argument, actions go out through a
`Port`. `sim` and `transports` each bring one; the classes here are the same on both. In the order
in which to read it:

- `computation.py`, `worker.py`: the model, and one participant's view of it. Begin here.
- `slots.py`, `cutting.py`: who has which slot, and how many there are. `columns.py`: as plain data.
- `steps.py`, `stragglers.py`, `tries.py`, `losses.py`: prepare and collect; what is late; what has
  failed, and who tries again; what is given up.
- `messages.py`, `rights.py`: what is said, and by whom it is believed. `jobs.py`: what a
  worker asks of a transport.
- `sessions/`: what keeps all that alive. It knows nothing of the files above.
"""

from core.computation import Computation
from core.cutting import Shape
from core.jobs import JobPort
from core.sessions import Host, Reflector, Replica, Session
from core.worker import Worker

__all__ = [
    "Computation", "Host", "JobPort", "Reflector", "Replica", "Session", "Shape", "Worker",
]  # fmt: skip
