"""What may run here is decided in one order, by what was signed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.transports.signing.signing import BUNDLE, FLEET, NOW, document, key_of
from transports.signing.deciding import AHEAD_SECONDS, Untrusted, decided
from transports.signing.document import Kind
from transports.signing.keys import text_of

ANNA, BEN = key_of(1), key_of(2)
WRONG: list[tuple[dict[str, Any], str]] = [  # in the order in which it is looked at
    ({"fleet": "another"}, "signed for another fleet"),
    ({"issued": NOW - 100, "expires": NOW - 7}, "was valid until 7 s ago"),
    ({"signer": BEN.public}, "which is not trusted here"),
    ({"bundle": bytes(32)}, "not what was signed"),
    ({"kind": Kind.PICKLE, "python": "3.2.1"}, "is pickled by Python 3.2.1, which 3.* here cannot"),
]


def decide(
    data: bytes, *, signature: bytes = b"", bundle: bytes = BUNDLE, now: float = NOW, by: Any = ANNA
) -> Any:
    """By who trusts Anna, in that fleet."""
    trusted = {ANNA.public: "Anna"}
    signature = signature or by.sign(data)
    return decided(data, signature, bundle, fleet=FLEET, trusted=trusted, now=now)


def test_what_all_holds_for_may_run() -> None:
    assert decide(document()).job == "my.py"
    assert decide(document(kind=Kind.PICKLE)).kind is Kind.PICKLE
    assert decide(document(python="3.2.1")).python == "3.2.1"  # a source is read by any


@pytest.mark.parametrize(("other", "said"), WRONG)
def test_each_thing_that_is_wrong_is_told(other: dict[str, Any], said: str) -> None:
    with pytest.raises(Untrusted, match=said):
        decide(document(**other))


def test_what_is_wrong_first_is_told() -> None:
    for first in range(len(WRONG) - 1):
        wrong: dict[str, Any] = {}
        for other, _ in reversed(WRONG[first:]):
            wrong |= other
        with pytest.raises(Untrusted, match=WRONG[first][1]):
            decide(document(**wrong))


def test_a_signature_of_somebody_else_or_of_something_else_is_none() -> None:
    for signature in (BEN.sign(document()), ANNA.sign(document(seed=1)), bytes(64), bytes(3)):
        with pytest.raises(Untrusted, match="not signed by Anna"):
            decide(document(), signature=signature)


def test_bytes_that_were_changed_are_noticed() -> None:
    with pytest.raises(Untrusted, match="not what was signed"):
        decide(document(), bundle=BUNDLE + b" and more")


def test_a_key_that_is_not_trusted_is_named() -> None:
    with pytest.raises(Untrusted, match=f"ed25519 {text_of(BEN.public)[:20]}"):
        decide(document(signer=BEN.public), by=BEN)


def test_it_holds_from_when_it_was_signed_until_it_expires() -> None:
    data = document()
    for now in (NOW - AHEAD_SECONDS, NOW + 99.9):
        assert decide(data, now=now)
    with pytest.raises(Untrusted, match="valid until 0 s ago"):
        decide(data, now=NOW + 100)
    with pytest.raises(Untrusted, match="set the clocks"):
        decide(data, now=NOW - AHEAD_SECONDS - 1)


def test_pickles_are_read_by_the_same_generation_of_cloudpickle() -> None:
    with pytest.raises(Untrusted, match=r"pickled by cloudpickle 1\.9"):
        decide(document(kind=Kind.PICKLE, cloudpickle="1.9"))


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(Untrusted, match="no document"):
        decide(b"\xc1", signature=bytes(64))
