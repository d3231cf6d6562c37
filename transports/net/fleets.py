"""What is said in a fleet: by clients to its root, by the root to clients and to processes that
join, and by these to the root. `wire.py` has these envelopes, with all others.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from core import messages as m
from core.messages import Node, Value
from transports.net.fields import (
    ERROR_LENGTH_MAX,
    PRINTED_BYTES_MAX,
    PRIORITY,
    REASON_LENGTH_MAX,
    SHA,
    TIMEOUT,
    TITLE_LENGTH_MAX,
    TREE,
    USER_LENGTH_MAX,
    WEIGHT,
)
from transports.net.figures import BUNDLE_BYTES_MAX, DOCUMENT_BYTES_MAX, SIGNATURE_BYTES


class Signed(m.Data, frozen=True, tag=False):
    """Whose the code of a job is (`transports/signing`), and the code where it travels."""

    document: Annotated[bytes, msgspec.Meta(max_length=DOCUMENT_BYTES_MAX)]
    signature: Annotated[bytes, msgspec.Meta(max_length=SIGNATURE_BYTES)]
    bundle: Annotated[bytes, msgspec.Meta(max_length=BUNDLE_BYTES_MAX)]


class Spec(m.Data, frozen=True, tag=False):
    """What is to be computed. What is None is chosen when it begins."""

    job: str  # a module, or a file by its own name
    parts: dict[str, str]  # functions that are not the job's own: by part, where they are from
    input: Value
    partitions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    fanout: Annotated[int, msgspec.Meta(ge=2)] | None = None
    delay: str | None = None
    seed: int = 0
    piece_timeout: TIMEOUT | None = None
    keep_going: bool = False
    priority: PRIORITY = 0  # higher ones go first
    signed: Signed | None = None
    weight: WEIGHT = 1.0  # of those with the same priority each has a share in proportion
    # For people: of calls, what is called; else nothing.
    title: Annotated[str, msgspec.Meta(max_length=TITLE_LENGTH_MAX)] = ""


class Submit(m.Data, frozen=True):
    """Client -> root of a fleet: compute that. Said again with the same key it is the same job."""

    key: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    spec: Spec
    user: Annotated[str, msgspec.Meta(max_length=USER_LENGTH_MAX)] = ""  # for people
    # SHA-256 of the job's files that the client has, by their own names.
    files: Annotated[dict[str, SHA], msgspec.Meta(max_length=4)] = msgspec.field(
        default_factory=dict
    )


class Accepted(m.Data, frozen=True):
    """Root -> client: it is a job of that number."""

    key: bytes
    number: TREE
    note: Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)] = (
        ""  # to be known all the same
    )


class Refused(m.Data, frozen=True):
    """Root -> client: it is not. `absent`: as there is no such job at the root."""

    key: bytes
    reason: Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)]
    absent: bool = False


class Watch(m.Data, frozen=True):
    """Client -> root: say how that job goes, for as long as we are connected.

    `outputs`: of a job that is a single session, say each output, too, when it is there.
    """

    number: TREE
    outputs: bool = False


class Progress(m.Data, frozen=True):
    """Root -> who watches: so far it is, where that has changed."""

    number: TREE
    state: str  # queued, or running
    ahead: int  # jobs that go before it
    nodes: int
    partitions: int  # 0: not cut yet
    accepted: int


class Output(m.Data, frozen=True):
    """Root -> who watches: what came of that partition. It comes again with the outcome."""

    number: TREE
    partition: Annotated[int, msgspec.Meta(ge=0)]
    output: Value
    failure: m.Failure | None = None  # for which there is none


class Outcome(m.Data, frozen=True):
    """Root -> who watches, once: how it ended."""

    number: TREE
    state: str  # done, failed, cancelled, or unknown: there is no such job (any more)
    result: Value = None
    failure: m.Failure | None = None
    lost: Value = None
    nodes: int = 0
    partitions: int = 0
    accepted: int = 0
    seconds: float = 0.0  # from its beginning to its end
    is_calls: bool = False  # of functions of a program; results that are pickled are for that alone


class Cancel(m.Data, frozen=True):
    """Client -> root: end that job. The answer is its `Outcome`."""

    number: TREE


class Weigh(m.Data, frozen=True):
    """Client -> root: that job is to have this priority and weight from now on; None: as it has."""

    number: TREE
    priority: PRIORITY | None = None
    weight: WEIGHT | None = None


class Weighed(m.Data, frozen=True):
    """Root -> client: that job has them, unless it is over."""

    number: TREE
    state: str  # as in `Progress` and `Outcome`
    priority: int = 0
    weight: float = 1.0


class Halt(m.Data, frozen=True):
    """Client -> root: the fleet is to end."""


class Running(m.Data, frozen=True):
    """Root of a fleet -> process that joins, on each meeting: it stays, and these jobs run.

    All others have ended, or have not begun.
    """

    numbers: Annotated[tuple[TREE, ...], msgspec.Meta(max_length=1000)]
    fleet: Annotated[str, msgspec.Meta(max_length=100)]  # its id


class Share(m.Data, frozen=True, tag=False):
    """What a job weighs where it is computed beside others."""

    number: TREE
    priority: PRIORITY
    weight: WEIGHT


class Sharing(m.Data, frozen=True):
    """Root of a fleet -> process that joins, on each meeting, and when it changes: what those jobs
    weigh that run."""

    shares: Annotated[tuple[Share, ...], msgspec.Meta(max_length=1000)]
    preempt_after: TIMEOUT | None = None  # seconds; None: every piece that has begun is computed


class Full(m.Data, frozen=True):
    """Root of a fleet -> process that joins: there is no room for it; ask again after a while."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)]


class Raised(m.Data, frozen=True, tag=False):
    """A function of the job has raised that at this node, so often."""

    session: str
    partition: Annotated[int, msgspec.Meta(ge=0)] | None
    node: Node
    error: Annotated[str, msgspec.Meta(max_length=ERROR_LENGTH_MAX)]
    times: Annotated[int, msgspec.Meta(ge=1, le=10**9)]


class Reported(m.Data, frozen=True):
    """Process with nodes -> root of its fleet: functions of that job have raised here."""

    number: TREE
    raised: Annotated[tuple[Raised, ...], msgspec.Meta(max_length=1000)]


class Recall(m.Data, frozen=True):
    """Root of a fleet -> process with nodes: say what was printed there in that job, the last."""

    number: TREE
    most: Annotated[int, msgspec.Meta(ge=0, le=PRINTED_BYTES_MAX)]  # bytes


class Printed(m.Data, frozen=True):
    """Process with nodes -> root of its fleet: that; so many bytes before it are missing."""

    number: TREE
    data: Annotated[bytes, msgspec.Meta(max_length=PRINTED_BYTES_MAX)]
    missing: Annotated[int, msgspec.Meta(ge=0)]


class Log(m.Data, frozen=True):
    """Client -> root of a fleet: say what was raised and printed in that job."""

    number: TREE


class Logged(m.Data, frozen=True):
    """Root of a fleet -> client: that, as plain data; None: there is no such job (any more)."""

    number: TREE
    log: dict[str, Value] | None
