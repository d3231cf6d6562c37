"""Tests, in folders that mirror the rooms: `transports/net/` is tested in `transports/net/`.

What several tests use stands once, in the lowest folder above all of them, in a file that is
called like what it is about: `processes.py` (other processes, looked at and waited for) and
`running.py` (runs of `python -m transports.tcp`) here; `core/harness.py`, `core/events.py`;
`transports/talking.py`, `transports/living.py`, and so on. Fixtures are in `conftest.py`.

What must hold on the simulator and on TCP alike stands in `conformance/`, written there once.
"""

from pathlib import Path

TOP = Path(__file__).parents[1]  # the folder of the project
