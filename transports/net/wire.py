"""What travels between two processes: frames of length-prefixed msgpack, each one envelope.

An envelope, and every message of the core in it, is an array that begins with the name of its
class. What may arrive is checked against the types of the core's own fields, so a class that is
added or changed in the core needs nothing here. Values must be plain data, and not too deep: what
cannot be said on is not heard. How much a frame may hold is seen before it is taken apart
(`limits.py`). Nothing that arrives names code to run.
"""

from __future__ import annotations

import math
import secrets
import struct
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec

from core import messages as m
from core.messages import Message, Node, Reply, Value
from plugins.jobs.values import DEEP, NESTING_MAX, SCALARS
from transports.net.limits import (
    COUNT_MAX,
    FRAME_BYTES_MAX,
    KIND_BYTES,
    MADE_BYTES_MAX,
    SHORT_BYTES,
    bytes_max,
    made_bytes,
)

HEADER = struct.Struct(">I")
VERSION = 5
NUMBER_BITS = 43  # of a process's number
NONCE_BYTES = 32
REASON_LENGTH_MAX = 1000
DIGEST_BYTES = 32  # of a key that is shown at the end
_NESTING_HEARD = NESTING_MAX + 5  # in a snapshot values are deeper

# A host name, an IPv4 address, or an IPv6 address in brackets; and a port. (\Z, as $ also matches
# before a line end.)
_ADDRESS = Annotated[
    str,
    msgspec.Meta(pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}\Z", max_length=300),
]
_SHA = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_SESSION = Annotated[str, msgspec.Meta(pattern=r"^(0(-[0-9]{1,9})*)?\Z", max_length=1000)]
_UNIX_SECONDS = Annotated[float, msgspec.Meta(ge=0, lt=1e11)]
_TIMEOUT = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
_SECRET = Annotated[bytes, msgspec.Meta(max_length=64)]
_DIGEST = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
_SIZE = Annotated[int, msgspec.Meta(ge=0, le=2**32)]  # of a blob, or an offset in one
_BY_NAME: dict[str, Any] = {
    "address": _ADDRESS,
    "route": Annotated[tuple[_ADDRESS, ...], msgspec.Meta(min_length=1, max_length=COUNT_MAX)],
    "session": _SESSION,
    "bound": _SESSION,
    "key": _SECRET,
    "seal": _SECRET,
}
_FEW = msgspec.Meta(max_length=COUNT_MAX)


def random_number() -> int:
    """For a process: nobody hands them out, and no two have the same. Its highest bit is set."""
    return 1 << (NUMBER_BITS - 1) | secrets.randbits(
        NUMBER_BITS - 1
    )  # at least core's ALONE_BELOW, with its nodes


class ProtocolError(Exception):
    """Something that cannot be said between two processes."""


class LocalProtocolError(ProtocolError):
    """This process was about to say it."""


class RemoteProtocolError(ProtocolError):
    """The other process said it; the connection cannot be trusted any more."""


# What a participant may say; what else is ordered, only a reflector says.
Said = (
    m.Arrive | m.Leave | m.Brought | m.Vote | m.Kept | m.Key | m.Open | m.Given | m.Prepared
    | m.Collected | m.Finished | m.Failed | m.Moved | m.Ended
)  # fmt: skip


# -- before anything else ------------------------------------------------------------------


@attrs.frozen
class Hello:
    """Either end, first of all: who this is. `address`: where it listens, None if it does not."""

    version: int
    number: Annotated[int, msgspec.Meta(ge=0, lt=2**NUMBER_BITS)]
    address: str | None
    nodes: int  # that it has, or is about to have
    token: bool  # whether it has one, and wants a proof
    nonce: Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]


@attrs.frozen
class Proof:
    """Either end, second, where there is a token: that it knows it."""

    mac: bytes


@attrs.frozen
class Ping:
    """Either end, every third of the heartbeat: it lives, and the root was there so long ago."""

    root_seconds: Annotated[float, msgspec.Meta(ge=0)] = math.inf  # as far as it is known there


# -- between processes ---------------------------------------------------------------------


@attrs.frozen
class Begin:
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


@attrs.frozen
class Declined:
    """Process that joins -> root, once it has heard what begins: it takes no part in that."""

    reason: Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)]


@attrs.frozen
class Over:
    """Root -> process, and on from there: the computation is over, you are not needed any more."""

    key: bytes  # of which `Begin` has the digest
    failure: m.Failure | None = None  # None: the result is there


@attrs.frozen
class Ask:
    """Anybody -> host: how do your sessions stand?"""


@attrs.frozen
class Told:
    """Host -> who asked: what it knows, as plain data."""

    status: dict[str, Value]


# -- what the core says --------------------------------------------------------------------


