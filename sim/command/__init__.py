"""The command line of the simulator: what it reads, and what it tells.

- `options.py`: the options of a world (`sim.options` has them, with their defaults), and what the
  command line alone has.
- `running.py`: what is done then, from the world to the exit code.
- `jobs.py`, `fleets.py`: the same of a fleet: a file of jobs, and a run of all of them.
- `follow.py`: a world that tells the life of one node.
- `progress.py`, `summary.py`: what is told while a run goes on, and at its end.

`sim.__main__` reads the options, and only then loads what runs. A sweep takes from here how a run
that could not finish is told.
"""
