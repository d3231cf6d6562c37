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
from transports.net.forms import as_object, form
from transports.net.frames import HEADER
from transports.net.limits import FRAME_BYTES_MAX, MADE_BYTES_MAX, made_bytes

# isort: off
from transports.net.fields import (
    DIGEST,
    DIGEST_BYTES as DIGEST_BYTES,
    ERROR_LENGTH_MAX as ERROR_LENGTH_MAX,
    NONCE_BYTES as NONCE_BYTES,
    NUMBER_BITS as NUMBER_BITS,
    REASON_LENGTH_MAX as REASON_LENGTH_MAX,
    SHA,
    SIZE,
    TIMEOUT,
    TREE,
    UNIX_SECONDS,
    USER_LENGTH_MAX as USER_LENGTH_MAX,
)
from transports.net.fleets import (
    Accepted as Accepted,
    Cancel as Cancel,
    Full as Full,
    Halt as Halt,
    Log as Log,
    Logged as Logged,
    Outcome as Outcome,
    Output as Output,
    Printed as Printed,
    Progress as Progress,
    Raised as Raised,
    Recall as Recall,
    Refused as Refused,
    Reported as Reported,
    Running as Running,
    Share as Share,
    Sharing as Sharing,
    Signed as Signed,
    Spec as Spec,
    Submit as Submit,
    Watch as Watch,
    Weigh as Weigh,
    Weighed as Weighed,
)
# isort: on

VERSION = 9


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
    began: UNIX_SECONDS  # when the root was opened, or opened again, by its wall clock
    end: DIGEST  # of the key that whoever says that all is over has to show
    piece_timeout: TIMEOUT | None = None  # seconds after which a call of a function is ended
    keep_going: bool = False  # what fails for good is left out, and all else collected
    signed: Signed | None = None


class Declined(m.Data, frozen=True):
    """Process that joins -> root, once it has heard what begins: it takes no part in that."""

    reason: Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)]
    tree: TREE = 0


class Over(m.Data, frozen=True):
    """Root -> process, and on from there: the computation is over, you are not needed any more."""

    key: bytes  # of which `Begin` has the digest
    failure: m.Failure | None = None  # None: the result is there
    tree: TREE = 0


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

    sha: SHA
    session: str
    offset: SIZE
    deep: bool


class Chunk(m.Data, frozen=True):
    """Process -> process: the piece of them at `offset`; `size` is that of the whole."""

    sha: SHA
    offset: SIZE
    size: SIZE
    data: bytes
    tree: TREE = 0


class Missing(m.Data, frozen=True):
    """Process -> process: it has not got them."""

    sha: SHA
    tree: TREE = 0


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
