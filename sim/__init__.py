"""The simulator: a world of nodes in one process, on a SimPy clock.

from sim import World

world = World(nodes=10_000, fanout=100, job="plugins.primes", input=10**7, seed=1)
world.run(until=3.0)          # stop anywhere, look at anything, go on
world.session("0-3").model    # real objects
report = world.run()

In the order in which to read it:

- `options.py`: what a world can be asked for: every option once, with its default and its check.
- `blueprint.py`: what follows from that before anything runs. `deployment.py`: nodes that come and
  go then. `world.py`: one job that they compute; `fleet/`: many, one after the other or at once.
- `clock.py`, `links/`, `work.py`, `store.py`: time, messages on their way, the job, the disk.
- `faults/`: what goes wrong, and in which words. `measured/`: times that somebody has measured.
- `record.py`, `tracing.py`: what is counted of a run, and what is written down of it.
- `command/`, `sweep/`, `search/`, `report.py`: the four command lines. The first three use a world,
  the last one reads the trace of one; a world knows of none of them.
"""

import sys

if sys.argv[:1] == ["-m"]:  # as a program: what is in the folder where it is started comes later
    sys.path.insert(0, __file__.removesuffix("__init__.py").removesuffix("sim/"))
    from plugins.console import early

    early.hear()

from typing import TYPE_CHECKING, Any

__all__ = ["Fleet", "Report", "World"]

if TYPE_CHECKING:
    from sim.fleet.fleet import Fleet
    from sim.record import Report
    from sim.world import World
else:

    def __getattr__(name: str) -> Any:
        """A world is loaded when it is asked for: it takes a while, and no help needs one."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from sim.fleet.fleet import Fleet
        from sim.record import Report
        from sim.world import World

        return {"Fleet": Fleet, "Report": Report, "World": World}[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
