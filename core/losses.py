"""What of a computation is given up while the rest of it goes on.

A *loss* says how many partitions have failed for good, and of some of these, in order, the session,
the partition (None: all that lie under that session) and the error. All of one session's losses
together tell of no more than PIECES_MAX, so that they fit into its messages beside all else.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.cutting import ROOT, Shape
from core.messages import Failure, Loss, Value

PIECES_MAX = 20
PIECE_ERROR_MAX = 2000  # characters, the last ones of the error


def loss_by(failure: Failure, count: int) -> Loss:
    """That of `count` partitions, by one failure."""
    return count, ((failure.session, failure.partition, failure.error[-PIECE_ERROR_MAX:]),)


def as_loss(plain: Value) -> Loss:
    """What a loss was as plain data, which may have travelled."""
    count, pieces = plain
    return count, tuple([(session, partition, error) for session, partition, error in pieces])


def shortened(loss: Loss, others: Iterable[Loss]) -> Loss:
    """With no more pieces than there is room for beside those of the `others`."""
    return loss[0], loss[1][: max(0, PIECES_MAX - sum(len(pieces) for _, pieces in others))]


def united(losses: list[Loss]) -> Loss:
    """That of a whole session, from those of its slots, in their order."""
    return sum([n for n, _ in losses]), tuple([piece for _, pieces in losses for piece in pieces])


def total_failure(shape: Shape, loss: Loss | None) -> Value:
    """What the job has failed by, as plain data, if nothing is left of it: the first failure."""
    if loss is None or loss[0] < shape.partitions:
        return None
    return Failure(*(loss[1] or ((ROOT, None, "every partition failed"),))[0]).plain()


def may_be_lost(shape: Shape, slot: int, loss: Loss) -> bool:
    """Whether there can be such a loss under that slot of a session of that shape."""
    (count, pieces), under, size = loss, shape.child(slot), shape.sizes()[slot]
    top = shape.session if shape.leaf else under.session
    return (
        shape.keep_going and 0 < count <= size and len(pieces) <= PIECES_MAX
        and all(
            f"{session}-".startswith(f"{top}-") and len(error) <= PIECE_ERROR_MAX
            and (partition is None or 0 <= partition - under.first < size)
            for session, partition, error in pieces
        )
    )  # fmt: skip
