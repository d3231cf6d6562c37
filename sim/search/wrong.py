"""What may be wrong for a while, because somebody has not noticed yet."""

from __future__ import annotations

import attrs

from core.messages import Node


@attrs.frozen
class Wrong:
    """An invariant that does not hold now, and what one sees of that.

    What stays wrong is told in the same words again and again.
    """

    invariant: str
    detail: str
    session: str
    node: Node
