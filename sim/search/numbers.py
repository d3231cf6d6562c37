"""The numbers of nodes in a fault, changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from sim.faults.actions import Fault, Nodes

if TYPE_CHECKING:
    from core.messages import Node

SINGLE_NODES = ("node", "one", "other")  # fields of actions that are a node's number


def renumbered(
    fault: Fault, numbers: Callable[[tuple[Node, ...]], tuple[Node, ...]]
) -> Fault | None:
    """The fault of those that `numbers` makes of its own; None where that is nobody."""
    changes: dict[str, Any] = {}
    for name, value in attrs.asdict(fault.action, recurse=False).items():
        if isinstance(value, Nodes) or (name in SINGLE_NODES and value is not None):
            found = numbers(value.numbers if isinstance(value, Nodes) else (value,))
            if not found:
                return None
            changes[name] = Nodes(found) if isinstance(value, Nodes) else found[0]
    return attrs.evolve(fault, action=attrs.evolve(fault.action, **changes))
