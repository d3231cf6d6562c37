"""Many runs of the simulator: every combination of some parameters' values, and one table.

from sim.sweep import sweep

table = sweep({"fanout": [10, 100], "nodes": [1000], "seed": range(3)}, jobs=2, delay=2.5)

Each run has a process of its own. `sweep` returns a polars DataFrame with a row a run, as
`python -m sim.sweep` writes it to a file; `grid` and `run` are its two halves.

In the order in which to read it: `points.py` (what is to be run; a parameter's default is that of
`sim.options`), `outcome.py`, `process.py` and `running.py` (each run in a process of its own),
`table.py` and `file.py` (a row a run), `overview.py` and `theory.py` (what is seen in it), then
`options.py` and `__main__.py`, the command line, which is on top of all of them.
"""

from sim.sweep.points import grid
from sim.sweep.running import run, sweep

__all__ = ["grid", "run", "sweep"]
