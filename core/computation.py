"""The model of one session: who is in it, who does what, what is done.

Rules it keeps:
- Only `apply` changes it, one ordered message at a time; what follows is a function of the
  state, the message and its time alone. Replicas that saw the same messages are equal.
- The first to join leads; when the leader goes, the next in join order leads.
- A slot is *free*, *taken* (it has a worker) or *done*, and done is for ever: the first output
  counts, whoever brings it, and later ones change nothing. So a message that comes twice,
  or from somebody who was believed lost, does no harm.
- What is done in an interior session all of whose people are in one process, its leader is to
  have kept in another, so that it takes two deaths to lose it.
- A participant holds slots, or is idle. Idle people and free slots never stay side by side,
  except before the inputs of a leaf session are there, and where a node would be handed
  again the very slot that it failed, while others are there to try it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import assert_never

import attrs

from core import messages as m
from core.cutting import Shape
from core.messages import Address, Command, Epoch, Message, Node, Value

BATCH_SECONDS = 0.05  # as many short pieces are given at once as fill this
TRIES = 3  # of a function that raises


@attrs.define
class Slot:
    """A partition (leaf session) or a child session (interior session)."""

    input: Value = None
    output: Value = None
    done: bool = False
    worker: Node | None = None  # who works on it; on a done one: still, in vain
    helper: Node | None = None
    assigned: int = 0  # how often
    started: float = 0.0
    seconds: float = 0.0  # from given to done
    failed: tuple[Node, ...] = ()


@attrs.frozen
class Participant:
    """One who has joined. Where it listens matters, and is kept, in interior sessions only."""

    address: Address | None = None
    pace: float | None = None  # seconds a piece
    observes: bool = False


_NEWCOMER = Participant()  # most of the people of leaf sessions, who need not be an object each


@attrs.define
class Computation:
    """The replicated state of one session."""

    shape: Shape
    epoch: Epoch = (1,)  # of the assignment that opened it
    seq: int = 0
    given: bool = False
    input: Value = None
    prepared: bool = False
    slots: list[Slot] = attrs.Factory(
        lambda self: [Slot() for _ in range(self.shape.slots)], takes_self=True
    )
    fresh: int = 0  # the first slot that was never given to anybody, nor any after it
    queue: deque[int] = attrs.Factory(deque)  # given back, and maybe taken or done since
    free: int = attrs.Factory(lambda self: self.shape.slots, takes_self=True)
    remaining: int = attrs.Factory(lambda self: self.shape.slots, takes_self=True)
    people: dict[Node, Participant] = attrs.Factory(dict)
    idle: dict[Node, None] = attrs.Factory(dict)
    leader: Node | None = None
    failures: int = 0  # of prepare, and then of collect
    failure: m.Failure | None = None
    moved: m.Place | None = None
    ended: m.Ended | None = None
    # What is not replicated: derived, or of one message only.
    _told: list[tuple[Node, Command]] = attrs.Factory(list)
    _leaf: bool = attrs.Factory(lambda self: self.shape.leaf, takes_self=True)

    def apply(self, now: float, message: Message) -> list[tuple[Node, Command]]:
        """Change by one message, ordered at `now` seconds. Returns who is to do what."""
        self.seq += 1
        self._told = told = list[tuple[Node, Command]]()
        match message:
            case m.Finished():
                self._finished(message, now)
            case m.Joined():
                self._joined(message, now)
            case m.Left():
                self._left(message.node, now)
            case m.Given():
                if not self.given:
                    self.given, self.input = True, message.input
                    self._direct()
            case m.Prepared():
                self._prepare(message.inputs, now)
            case m.Failed():
                self._failed(message, now)
            case m.Restored():
                self._restored(message.snapshot, now)
            case m.Late():
                self._double(now)
            case m.Moved():
                self._move(message.node, message.place)
            case m.Ended():
                if not self.ended:
                    self.ended = message
                    told += [(n, m.Stop(message)) for n in self.people]
            case _:
                assert_never(message)
        return told

    # -- coming and going ------------------------------------------------------------------

    def _joined(self, joined: m.Joined, now: float) -> None:
        node = joined.node
        if self._leaf and joined.pace is None and not joined.observes:
            self.people[node] = _NEWCOMER
        else:
            address = None if self._leaf else joined.address
            self.people[node] = Participant(address, joined.pace, joined.observes)
        if self.leader is None:
            self._appoint(node)
            self._keep()
        if joined.observes or (joined.holding and self._keeps(joined, now)):
            return
        self._employ(node, now)

    def _keeps(self, joined: m.Joined, now: float) -> bool:
        """Let the newcomer keep, or take, those slots that nobody else has by now."""
        kept = False
        for i in joined.holding:
            if not self.slots[i].done and self.slots[i].worker is None:
                kept = True
                self._take(i, joined.node, now)
                if not self._leaf:
                    self._lead(i, joined.node)
        return kept

    def _left(self, node: Node, now: float) -> None:
        self.people.pop(node, None)
        self.idle.pop(node, None)
        self._drop(node)
        if self.leader == node:
            self.leader = None
            if self.people:
                self._appoint(next(iter(self.people)))
        self._keep()
        self._employ_idle(now)

    def _move(self, node: Node, place: m.Place) -> None:
        """The leader goes on, and everyone with it. It knows the way itself."""
        if node != self.leader:
            return
        self.moved = place
        self._told += [(person, m.Go(place)) for person in self.people if person != node]
        self.people.clear()
        self.idle.clear()
        self.leader = None

    def _appoint(self, node: Node) -> None:
        self.leader = node
        self._tell(node, m.TakeOver())
        self._direct()

    def _direct(self) -> None:
        """Tell the leader what is for a leader to do."""
        if self.leader is None:
            return
        if self.failure:
            self._tell(self.leader, m.Abort(self.failure))
        elif self.given and not self.prepared:
            self._tell(self.leader, m.Prepare(self.input))
        elif self.prepared and not self.remaining:
            self._tell(self.leader, m.Collect())

    # -- slots -----------------------------------------------------------------------------

    def _prepare(self, inputs: list[Value], now: float) -> None:
        if self.prepared:
            return
        self.prepared, self.failures = True, 0
        for i, slot in enumerate(self.slots):
            slot.input = inputs[i]
            if slot.worker is not None and not slot.done and not self._leaf:
                self._tell(slot.worker, m.Supply(i, slot.input))
        self._employ_idle(now)
        if not self.remaining:  # the outputs came first, from a replica
            self._direct()

    def _employ(self, node: Node, now: float) -> None:
        """Give `node` free slots, or leave it idle."""
        self.idle.pop(node, None)
        taken = self._take_free(node, self._share(node), now) if self.free else []
        if not taken:
            self.idle[node] = None
        elif self._leaf:
            self._compute(node, tuple(taken))
        else:
            self._lead(taken[0], node)

    def _share(self, node: Node) -> int:
        """How many slots `node` may have at once, where there are any (guided self-scheduling)."""
        if not self._leaf:
            return 1
        if not self.prepared:
            return 0
        pace = self.people[node].pace
        if pace is None or pace > BATCH_SECONDS / 2:
            return 1
        likely = self.free if pace * self.free <= BATCH_SECONDS else int(BATCH_SECONDS / pace)
        observers = self.people[next(iter(self.people))].observes
        return min(likely, -(-self.free // (len(self.people) - observers)))

    def _take_free(self, node: Node, count: int, now: float) -> list[int]:
        """Give `node` the next `count` free slots, but none that it failed if others may try it."""
        slots, queue, taken, refused = self.slots, self.queue, list[int](), list[int]()
        while len(taken) < count and (queue or self.fresh < len(slots)):
            if queue:
                i = queue.popleft()
            else:
                i, self.fresh = self.fresh, self.fresh + 1
            slot = slots[i]
            if slot.done or slot.worker is not None:
                continue  # no longer free
            if slot.failed and self._others_may_try(slot, node):
                refused.append(i)
            else:
                taken.append(i)
                self._take(i, node, now)
        if refused:
            queue.extendleft(reversed(refused))
        return taken

    def _others_may_try(self, slot: Slot, node: Node) -> bool:
        untried = (n for n, p in self.people.items() if not p.observes and n not in slot.failed)
        return node in slot.failed and any(untried)

    def _take(self, i: int, node: Node, now: float) -> None:
        slot = self.slots[i]
        slot.worker, slot.started = node, now
        slot.assigned += 1
        self.free -= 1

    def _compute(self, node: Node, slots: tuple[int, ...]) -> None:
        inputs = tuple([self.slots[i].input for i in slots])
        self._tell(node, m.Compute(self.shape.session, self.shape.first, slots, inputs))

    def _lead(self, i: int, node: Node) -> None:
        slot = self.slots[i]
        self._tell(node, m.Lead(i, (*self.epoch, slot.assigned), self.prepared, slot.input))

    def _drop(self, node: Node) -> None:
        """`node` holds nothing any more."""
        for i, slot in enumerate(self.slots):
            if slot.helper == node:
                slot.helper = None
            if slot.worker == node:
                self._release(i)

    def _release(self, i: int) -> None:
        """Nobody holds slot `i` any more, unless its helper carries on."""
        slot = self.slots[i]
        helper, slot.worker, slot.helper = slot.helper, None, None
        if self._leaf and helper is not None:
            slot.worker = helper  # on a done one in vain, but it will answer and want more
        if slot.done or slot.worker is not None:
            return
        self.free += 1
        self.queue.appendleft(i)
        if helper is not None:
            self.idle[helper] = None

    def _employ_idle(self, now: float) -> None:
        for node in list(self.idle):
            if not self.free:
                break
            self._employ(node, now)

    # -- outcomes --------------------------------------------------------------------------

    def _finished(self, finished: m.Finished, now: float) -> None:
        node, slots, held, before = finished.node, finished.slots, False, self.remaining
        for i, output in zip(slots, finished.outputs, strict=True):
            slot = self.slots[i]
            if not slot.done:
                self._accept(slot, output, now)
            if slot.worker == node:
                held, slot.worker = True, None
            elif slot.helper == node:
                held, slot.helper = True, None
        if not self._leaf:
            self._keep(slots)
        if held:  # else it came twice, or from one who was away and has other work by now
            pace, was = finished.seconds / len(slots), self.people[node].pace
            if self._leaf and (len(slots) > 1 or pace <= BATCH_SECONDS / 2):
                # that a single one is slow would change nothing
                self.people[node] = attrs.evolve(self.people[node], pace=pace)
            if was is None or was > BATCH_SECONDS / 2 or all(s.worker != node for s in self.slots):
                self._employ(node, now)  # else it was given more, and this is from before
        if node in self.idle:
            self._tell(node, m.Rest())
        if before and not self.remaining:
            self._direct()

    def _accept(self, slot: Slot, output: Value, now: float) -> None:
        if slot.worker is None:
            self.free -= 1  # `_take_free` passes it over
        slot.output, slot.done, slot.seconds = output, True, now - slot.started
        self.remaining -= 1
        if slot.helper is not None and not self._leaf:
            self.idle[slot.helper] = None
            slot.helper = None
            self._employ_idle(now)

    def _failed(self, failed: m.Failed, now: float) -> None:
        node, slot = failed.node, None if failed.slot is None else self.slots[failed.slot]
        if node not in ((self.leader,) if slot is None else (slot.worker, slot.helper)):
            return  # from one who is no longer concerned
        if failed.before != self.failed(node, failed.slot):
            if slot is None:
                return  # it came twice; with a slot the node may have been away, and is not at it
        elif slot is None:
            self.failures += 1
        else:
            slot.failed += (node,)
        tries = self.failures if slot is None else len(slot.failed)
        if self.failure is None and (failed.final or tries >= TRIES):
            self.failure = failed.failure
        if self.failure or slot is None:
            self._direct()
            return
        self._drop(node)
        self.idle[node] = None  # behind those that were idle before
        self._employ_idle(now)
        if node in self.idle:
            self._tell(node, m.Rest())

    def failed(self, node: Node, slot: int | None) -> int:
        """How often `node` has failed at `slot`, or (None) any leader at the present step."""
        if slot is None:
            return self.failures
        return self.slots[slot].failed.count(node)

    def _restored(self, snapshot: dict[str, Value], now: float) -> None:
        other = Computation.restore(snapshot)
        if other.given and not self.given:
            self.given, self.input = True, other.input
        for mine, theirs in zip(self.slots, other.slots, strict=True):
            if theirs.done and not mine.done:
                self._accept(mine, theirs.output, now)
                mine.seconds = theirs.seconds
                if mine.worker is not None and not self._leaf:  # it need not begin
                    self.idle[mine.worker] = None
                    self._tell(mine.worker, m.Rest())
                    mine.worker = None
        if other.prepared:
            self._prepare([slot.input for slot in other.slots], now)
        self._keep()
        self._employ_idle(now)
        self._direct()

    def _keep(self, slots: Iterable[int] | None = None) -> None:
        """Have what is known of `slots`, or of all, kept elsewhere, where need be."""
        if self._leaf or self.leader is None:
            return
        address = self.people[self.leader].address
        together = address is not None and all(p.address == address for p in self.people.values())
        if together and (outputs := self.outputs(slots)):
            self._tell(self.leader, m.Keep(outputs))

    def outputs(self, slots: Iterable[int] | None = None) -> m.Outputs:
        """What is known of `slots`, or of all."""
        chosen = enumerate(self.slots) if slots is None else [(i, self.slots[i]) for i in slots]
        return {i: (slot.output, slot.seconds) for i, slot in chosen if slot.done}

    # -- lateness --------------------------------------------------------------------------

    def overdue(self) -> tuple[float, int] | None:
        """When which slot becomes late: in progress for twice the median of those done.

        None where nothing is done yet, or nothing is in progress without a helper.
        """
        took = sorted(slot.seconds for slot in self.slots if slot.done)
        running = [
            (slot.started, i)
            for i, slot in enumerate(self.slots)
            if slot.worker is not None and slot.helper is None and not slot.done
        ]
        if not took or not running:
            return None
        started, i = min(running)
        return started + max(2 * took[len(took) // 2], BATCH_SECONDS), i

    def _double(self, now: float) -> None:
        """Put the idle on late slots, one each."""
        for node in list(self.idle):
            if self.free or not (due := self.overdue()) or due[0] > now:
                return
            slot = self.slots[i := due[1]]
            del self.idle[node]
            slot.helper = node
            if self._leaf:
                self._compute(node, (i,))
            elif slot.worker is not None:
                self._tell(node, m.Reinforce(i, self.people[slot.worker].address))

    def _tell(self, node: Node, command: Command) -> None:
        self._told.append((node, command))

    # -- copies ----------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Value]:
        """The whole content as plain data, from which `restore` makes an equal model."""
        plain = attrs.asdict(self, recurse=False, filter=lambda f, _: not f.name.startswith("_"))
        for name in ("shape", "failure", "moved", "ended"):
            if plain[name] is not None:
                plain[name] = attrs.asdict(plain[name])
        plain["slots"] = [attrs.asdict(slot, recurse=False) for slot in self.slots]
        plain["people"] = [(n, attrs.asdict(p, recurse=False)) for n, p in self.people.items()]
        return {**plain, "queue": list(self.queue), "idle": list(self.idle)}

    @classmethod
    def restore(cls, snapshot: dict[str, Value]) -> Computation:
        """The model of a snapshot, which may have travelled as msgpack or JSON."""
        ended, moved, failure = snapshot["ended"], snapshot["moved"], snapshot["failure"]
        return cls(
            **{
                **snapshot,
                "shape": Shape(**snapshot["shape"]),
                "epoch": tuple(snapshot["epoch"]),
                "slots": [Slot(**{**s, "failed": tuple(s["failed"])}) for s in snapshot["slots"]],
                "queue": deque(snapshot["queue"]),
                "people": {node: Participant(**p) for node, p in snapshot["people"]},
                "idle": dict.fromkeys(snapshot["idle"]),
                "failure": failure and m.Failure(**failure),
                "moved": moved and m.Place(moved["session"], tuple(moved["route"])),
                "ended": ended
                and m.Ended(ended["result"], ended["failure"] and m.Failure(**ended["failure"])),
            }
        )
