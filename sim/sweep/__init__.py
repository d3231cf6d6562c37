"""Many runs of the simulator: every combination of some parameters' values, and one table.

from sim.sweep import sweep

table = sweep({"fanout": [10, 100], "nodes": [1000], "seed": range(3)}, jobs=2, delay=2.5)

Each run has a process of its own. `sweep` returns a polars DataFrame with a row a run, as
`python -m sim.sweep` writes it to a file; `grid` and `run` are its two halves.

In the order in which to read it: `points.py` (what is to be run; a parameter's default is that of
`sim.options`), `outcome.py`, `process.py` and `running.py` (each run in a process of its own),
`table.py` and `file.py` (a row a run), `overview.py` and `theory.py` (what is seen in it), then the
command line, which is on top of all of them: `options.py`, `sweeping.py` and `__main__.py`.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["grid", "run", "sweep"]

if TYPE_CHECKING:
    from sim.sweep.points import grid
    from sim.sweep.running import run, sweep
else:

    def __getattr__(name: str) -> Any:
        """What runs is loaded when it is asked for: it takes a while, and no help needs it."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from sim.sweep.points import grid
        from sim.sweep.running import run, sweep

        return {"grid": grid, "run": run, "sweep": sweep}[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
