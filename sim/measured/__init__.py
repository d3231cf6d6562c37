"""What was measured elsewhere, for the simulator: who came when, how long links are.

- `tables.py`: reads a trace of volunteers, or a table of round trips, and says in one line what is
  wrong with a file.
- `arrivals.py`: when nodes arrive: evenly, so many a second, or as such a trace says.

`sim/blueprint.py` calls these before anything runs.
"""
