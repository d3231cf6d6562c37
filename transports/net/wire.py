"""What travels between two processes: envelopes, each of which says one thing.

They are msgpack (`forms.py`), and one is one frame (`frames.py`). How much a frame may hold is seen
before it is taken apart (`limits.py`). Nothing that arrives names code to run, unless somebody has
signed it who is trusted here.
"""

from __future__ import annotations

import math
import secrets
from typing import Annotated, Any, Union, get_args

import msgspec

from core import messages as m
from core.messages import Message, Node, Reply, Value
from transports.net.errors import LocalProtocolError, RemoteProtocolError
from transports.net.figures import (
    BUNDLE_BYTES_MAX,
    DOCUMENT_BYTES_MAX,
    PRIORITY_MAX,
    SIGNATURE_BYTES,
    TREE_MAX,
    WEIGHT_MAX,
    WEIGHT_MIN,
)
from transports.net.forms import as_object, form
from transports.net.frames import HEADER
from transports.net.limits import FRAME_BYTES_MAX, MADE_BYTES_MAX, made_bytes

VERSION = 8
NUMBER_BITS = 43  # of a process's number
NONCE_BYTES = 32
REASON_LENGTH_MAX = 1000
USER_LENGTH_MAX = 200
DIGEST_BYTES = 32  # of a key that is shown at the end
ERROR_LENGTH_MAX = 4000  # characters, of what is told to the root of a fleet as it happens
PRINTED_BYTES_MAX = 2**16  # of what one process tells of what was printed there

_SHA = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_UNIX_SECONDS = Annotated[float, msgspec.Meta(ge=0, lt=1e11)]
_TIMEOUT = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
_DIGEST = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
_SIZE = Annotated[int, msgspec.Meta(ge=0, le=2**32)]  # of a blob, or an offset in one
_PRIORITY = Annotated[int, msgspec.Meta(ge=-PRIORITY_MAX, le=PRIORITY_MAX)]
_WEIGHT = Annotated[float, msgspec.Meta(ge=WEIGHT_MIN, le=WEIGHT_MAX)]
_TREE = Annotated[int, msgspec.Meta(ge=0, le=TREE_MAX)]  # of a computation: its root's name


def random_number() -> int:
    """For a process: nobody hands them out, and no two have the same. Its highest bit is set."""
    highest = NUMBER_BITS - 1  # so that with its nodes it is at least core's ALONE_BELOW
    return 1 << highest | secrets.randbits(highest)


# What a participant may say; what else is ordered, only a reflector says.
Said = (
    m.Arrive | m.Leave | m.StateTransfer | m.Vote | m.Backup | m.Key | m.Open | m.Given | m.Prepared
    | m.Collected | m.Finished | m.Failed | m.Moved | m.Ended
)  # fmt: skip


# -- before anything else ------------------------------------------------------------------


class Hello(m.Data, frozen=True):
    """Either end, first of all: who this is. `address`: where it listens, None if it does not."""

    version: int
    number: Annotated[int, msgspec.Meta(ge=0, lt=2**NUMBER_BITS)]
    address: str | None
    nodes: int  # that it has, or is about to have
    token: bool  # whether it has one, and wants a proof
    nonce: Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]


class Proof(m.Data, frozen=True):
    """Either end, second, where there is a token: that it knows it."""

    mac: bytes


class Ping(m.Data, frozen=True):
    """Either end, every third of the heartbeat: it lives, and the root was there so long ago."""

    root_seconds: Annotated[float, msgspec.Meta(ge=0)] = math.inf  # as far as it is known there


# -- between processes ---------------------------------------------------------------------


class Signed(m.Data, frozen=True, tag=False):
    """Whose the code of a job is (`transports/signing`), and the code where it travels."""

    document: Annotated[bytes, msgspec.Meta(max_length=DOCUMENT_BYTES_MAX)]
    signature: Annotated[bytes, msgspec.Meta(max_length=SIGNATURE_BYTES)]
    bundle: Annotated[bytes, msgspec.Meta(max_length=BUNDLE_BYTES_MAX)]


class Begin(m.Data, frozen=True):
    """Root -> process that joins: the computation, and where its root is."""

    job: str
    parts: dict[str, str]  # functions that are not the job's own: by part, where they are from
    fingerprint: str  # of the sources
    partitions: int
    fanout: int
    delay: str | None  # seconds that each call is made to take
    seed: int  # of these delays
    root: m.Place
    began: _UNIX_SECONDS  # when the root was opened, or opened again, by its wall clock
    end: _DIGEST  # of the key that whoever says that all is over has to show
    piece_timeout: _TIMEOUT | None = None  # seconds after which a call of a function is ended
    keep_going: bool = False  # what fails for good is left out, and all else collected
    signed: Signed | None = None


