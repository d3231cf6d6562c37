"""Traces: what happened in a run, written while it goes on, read as tables, drawn as pictures.

In the order in which to read it:

- `schema.py`: what a trace is made of, every event and column.
- `recorder.py`, `writing.py`: what happens in the core becomes rows, and rows become files. Both
  transports call these, in the words of `schema.py`, and nothing else of here.
- `written.py`: the tables as they are in a folder. `rows.py`, `timeline.py`: what follows from
  them. `reading.py`: the face of all that for users, `read` and `Trace`.
- `measures.py`, `pictures/`, `notebook.py`: what pictures draw, and where.
- `story.py`, `page.py`: the page of `python -m sim.report`.
"""

from plugins.tracing.reading import Trace, read
from plugins.tracing.schema import TraceError

__all__ = ["Trace", "TraceError", "read"]
