"""What was measured elsewhere, for the simulator: who came when, how long links are.

- `tables.py`: reads a trace of volunteers, or a table of round trips, and says in one line what is
  wrong with a file.
- `places.py`: how far apart any two places of such a table are, those too that have no row.
- `arrivals.py`: when nodes arrive: evenly, so many a second, or as such a trace says.

`sim/blueprint.py` calls these before anything runs.
"""