class Declined(m.Data, frozen=True):
    """Process that joins -> root, once it has heard what begins: it takes no part in that."""

    reason: Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)]
    tree: _TREE = 0


class Over(m.Data, frozen=True):
    """Root -> process, and on from there: the computation is over, you are not needed any more."""

    key: bytes  # of which `Begin` has the digest
    failure: m.Failure | None = None  # None: the result is there
    tree: _TREE = 0


# -- a fleet -------------------------------------------------------------------------------


class Spec(m.Data, frozen=True, tag=False):
    """What is to be computed. What is None is chosen when it begins."""

    job: str  # a module, or a file by its own name
    parts: dict[str, str]  # functions that are not the job's own: by part, where they are from
    input: Value
    partitions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    fanout: Annotated[int, msgspec.Meta(ge=2)] | None = None
    delay: str | None = None
    seed: int = 0
    piece_timeout: _TIMEOUT | None = None
    keep_going: bool = False
    priority: _PRIORITY = 0  # higher ones go first
    signed: Signed | None = None
    weight: _WEIGHT = 1.0  # of those with the same priority each has a share in proportion


class Submit(m.Data, frozen=True):
    """Client -> root of a fleet: compute that. Said again with the same key it is the same job."""

    key: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    spec: Spec
    user: Annotated[str, msgspec.Meta(max_length=USER_LENGTH_MAX)] = ""  # for people
    # SHA-256 of the job's files that the client has, by their own names.
    files: Annotated[dict[str, _SHA], msgspec.Meta(max_length=4)] = msgspec.field(
        default_factory=dict
    )


class Accepted(m.Data, frozen=True):
    """Root -> client: it is a job of that number."""

    key: bytes
    number: _TREE
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

    number: _TREE
    outputs: bool = False


class Progress(m.Data, frozen=True):
    """Root -> who watches: so far it is, where that has changed."""

    number: _TREE
    state: str  # queued, or running
    ahead: int  # jobs that go before it
    nodes: int
    partitions: int  # 0: not cut yet
    accepted: int


class Output(m.Data, frozen=True):
    """Root -> who watches: what came of that partition. It comes again with the outcome."""

    number: _TREE
    partition: Annotated[int, msgspec.Meta(ge=0)]
    output: Value
    failure: m.Failure | None = None  # for which there is none


class Outcome(m.Data, frozen=True):
    """Root -> who watches, once: how it ended."""

    number: _TREE
    state: str  # done, failed, cancelled, or unknown: there is no such job (any more)
    result: Value = None
    failure: m.Failure | None = None
    lost: Value = None
    nodes: int = 0
    partitions: int = 0
    accepted: int = 0
    seconds: float = 0.0  # from its beginning to its end


class Cancel(m.Data, frozen=True):
    """Client -> root: end that job. The answer is its `Outcome`."""

    number: _TREE


class Weigh(m.Data, frozen=True):
    """Client -> root: that job is to have this priority and weight from now on; None: as it has."""

    number: _TREE
    priority: _PRIORITY | None = None
    weight: _WEIGHT | None = None


class Weighed(m.Data, frozen=True):
    """Root -> client: that job has them, unless it is over."""

    number: _TREE
    state: str  # as in `Progress` and `Outcome`
    priority: int = 0
    weight: float = 1.0


class Halt(m.Data, frozen=True):
    """Client -> root: the fleet is to end."""


class Running(m.Data, frozen=True):
    """Root of a fleet -> process that joins, on each meeting: it stays, and these jobs run.

    All others have ended, or have not begun.
    """

    numbers: Annotated[tuple[_TREE, ...], msgspec.Meta(max_length=1000)]
    fleet: Annotated[str, msgspec.Meta(max_length=100)]  # its id


class Share(m.Data, frozen=True, tag=False):
    """What a job weighs where it is computed beside others."""

    number: _TREE
    priority: _PRIORITY
    weight: _WEIGHT


class Sharing(m.Data, frozen=True):
    """Root of a fleet -> process that joins, on each meeting, and when it changes: what those jobs
    weigh that run."""

    shares: Annotated[tuple[Share, ...], msgspec.Meta(max_length=1000)]
    preempt_after: _TIMEOUT | None = None  # seconds; None: every piece that has begun is computed


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

    number: _TREE
    raised: Annotated[tuple[Raised, ...], msgspec.Meta(max_length=1000)]


class Recall(m.Data, frozen=True):
    """Root of a fleet -> process with nodes: say what was printed there in that job, the last."""

    number: _TREE
    most: Annotated[int, msgspec.Meta(ge=0, le=PRINTED_BYTES_MAX)]  # bytes


class Printed(m.Data, frozen=True):
    """Process with nodes -> root of its fleet: that; so many bytes before it are missing."""

    number: _TREE
    data: Annotated[bytes, msgspec.Meta(max_length=PRINTED_BYTES_MAX)]
    missing: Annotated[int, msgspec.Meta(ge=0)]


