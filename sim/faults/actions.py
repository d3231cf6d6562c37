"""The faults by name: what can be done to a simulated world, and to whom.

Plain data. `script` reads and writes them as lines of text, `injection` does them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from core.messages import Node

SUBMITTER: Node = 0  # unless a world says otherwise

# -- to whom: settled at the moment at which the fault happens -----------------------------


@attrs.frozen
class Nodes:
    """Nodes by number; 0 is the submitter."""

    numbers: tuple[Node, ...]


@attrs.frozen
class HostOf:
    """The node on which a session is hosted (the newest, where there are two)."""

    session: str


@attrs.frozen
class LeaderOf:
    """The node that the session's model has as its leader."""

    session: str


@attrs.frozen
class Everyone:
    """All participants of a session, but the submitter."""

    session: str


@attrs.frozen
class Subtree:
    """All participants of a session and of those below it, but the submitter."""

    session: str


@attrs.frozen
class Share:
    """A part, 0 to 1, of all nodes that are there, but the submitter, drawn from the seed.

    With `Restart`: of all that crashed, the submitter among them.
    """

    share: float


Target = Nodes | HostOf | LeaderOf | Everyone | Subtree | Share

# -- what ----------------------------------------------------------------------------------


@attrs.frozen
class Crash:
    """The processes end. `silently`: others do not see the connections close, but miss them."""

    target: Target
    silently: bool = False


@attrs.frozen
class CrashBeforeSession:
    """The next time that one of the target is about to open a session it crashes instead, silently.

    That session is never opened by it.
    """

    target: Target


@attrs.frozen
class Restart:
    """Those of the target that crashed are there again.

    As newcomers; or with `memory`, as a machine that slept: with all it knew, but without its
    connections. The submitter's memory is its store.
    """

    target: Target
    memory: bool = False


@attrs.frozen
class Partition:
    """The target is cut off from `others` (None: from everyone else), or only not heard there."""

    target: Target
    others: Target | None = None
    one_way: bool = False


@attrs.frozen
class Heal:
    """Every fault that is not a crash ends: partitions, flapping, slowness, losses and so on."""


@attrs.frozen
class Slow:
    """What the target sends, receives and computes takes `factor` times as long."""

    target: Target
    factor: float


@attrs.frozen
class Break:
    """Whatever function of the job is called on the target raises."""

    target: Target


@attrs.frozen
class Hang:
    """A function of the job that is called on the target never ends, not even when all heals."""

    target: Target


@attrs.frozen
class SlowLink:
    """What passes between two nodes takes `factor` times as long."""

    one: Node
    other: Node
    factor: float


@attrs.frozen
class Flap:
    """The target is cut off for `every` seconds, then not for as long, and so on `times` times."""

    target: Target
    every: float
    times: int


@attrs.frozen
class Diverge:
    """The replica of `session` that `node` holds (None: its host) is corrupted."""

    session: str
    node: Node | None = None


@attrs.frozen
class DivergeSomewhere:
    """The same, of a session and a replica drawn from the seed, such that a majority is right."""


@attrs.frozen
class Drop:
    """From now on each message is lost with probability `share`, and its connection with it."""

    share: float


@attrs.frozen
class Duplicate:
    """From now on each publication, as after a reconnection, comes twice with that probability."""

    share: float


@attrs.frozen
class Hold:
    """From now on each message, and what follows it, waits `seconds` with probability `share`."""

    share: float
    seconds: float


Action = (
    Crash
    | CrashBeforeSession
    | Restart
    | Partition
    | Heal
    | Slow
    | Break
    | Hang
    | SlowLink
    | Flap
    | Diverge
    | DivergeSomewhere
    | Drop
    | Duplicate
    | Hold
)


@attrs.frozen
class Fault:
    """An action at a simulated second."""

    at: float
    action: Action
