"""What is signed: a document that says what is computed, for which fleet, and until when.

Rules it keeps:
- There is one encoding of a document, and no other is read: msgpack, each field in its place,
  the keys of a dict in order. So whoever changes a byte changes what is said.
- It begins with what it is. So a signature of something else that this key has signed is none.
- All that decides what runs is in it. A priority is not: it may change.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from transports.net.figures import DOCUMENT_BYTES_MAX
from transports.signing.keys import PUBLIC_BYTES

SHA_BYTES = 32
SUBMISSION_BYTES = 16
FIXED = ("job", "parts", "delay", "seed", "piece_timeout", "keep_going")
CHOSEN = ("partitions", "fanout")  # where it leaves them to the fleet

_SHA = Annotated[bytes, msgspec.Meta(min_length=SHA_BYTES, max_length=SHA_BYTES)]
_KEY = Annotated[bytes, msgspec.Meta(min_length=PUBLIC_BYTES, max_length=PUBLIC_BYTES)]
_SUBMISSION = msgspec.Meta(min_length=SUBMISSION_BYTES, max_length=SUBMISSION_BYTES)
_UNIX_SECONDS = Annotated[int, msgspec.Meta(ge=0, lt=10**11)]


class Kind(StrEnum):
    """Where the code is."""

    INSTALLED = "installed"  # where it runs
    SOURCE = "source"  # with the document: modules
    PICKLE = "pickle"  # the same: functions of a program, of which the hashes are there


class Document(
    msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True
):
    """What is computed; nothing has a default, so that nothing is left unsaid."""

    domain: Literal["million-nodes: a job"]
    version: Literal[1]
    fleet: str  # its id
    signer: _KEY
    key: Annotated[bytes, _SUBMISSION]  # of the submission: the same one is the same job
    issued: _UNIX_SECONDS
    expires: _UNIX_SECONDS
    kind: Kind
    job: str  # entries: as in what is submitted
    parts: dict[str, str]
    modules: dict[str, str]  # of source, by file: SHA-256 in hexadecimal
    bundle: _SHA  # of the bytes beside the document
    input: _SHA  # of the input's msgpack
    python: str  # with which it was made: 3.11.4
    cloudpickle: str  # the same; empty where nothing is pickled
    partitions: int | None
    fanout: int | None
    delay: str | None
    seed: int
    piece_timeout: float | None
    keep_going: bool


_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
_DECODER = msgspec.msgpack.Decoder(Document)


def encoded(**fields: Any) -> bytes:
    """The document with these fields. Raises ValueError for what cannot be one."""
    plain = Document(domain="million-nodes: a job", version=1, **fields)
    try:
        data = _ENCODER.encode(_DECODER.decode(_ENCODER.encode(plain)))  # with 5.0 for a float 5
    except (msgspec.ValidationError, TypeError) as error:
        raise ValueError(f"this cannot be signed: {error}") from error
    if len(data) > DOCUMENT_BYTES_MAX:
        raise ValueError(f"this cannot be signed: there are more names than {DOCUMENT_BYTES_MAX} B")
    return data


def decoded(data: bytes) -> Document:
    """Raises ValueError for what is no document, or not in its only encoding."""
    try:
        found: Document = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if _ENCODER.encode(found) != data:
        raise ValueError("it is not encoded as a document is")
    return found


def sha_of(data: bytes) -> bytes:
    """As it stands in a document."""
    return hashlib.sha256(data).digest()


def disagreement(document: Document, said: object) -> str:
    """The field in which `said`, a job as it travels, is not what was signed; nothing if it is."""
    for name in FIXED:
        if getattr(said, name) != getattr(document, name):
            return name
    for name in CHOSEN:
        wanted = getattr(document, name)
        if wanted is not None and getattr(said, name) != wanted:
            return name
    return ""
