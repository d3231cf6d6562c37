"""The computation itself: what a session of it is, who leads it, who computes what.

No clock, no sockets, no randomness: time comes in as an argument, actions go out through a
`Port`. `sim` and `transports` each bring one; the classes here are the same on both.
"""

from core.computation import Computation
from core.cutting import Shape
from core.jobs import JobPort
from core.sessions import Host, Reflector, Replica, Session
from core.worker import Worker

__all__ = [
    "Computation", "Host", "JobPort", "Reflector", "Replica", "Session", "Shape", "Worker",
]  # fmt: skip
