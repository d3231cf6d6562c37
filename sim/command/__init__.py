"""The command line of the simulator: what it reads, and what it tells.

- `options.py`: the options of a world (`sim.options` has them, with their defaults), and what the
  command line alone has.
- `follow.py`: a world that tells the life of one node.
- `progress.py`, `summary.py`: what is told while a run goes on, and at its end.

`sim.__main__` puts them together. A sweep takes from here how a run that could not finish is told.
"""
