"""The search in lobbies: worlds in which nodes come, stay and go, and no job is computed.

- `trial.py`: what is drawn from a seed, and how it is run.
- `home.py`: what must hold: after every message, and when nothing goes wrong any more.
"""
