"""The core on real sockets: many processes, many nodes in each, one connection between any two.

`python -m transports.tcp` submits a computation and starts the bots that do it. In Python it is a
fleet, which computes jobs as they come:

    with transports.Fleet(nodes=100) as fleet:
        print(fleet.run("plugins.primes", 10**6))

In the order in which to read it:

- `net/`: bytes and envelopes, and who is there. `process/`: from an envelope to the core, and back.
- `values/`: what is too large for an envelope. `work/`: the job's functions, in other processes.
- `signing/`: whose code it is that came from elsewhere, and whether that one is trusted here.
- `fleet/`: jobs that are submitted from elsewhere, and who submits them.
- `command/` and `tcp.py`: the command lines, on top of all these.
- `timers.py`: many timers, one task. `logs.py`: what is logged, one line an event. `watching.py`:
  what a process tells of itself.

`command` calls `fleet`, `process`, `work`, `values`, `signing` and `net`; `fleet` and `process`
call those after them. Nothing is called the other way round.
"""

import sys

if sys.argv[:1] == ["-m"]:  # as a program: what is in the folder where it is started comes later
    sys.path.insert(0, __file__.removesuffix("__init__.py").removesuffix("transports/"))
    from plugins.console import early

    early.hear()

from typing import TYPE_CHECKING, Any

__all__ = [
    "AsyncFleet",
    "AsyncJob",
    "Fleet",
    "FleetLost",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobUnknown",
    "Refused",
]

if TYPE_CHECKING:
    from transports.fleet.awaited import AsyncFleet
    from transports.fleet.errors import FleetLost, JobCancelled, JobFailed, JobUnknown, Refused
    from transports.fleet.face import Fleet
    from transports.fleet.submitted import AsyncJob, Job
else:

    def __getattr__(name: str) -> Any:
        """A fleet is loaded when it is asked for: it takes a while, and no help needs one."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from transports.fleet import awaited, errors, face, submitted

        rooms = (face, awaited, submitted, errors)
        return next(getattr(room, name) for room in rooms if hasattr(room, name))

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
