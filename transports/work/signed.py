"""The job that a signed document is about, as this process computes it."""

from __future__ import annotations

from hashlib import sha256

from transports.signing.document import Document, Kind
from transports.signing.keys import text_of
from transports.work.code import Code
from transports.work.jobs import Chosen


def travelled(document: Document, encoded: bytes, bundle: bytes) -> Chosen:
    """Of code that came with the document. Nothing of it is loaded here."""
    pickled = document.kind is Kind.PICKLE
    return Chosen(
        document.job,
        dict(document.parts),
        None,
        sha256(encoded).hexdigest(),
        Code(bundle, document.modules, pickled),
        document.input.hex(),
        text_of(document.signer) if pickled else "",
    )
