"""Pictures of a trace: functions that return Altair charts, for notebooks and for pages.

`tree.py`, `flow.py` and `trouble.py` draw, in the colours of `style.py`; `compare.py` puts the same
picture of several traces side by side.
"""

from plugins.tracing.pictures.compare import PICTURES, side_by_side
from plugins.tracing.pictures.flow import connections, messages, timeline
from plugins.tracing.pictures.tree import moments, rings, telling, tree
from plugins.tracing.pictures.trouble import recovery, stragglers

__all__ = [
    "PICTURES",
    "connections",
    "messages",
    "moments",
    "recovery",
    "rings",
    "side_by_side",
    "stragglers",
    "telling",
    "timeline",
    "tree",
]