@attrs.frozen
class Call:
    """Node -> host."""

    session: str
    node: Node
    call: Said


@attrs.frozen
class Answer:
    """Host -> node."""

    session: str
    node: Node
    reply: Reply


@attrs.frozen
class Follow:
    """Host -> process: the session as it is now, when the first of its nodes is admitted there,
    or when its replica was wrong."""

    place: m.Place
    snapshot: dict[str, Value]
    seal: bytes  # that this process shows when it comes back


@attrs.frozen
class Ordered:
    """Host -> each process that follows: the next message."""

    session: str
    seq: int
    time: float
    message: Message


@attrs.frozen
class Unfollow:
    """Host -> process, when none of its nodes is left in the session."""

    session: str


# -- large values --------------------------------------------------------------------------


@attrs.frozen
class Fetch:
    """Process -> process: send me a piece of these bytes, which `session` is about.

    `deep`: get them from elsewhere if you have not got them.
    """

    sha: _SHA
    session: str
    offset: _SIZE
    deep: bool


@attrs.frozen
class Chunk:
    """Process -> process: the piece of them at `offset`; `size` is that of the whole."""

    sha: _SHA
    offset: _SIZE
    size: _SIZE
    data: bytes


@attrs.frozen
class Missing:
    """Process -> process: it has not got them."""

    sha: _SHA


Envelope = (
    Hello | Proof | Ping | Begin | Declined | Over | Ask | Told
    | Call | Answer | Follow | Ordered | Unfollow | Fetch | Chunk | Missing
)  # fmt: skip

# -- every class, as an array --------------------------------------------------------------


@attrs.frozen
class _Form:
    """How one class is written: as a struct with the same fields, some of which are classes too."""

    struct: type[msgspec.Struct]
    names: tuple[str, ...]
    nested: frozenset[str]
    values: tuple[str, ...]  # those that are a job's value, or hold some
    lone: frozenset[str]  # of these, those that are one


_CLASSES: dict[Any, _Form] = {}  # by class of the core, or of an envelope
_STRUCTS: dict[Any, tuple[type, _Form]] = {}  # by struct


def _form(cls: type, tag: bool, more: tuple[type, ...] = ()) -> type[msgspec.Struct]:
    form = None if more else _CLASSES.get(cls)
    if form is None:
        hints = get_type_hints(cls, include_extras=True)
        for name in {"call", "message"} & hints.keys() if more else ():
            hints[name] = Union[(hints[name], *more)]
        names = tuple(field.name for field in attrs.fields(cls))
        types = {name: _typed(name, hints[name]) for name in names}
        made = msgspec.defstruct(
            cls.__name__, list(types.items()), array_like=True, forbid_unknown_fields=True, tag=tag
        )
        nested = frozenset(name for name in names if _has_class(hints[name])) - {*_BY_NAME}
        values = tuple(name for name in names if _has_any(types[name]))
        lone = frozenset(name for name in values if types[name] is Any)
        form = _Form(made, names, nested, values, lone)
        _STRUCTS[made] = cls, form
        if not more:
            _CLASSES[cls] = form
    return form.struct


def _typed(name: str, hint: Any) -> Any:
    """The type to decode a field as."""
    known = _BY_NAME.get(name)
    if known is None:
        return _wired(hint)
    return Union[known, None] if type(None) in get_args(hint) else known  # noqa: UP007  made here


def _wired(hint: Any) -> Any:
    if attrs.has(hint):
        return _form(hint, tag=hint not in (m.Place, m.Failure, m.Past))
    if get_origin(hint) in (UnionType, Union):
        return Union[tuple(_wired(one) for one in get_args(hint))]  # noqa: UP007  made here
    many = get_origin(hint) in (list, dict) or (get_origin(hint) is tuple and ... in get_args(hint))
    return Annotated[hint, _FEW] if many else hint


def _has_class(hint: Any) -> bool:
    """Whether it is a class of the core, or may be one."""
    return attrs.has(hint) or any(map(_has_class, get_args(hint)))


def _has_any(hint: Any) -> bool:
    return hint is Any or any(map(_has_any, get_args(hint)))


def decoder(*more: type) -> msgspec.msgpack.Decoder[Any]:
    """Of envelopes; those with messages may have some of `more` classes, of another model."""
    forms = [_form(cls, True, more if cls in (Call, Ordered) else ()) for cls in get_args(Envelope)]
    return msgspec.msgpack.Decoder(Union[tuple(forms)])  # noqa: UP007  made here


_DECODER = decoder()
_ENCODER = msgspec.msgpack.Encoder()


def _array(item: Any) -> Any:
    form = _CLASSES.get(type(item))
    if form is None:
        return item
    nested = form.nested
    return form.struct(
        *[
            _array(getattr(item, name)) if name in nested else getattr(item, name)
            for name in form.names
        ]
    )