class Log(m.Data, frozen=True):
    """Client -> root of a fleet: say what was raised and printed in that job."""

    number: _TREE


class Logged(m.Data, frozen=True):
    """Root of a fleet -> client: that, as plain data; None: there is no such job (any more)."""

    number: _TREE
    log: dict[str, Value] | None


# -- how it stands -------------------------------------------------------------------------


class Ask(m.Data, frozen=True):
    """Anybody -> host: how do your sessions stand?"""


class Told(m.Data, frozen=True):
    """Host -> who asked: what it knows, as plain data."""

    status: dict[str, Value]


# -- what the core says --------------------------------------------------------------------


class Call(m.Data, frozen=True):
    """Node -> host."""

    session: str
    node: Node
    call: Said


class Answer(m.Data, frozen=True):
    """Host -> node."""

    session: str
    node: Node
    reply: Reply


class Follow(m.Data, frozen=True):
    """Host -> process: the session as it is now, when the first of its nodes is admitted there,
    or when its replica was wrong."""

    place: m.Place
    snapshot: dict[str, Value]
    seal: bytes  # that this process shows when it comes back


class Ordered(m.Data, frozen=True):
    """Host -> each process that follows: the next message."""

    session: str
    seq: int
    time: float
    message: Message


class Unfollow(m.Data, frozen=True):
    """Host -> process, when none of its nodes is left in the session."""

    session: str


# -- large values --------------------------------------------------------------------------


class Fetch(m.Data, frozen=True):
    """Process -> process: send me a piece of these bytes, which `session` is about.

    `deep`: get them from elsewhere if you have not got them.
    """

    sha: _SHA
    session: str
    offset: _SIZE
    deep: bool


class Chunk(m.Data, frozen=True):
    """Process -> process: the piece of them at `offset`; `size` is that of the whole."""

    sha: _SHA
    offset: _SIZE
    size: _SIZE
    data: bytes
    tree: _TREE = 0


class Missing(m.Data, frozen=True):
    """Process -> process: it has not got them."""

    sha: _SHA
    tree: _TREE = 0


Envelope = (
    Hello | Proof | Ping | Begin | Declined | Over | Ask | Told
    | Submit | Accepted | Refused | Watch | Progress | Output | Outcome | Cancel | Halt
    | Weigh | Weighed | Running | Sharing | Full | Reported | Recall | Printed | Log | Logged
    | Call | Answer | Follow | Ordered | Unfollow | Fetch | Chunk | Missing
)  # fmt: skip


def tree_of(envelope: Envelope) -> int | None:
    """The number of the computation that it is about; None: of none."""
    match envelope:
        case Call() | Answer() | Ordered() | Unfollow() | Fetch():
            session = envelope.session
        case Follow():
            session = envelope.place.session
        case Begin():
            session = envelope.root.session
        case Chunk() | Missing() | Over() | Declined():
            return envelope.tree
        case _:
            return None
    return int(session.partition("-")[0] or -1)


def decoder(*more: type) -> msgspec.msgpack.Decoder[Any]:
    """Of envelopes; those with messages may have some of `more` classes, of another model."""
    forms = [form(cls, more if cls in (Call, Ordered) else ()) for cls in get_args(Envelope)]
    return msgspec.msgpack.Decoder(Union[tuple(forms)])  # noqa: UP007  made here


_DECODER = decoder()
_ENCODER = msgspec.msgpack.Encoder()


def encode(envelope: Envelope) -> bytes:
    """One frame. Raises LocalProtocolError for what does not fit."""
    try:
        data = _ENCODER.encode(envelope)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise LocalProtocolError(f"{type(envelope).__name__}: {error}") from error
    if len(data) > FRAME_BYTES_MAX:
        name, size = type(envelope).__name__, len(data)
        raise LocalProtocolError(f"{name} of {size} bytes, above the limit of {FRAME_BYTES_MAX}")
    return HEADER.pack(len(data)) + data


REFUSAL = encode(Proof(b"no"))  # a frame, in place of a proof


def decode(data: bytes) -> Envelope:
    """The envelope in a frame, without its header. Raises RemoteProtocolError."""
    try:
        envelope: Envelope = as_object(_DECODER.decode(data))
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise RemoteProtocolError(f"malformed frame of {len(data)} bytes: {error}") from error
    return envelope


def heard(data: bytes) -> Envelope:
    """The same of a long frame, unless too much would be made of it. Raises RemoteProtocolError."""
    if made_bytes(data) > MADE_BYTES_MAX:
        size = f"frame of {len(data)} bytes"
        raise RemoteProtocolError(f"{size}: it would take more than {MADE_BYTES_MAX} in memory")
    return decode(data)
