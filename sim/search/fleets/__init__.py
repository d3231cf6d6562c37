"""The search in fleets: drawn sequences of jobs on nodes that stay, and a root that may be lost.

- `trial.py`: a trial from its seed to what was found. `job.py`: what is computed.
- `check.py`: what is promised of nodes while jobs come and go. `order.py`: who goes first, and how
  each job ends.
- `probes.py`: states that such a search should reach, counted.

What holds of a session after every message is looked at as in any other trial (`sound.py`).
"""
