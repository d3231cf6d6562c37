"""Whether what came may run here: decided by the document, before anything is unpacked.

It is asked in this order: is it for this fleet, is it still valid, is its key trusted here, has
that key signed it, are the bytes beside it those that were signed, is this Python one for it.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata

from transports.signing.document import Document, Kind, decoded, sha_of
from transports.signing.keys import is_signed, text_of

AHEAD_SECONDS = 300  # by which another machine's clock may be ahead of this one's


class Untrusted(ValueError):
    """It is not to run here. The message is one line."""


def decided(
    document: bytes,
    signature: bytes,
    bundle: bytes,
    *,
    fleet: str,
    trusted: Mapping[bytes, str],
    now: float,
) -> Document:
    """The document, if all of it holds. `now` by the wall clock. Raises Untrusted, SigningError."""
    try:
        found = decoded(document)
    except ValueError as error:
        raise Untrusted(f"what the job is signed by is no document: {error}") from error
    if found.fleet != fleet:
        raise Untrusted("the job was signed for another fleet: sign it for this one")
    _insist_valid(found, now)
    signer = text_of(found.signer)
    if found.signer not in trusted:
        raise Untrusted(f"the job is signed by ed25519 {signer}, which is not trusted here")
    if not is_signed(found.signer, signature, document):
        raise Untrusted(f"the job is not signed by {trusted[found.signer]}, as it says: ask them")
    if sha_of(bundle) != found.bundle:
        raise Untrusted("what came with the job is not what was signed: submit it again")
    _insist_runs(found)
    return found


def _insist_valid(found: Document, now: float) -> None:
    if now >= found.expires:
        raise Untrusted(f"the job was valid until {now - found.expires:.0f} s ago: sign it again")
    if now < found.issued - AHEAD_SECONDS:
        ahead = found.issued - now
        raise Untrusted(f"the job is signed {ahead:.0f} s ahead of the clock here: set the clocks")


def _insist_runs(found: Document) -> None:
    """What is pickled is read by the same Python, and by the same generation of cloudpickle."""
    if found.kind is not Kind.PICKLE:
        return
    pairs = (
        ("Python", found.python, platform.python_version(), 2),
        ("cloudpickle", found.cloudpickle, metadata.version("cloudpickle"), 1),
    )
    for name, theirs, ours, count in pairs:
        if theirs.split(".")[:count] != ours.split(".")[:count]:
            raise Untrusted(f"the job is pickled by {name} {theirs}, which {ours} here cannot read")