def _object(item: Any) -> Any:
    found = _STRUCTS.get(type(item))
    if found is None:
        return item
    cls, form = found
    nested = form.nested
    for name in form.values:
        value = getattr(item, name)
        if type(value) not in SCALARS:
            _insist_within(value, name in form.lone)
    return cls(
        *[
            _object(getattr(item, name)) if name in nested else getattr(item, name)
            for name in form.names
        ]
    )


# -- frames --------------------------------------------------------------------------------


def _insist_within(value: Any, lone: bool) -> None:
    """The same for what has arrived: a value, or a container of values, whose type is known."""
    for item in (value,) if lone else value.values() if type(value) is dict else value:
        if type(item) not in SCALARS:
            _insist_plain(item, _NESTING_HEARD)


def _insist_plain(value: Any, left: int) -> None:
    """Raises TypeError where what msgpack has brought is not plain data, or too deep."""
    kind = type(value)
    if not left:
        raise TypeError(DEEP)
    if kind is list:
        for item in value:
            if type(item) not in SCALARS:
                _insist_plain(item, left - 1)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"the key {key!r:.80} is no str")
            if type(item) not in SCALARS:
                _insist_plain(item, left - 1)
    else:
        raise TypeError(f"{kind.__name__} is not plain data")


def encode(envelope: Envelope) -> bytes:
    """One frame. Raises LocalProtocolError for what does not fit."""
    try:
        data = _ENCODER.encode(_array(envelope))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise LocalProtocolError(f"{type(envelope).__name__}: {error}") from error
    if len(data) > FRAME_BYTES_MAX:
        name, size = type(envelope).__name__, len(data)
        raise LocalProtocolError(f"{name} of {size} bytes, above the limit of {FRAME_BYTES_MAX}")
    return HEADER.pack(len(data)) + data


def decode(data: bytes) -> Envelope:
    """The envelope in a frame, without its header. Raises RemoteProtocolError."""
    try:
        envelope: Envelope = _object(_DECODER.decode(data))
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise RemoteProtocolError(f"malformed frame of {len(data)} bytes: {error}") from error
    return envelope


def heard(data: bytes) -> Envelope:
    """The same of a long frame, unless too much would be made of it. Raises RemoteProtocolError."""
    if made_bytes(data) > MADE_BYTES_MAX:
        size = f"frame of {len(data)} bytes"
        raise RemoteProtocolError(f"{size}: it would take more than {MADE_BYTES_MAX} in memory")
    return decode(data)


class Frames:
    """Cuts a stream of bytes into frames of at most `limit` bytes each, or fewer by their kind.

    It keeps the bytes of what is not complete, and where there are none, nothing.
    """

    __slots__ = ("_data", "_start", "limit", "taken")

    def __init__(self, limit: int = FRAME_BYTES_MAX) -> None:
        self.limit = limit
        self.taken = 0  # bytes of the last one
        self._data: bytes | bytearray = b""
        self._start = 0  # of what has not been taken yet

    def feed(self, data: bytes | bytearray) -> Iterator[Envelope]:
        """The envelopes that are complete now. Raises RemoteProtocolError."""
        self.keep(data)
        while (frame := self.take()) is not None:
            yield decode(frame) if len(frame) <= SHORT_BYTES else heard(frame)

    def keep(self, data: bytes | bytearray) -> None:
        """Have `data` taken, after what was there before."""
        if not self._data:
            self._data = data
        else:
            if not isinstance(self._data, bytearray):
                self._data = bytearray(self._data)
            self._data += data

    def take(self) -> bytes | None:
        """The next frame, without its header, if it is complete. Raises RemoteProtocolError."""
        data, start = self._data, self._start + HEADER.size
        if len(data) >= start:
            (length,) = HEADER.unpack_from(data, self._start)
            if length > SHORT_BYTES or length > self.limit:
                self._insist_short(length, data[start : start + KIND_BYTES])
            if len(data) >= start + length:
                self.taken = length
                self._start = end = start + length
                part = data if isinstance(data, bytes) else memoryview(data)
                return bytes(part[start:end])
        if self._start:
            self._data, self._start = data[self._start :], 0
        return None

    def _insist_short(self, length: int, beginning: bytes | bytearray) -> None:
        """Raises RemoteProtocolError for a frame that is too long, as soon as that is known."""
        known = len(beginning) == KIND_BYTES
        limit = min(self.limit, bytes_max(beginning)) if known else self.limit
        if length > limit:
            raise RemoteProtocolError(f"frame of {length} bytes, above the limit of {limit}")

    @property
    def bytes_kept(self) -> int:
        """Of what is not complete."""
        return len(self._data)
