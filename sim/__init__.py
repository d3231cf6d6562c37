"""The simulator: a world of nodes in one process, on a SimPy clock.

from sim import World

world = World(nodes=10_000, fanout=100, job="plugins.primes", input=10**7, seed=1)
world.run(until=3.0)          # stop anywhere, look at anything, go on
world.session("0-3").model    # real objects
report = world.run()
"""

import sys

if sys.argv[:1] == ["-m"]:  # as a program: what is in the folder where it is started comes later
    sys.path.insert(0, __file__.removesuffix("__init__.py").removesuffix("sim/"))
    from plugins.console import early

    early.hear()

from sim.record import Report
from sim.world import World

__all__ = ["Report", "World"]
