"""What the root of a fleet and its nodes tell each other, whatever is computed.

Rules they keep, as on TCP:
- Every node is connected to the root, for as long as both are there; it says that it is there until
  it is told which jobs run. What it takes part in and does not run is over.
- Whoever is there is told what begins and what is over.
- Who meets another root than before (that one was lost) drops all that the old one had begun.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from core.messages import Node
from sim.fleet.trees import Standing

AGAIN_SECONDS_MIN, AGAIN_SECONDS_MAX = 0.5, 2.0  # from one try to reach the root to the next


class What(Enum):
    """What the root says: of which jobs, by number."""

    RUNS = auto()  # these, and no others
    BEGINS = auto()
    OVER = auto()


Said = tuple[int, What, list[int]]  # in which life of the root


class Members:
    """Who is connected to the root. `running`: the jobs that run. `listens`: whether others can
    connect to a node. `on_met`: somebody is there."""

    def __init__(
        self,
        standing: Standing,
        listens: Callable[[Node], bool],
        running: Callable[[], list[int]],
        on_met: Callable[[], None],
    ) -> None:
        self.there: dict[Node, None] = {}  # as the root knows
        self.life = 1  # of the root: how often it was begun
        self._standing = standing
        self._listens = listens
        self._running = running
        self._on_met = on_met
        self._asking: dict[Node, int] = {}  # who has not been told yet, and its how-manyth asking
        self._askings = 0
        self._known: dict[Node, int] = {}  # the life of the root that each node has met
        standing.members = self

    # -- nodes -----------------------------------------------------------------------------

    def come(self, node: Node) -> None:
        """It is there, and knows of nothing."""
        self._standing.alive[node] = 1
        self._known.pop(node, None)
        self._ask(node, 0.0)

    def _ask(self, node: Node, seconds: float) -> None:
        """Have it say that it is there, after a while."""
        self._askings += 1
        self._asking[node] = self._askings
        clock = self._standing.clock
        due = clock.tick + clock.ticks(seconds)
        clock.at(due, (self._say_hello, node, self._askings, AGAIN_SECONDS_MIN))

    def _say_hello(self, node: Node, asking: int, again_seconds: float) -> None:
        """It does, and again if nobody has answered by then."""
        standing, clock = self._standing, self._standing.clock
        if not standing.alive[node] or self._asking.get(node) != asking:
            return
        standing.lines.carry(node, standing.submitter, self._met, node, None, None)
        longer = min(2 * again_seconds, AGAIN_SECONDS_MAX)
        due = clock.tick + clock.ticks(again_seconds)
        clock.at(due, (self._say_hello, node, asking, longer))

    def _told(self, node: Node, said: Said, _: None) -> None:
        """It hears what the root says."""
        life, what, numbers = said
        known = self._known.get(node)
        if what is What.RUNS:
            self._asking.pop(node, None)
            self._known[node] = life
            self._drop(node, lambda number: known not in (None, life) or number not in numbers)
        elif known != life:
            return  # it is of a root that is no more
        if what is What.OVER:
            self._drop(node, lambda number: number in numbers)
        else:
            self._take_part(node, numbers)

    def _drop(self, node: Node, is_over: Callable[[int], bool]) -> None:
        for tree in self._standing.parts_of(node):
            if is_over(int(tree.place.session)):
                tree.over(node)

    def _take_part(self, node: Node, numbers: list[int]) -> None:
        for number in numbers:
            tree = self._standing.trees.get(str(number))
            if tree is not None and not tree.takes_part(node):
                tree.arrive(node, tree.place, self._listens(node))

    # -- the root --------------------------------------------------------------------------

    def _met(self, node: Node, _b: None, _c: None) -> None:
        self.there[node] = None
        self._say(node, What.RUNS, self._running())
        self._on_met()

    def tell(self, what: What, number: int) -> None:
        """Tell everyone who is there."""
        for node in self.there:
            self._say(node, what, [number])

    def _say(self, node: Node, what: What, numbers: list[int]) -> None:
        standing = self._standing
        said = self.life, what, numbers
        standing.lines.carry(standing.submitter, node, self._told, node, said, None)

    def begin_anew(self) -> None:
        """The root was lost, and is there again: nobody is connected."""
        self.life += 1
        self.there.clear()

    # -- connections -----------------------------------------------------------------------

    def notice(self, node: Node, other: Node) -> None:
        """`node` notices that its connection to the other is gone."""
        root = self._standing.submitter
        if node == root:
            self.there.pop(other, None)
        elif other == root and self._standing.alive[node]:
            self._ask(node, AGAIN_SECONDS_MIN)

    def peers(self, node: Node) -> list[Node]:
        """With whom it is connected, whatever is computed."""
        if node == self._standing.submitter:
            return [*dict.fromkeys([*self.there, *self._asking])]
        return [self._standing.submitter] if node in self._known or node in self._asking else []

    def forget(self, node: Node) -> None:
        """Its process is no more."""
        self._asking.pop(node, None)
        self._known.pop(node, None)
