"""Who has which slot of a session: bookkeeping, without a message.

Rules it keeps:
- A slot is *free*, *taken* (it has a worker) or *done*, and done is for ever.
- What failed for good is *lost*, where the rest is to go on: that is done, without an output.
- At most two are on a slot: its worker and one helper. On a slot that is done they may still be at
  work, in vain, until they answer.
- What is many is a column with an entry a slot; what is rare, a small dict by slot.
- Slots are given out in order, those that were given back before those that never were given.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from core import columns, stragglers
from core.cutting import Shape
from core.losses import as_loss, loss_by, shortened
from core.messages import Failure, Loss
from core.sessions.messages import Facts, Node, Value, process_of
from core.sessions.model import Membership, Room
from core.tries import HOPELESS_SECONDS, SECONDS_MAX, Backoffs, processes_of, who_may_try

BATCH_SECONDS: Final = 0.05  # as many short pieces are given at once as fill this

_OWN = (
    "aside", "assigned", "backoffs", "claimed", "done", "failed", "former", "free",
    "fresh", "helpers", "inputs", "lost", "outputs", "paces", "queue", "remaining", "seconds",
    "short", "started", "worker",
)  # fmt: skip
COLUMNS = (*_OWN, "idle", "look")


class Slots(Room):
    """The slots of one session, and who is idle in it."""

    __slots__ = ("leaf", "shape", *_OWN)

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        count = shape.slots
        self.shape = shape
        self.leaf = shape.leaf
        self.inputs: list[Value] | None = None  # None: not prepared yet
        self.outputs: list[Value] = [None] * count
        self.done = bytearray(count)
        self.worker: list[Node | None] = [None] * count  # on a done one: who is at it in vain
        self.assigned = array("I", bytes(4 * count))  # how often to anybody
        self.started = array("d", bytes(8 * count))
        self.seconds = array("d", bytes(8 * count))  # from given to done
        self.helpers: dict[int, Node] = {}
        self.aside: dict[Node, float] = {}  # who had one for too long, and since when
        self.failed: dict[int, tuple[Node, ...]] = {}  # who has, once for each time
        self.lost: dict[int, Loss] = {}  # of those done, what is missing from their outputs
        self.backoffs = Backoffs()
        self.former: dict[int, tuple[Node, ...]] = {}  # who had it, of those that are not done
        self.paces: dict[Node, float] = {}  # seconds a piece, of those who get several at once
        self.free = self.remaining = count
        self.claimed = False  # somebody may have several slots, whatever its pace is by now
        self.short = False  # something is late for which nobody is there, but who is at it
        self.fresh = 0  # the first slot that was never given to anybody, nor any after it
        self.queue: list[int] = []  # given back, the last first; maybe taken or done since

    def __len__(self) -> int:
        return len(self.outputs)

    # -- given and given back --------------------------------------------------------------

    def take(self, node: Node, people: Membership, now: float) -> list[int]:
        """Give `node` the next free slots, but none that it failed if others may try it."""
        taken: list[int] = []
        if self.backoffs and process_of(node) in self.backoffs.present():
            return taken
        refused: dict[int, None] = {}
        done, worker = self.done, self.worker
        count = self.share(node, people)
        while len(taken) < count and (self.queue or self.fresh < len(worker)):
            if self.queue:
                i = self.queue.pop()
            else:
                i, self.fresh = self.fresh, self.fresh + 1
            if done[i] or worker[i] is not None or i in refused:
                continue  # no longer free, or it was there twice
            if i in self.failed and self._others_may_try(i, node, people):
                refused[i] = None
            else:
                taken.append(i)
                self.give(i, node, now)
        if refused:
            self.queue += reversed(refused)
        return taken

    def _others_may_try(self, i: int, node: Node, people: Membership) -> bool:
        failed = self.failed[i]
        others = self.untried(failed, people, 0.0)
        return process_of(node) in processes_of(failed) and bool({*others} - {*self.aside})

    def untried(self, tried: Iterable[Node], people: Membership, now: float) -> list[Node]:
        """Whose turn it is where these have tried; not theirs who may be at something for ever."""
        in_vain = [n for n, done in zip(self.worker, bytes(self.done), strict=True) if done]
        in_vain += [n for n, since in self.aside.items() if now - since > HOPELESS_SECONDS]
        return who_may_try(tried, people, in_vain)

    def fail(self, i: int, node: Node, below: tuple[Node, ...], now: float) -> None:
        """`node`, and before it those `below`, has failed at slot `i`, which it has no more."""
        tried = below if node in below else (node, *below)
        self.failed[i] = (*self.failed.get(i, ()), *tried)
        if not (below and self.shape.keep_going):  # else its backoff was in the session below
            self.backoffs.begin(process_of(node), now)

    def resume(self, now: float) -> None:
        """Whose backoff is over may have something again, and what others had for too long."""
        self.backoffs.end(now)
        stragglers.set_aside(self, now)

    def share(self, node: Node, people: Membership) -> int:
        """How many slots `node` may have at once, where there are any (guided self-scheduling)."""
        if not self.leaf:
            return 1
        if self.inputs is None:
            return 0
        pace, free = self.paces.get(node), self.free
        if pace is None:
            return 1
        likely = free if pace * free <= BATCH_SECONDS else int(BATCH_SECONDS / pace)
        return min(likely, -(-free // people.workers))

    def measure(self, node: Node, pace: float, pieces: int = 1) -> None:
        """Remember who is fast. That a single piece is slow would change nothing."""
        if self.leaf and pace <= BATCH_SECONDS / 2:
            self.paces[node] = pace
        elif pieces > 1:
            self.paces.pop(node, None)

    def chosen(self, slots: tuple[int, ...]) -> tuple[Value, ...]:
        """Their inputs, which are known."""
        assert self.inputs is not None
        return tuple([self.inputs[i] for i in slots])

    def give(self, i: int, node: Node, now: float) -> None:
        """Slot `i` is that node's from now on."""
        self.worker[i], self.started[i] = node, now
        self.assigned[i] += 1
        self.free -= 1

    def release(self, i: int) -> None:
        """Nobody holds slot `i` any more, unless its helper carries on."""
        helper, worker, self.worker[i] = self.helpers.pop(i, None), self.worker[i], None
        self.recall(i, worker, helper)
        if helper is not None and self.leaf:
            self.worker[i] = helper  # on a done one in vain, but it will answer and want more
        elif not self.done[i]:
            self.free += 1
            self.queue.append(i)
            if helper is not None:
                self.rest(helper)

    def recall(self, i: int, *nodes: Node | None) -> None:
        """These have had slot `i`: what they still bring of it counts."""
        had = dict.fromkeys(node for node in (*self.former.get(i, ()), *nodes) if node is not None)
        if had and not self.done[i]:
            self.former[i] = tuple(had)

    def remember(self, had: Iterable[Sequence[Any]]) -> None:
        """The same of many slots, as `had` told."""
        for i, nodes in had:
            self.recall(i, *nodes)

    def had(self) -> list[list[Value]]:
        """Of each slot not done that was given to anybody: its number, and to whom."""
        return [
            [i, nodes] for i in range(len(self)) if not self.done[i] and (nodes := self.ever(i))
        ]

    def ever(self, i: int) -> list[Node]:
        """Who has slot `i`, which is not done, or had it."""
        return [*self.former.get(i, ()), *(node for node in self.holders(i) if node is not None)]

    def drop(self, node: Node) -> None:
        """`node` holds nothing any more, and helps nowhere."""
        for i in [i for i, helper in self.helpers.items() if helper == node]:
            del self.helpers[i]
            self.recall(i, node)
        for i, worker in enumerate(self.worker):
            if worker == node:
                self.release(i)

    def answered(self, node: Node) -> bool:
        """Whether that ends what `node` was at for too long."""
        return bool(self.aside) and self.aside.pop(node, None) is not None

    def forget(self, node: Node) -> None:
        """`node` is not there any more."""
        self.aside.pop(node, None)
        self.paces.pop(node, None)
        self.rouse(node)
        self.drop(node)

    def holders(self, i: int) -> tuple[Node | None, Node | None]:
        """Who is at slot `i`: its worker and its helper."""
        return self.worker[i], self.helpers.get(i)

    def claim(self, i: int, node: Node, now: float) -> bool:
        """Give `node` slot `i`, which it had before, if it is free; whether it has it now."""
        if not 0 <= i < len(self) or self.done[i]:
            return False
        if self.worker[i] is not None:
            self.recall(i, node)
            return False
        self.give(i, node, now)
        self.claimed = True
        return True

    def finish(
        self, i: int, node: Node, output: Value, now: float, lost: Loss | None = None
    ) -> bool:
        """`node` brings the output of slot `i`; whether it was at it."""
        if not self.done[i]:
            self.accept(i, output, now - self.started[i], lost)
        if self.worker[i] == node:
            self.worker[i] = None
            return True
        if self.helpers and self.helpers.get(i) == node:
            del self.helpers[i]
            return True
        return False

    def lose(self, i: int, failure: Failure, now: float) -> None:
        """Slot `i` has failed for good, which is not the fault of those who tried."""
        for process in processes_of(self.failed.pop(i, ())):
            self.backoffs.pop(process, None)
        self.accept(i, None, now - self.started[i], loss_by(failure, self.shape.sizes()[i]))

    def accept(self, i: int, output: Value, seconds: float, lost: Loss | None = None) -> None:
        """Slot `i` is done: who helps in a child session may rest."""
        if self.worker[i] is None:
            self.free -= 1  # `take` passes it over
        self.outputs[i], self.done[i] = output, True
        self.seconds[i] = seconds if 0 <= seconds < SECONDS_MAX else 0.0
        self.remaining -= 1
        if lost:
            self.lost[i] = shortened(lost, self.lost.values())
        if self.former:
            self.former.pop(i, None)
        if not self.leaf and i in self.helpers:
            self.rest(self.helpers.pop(i))

    def rest(self, node: Node) -> None:
        """`node` is idle from now on, behind those who are already."""
        if node not in self.idle:
            self.idle.append(node)

    def rouse(self, node: Node) -> None:
        """`node` is idle no more."""
        if node in self.idle:
            self.idle.remove(node)

    def known(self, numbers: Iterable[int] | None = None) -> Facts:
        """The output of each slot done, with the seconds it took, and what was lost, if it was."""
        outputs, done, seconds = self.outputs, self.done, self.seconds
        chosen = range(len(outputs)) if numbers is None else numbers
        facts: Facts = {i: (outputs[i], seconds[i]) for i in chosen if done[i]}
        for i, loss in self.lost.items():
            if i in facts:
                facts[i] += (loss,)
        return facts

    # -- what admission asks ---------------------------------------------------------------

    def watch(self, due: float | None, short: bool) -> None:
        """Look then (None: no step is due), where a leader is to go, or when a backoff is over."""
        self.short = short
        times = [until for _, until in self.backoffs.values() if until]
        if unled := stragglers.unled(self):
            times.append(unled[0])
        self.look = min(times if due is None else [*times, due], default=None)

    def due(self) -> float | None:
        some_fail = self.failed or self.backoffs
        if (self.free and not some_fail) or not self.remaining:
            return None
        overdue = stragglers.overdue(self)
        return overdue and overdue[0]

    def wanted(self) -> bool:
        """Somebody is wanted, too, where those who are there may not have what is to be done."""
        if not (self.short or (self.free and (self.failed or self.backoffs))):
            return self.free > len(self.idle)
        people = {*self.idle, *self.worker, *self.helpers.values()} - {None}
        return self.free > len(self.idle) or len(people) < 2 * self.shape.fanout

    def open(self) -> bool:
        return self.remaining > 0

    def holder(self, child: int) -> Node | None:
        return self.worker[child]

    def times(self, child: int) -> int:
        return self.assigned[child]

    def gave(self, number: int, node: Node) -> bool:
        return 0 <= number < len(self) and node in self.ever(number)

    def over(self, child: int) -> bool:
        return bool(self.done[child])

    def quotas(self) -> list[int]:
        return [] if self.leaf else [size - 1 for size in self.shape.sizes()]

    def turns(self, quotas: list[int]) -> Iterator[int]:
        """First as often as each child session has partitions to offer, then in turn."""
        done, workers, left, anyone = self.done, self.worker, sum(quotas), True
        while anyone or left:
            if not anyone:
                left = 0  # what is left of it belongs to slots that are done
            anyone = False
            for i, worker in enumerate(workers):
                if worker is None or done[i] or (left and not quotas[i]):
                    continue
                if left:
                    left -= 1
                    quotas[i] -= 1
                anyone = True
                yield i

    # -- copies ----------------------------------------------------------------------------

    def plain(self) -> dict[str, Value]:
        """The columns as plain data; of `shape` the session tells."""
        return columns.as_plain(self, COLUMNS)

    def load(self, plain: dict[str, Value]) -> None:
        """Take on what `plain` said."""
        columns.take_on(self, plain, COLUMNS)
        self.lost = {i: as_loss(loss) for i, loss in plain["lost"]}
