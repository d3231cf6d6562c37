"""The computation itself: what a session is, who leads it, who computes what.

No clock, no sockets, no randomness: time comes in as an argument, actions go out through a
`Port`. `sim` and `transports` each bring one; the classes here are the same on both.
"""

from core.computation import Computation
from core.cutting import Shape, choose_fanout
from core.host import Host
from core.reflector import Reflector
from core.replica import Replica
from core.worker import Port, Worker

__all__ = [
    "Computation",
    "Host",
    "Port",
    "Reflector",
    "Replica",
    "Shape",
    "Worker",
    "choose_fanout",
]
