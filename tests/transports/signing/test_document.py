"""The document: one encoding, of which no byte can change unnoticed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transports.signing.signing import document, fields, key_of
from transports.signing.document import (
    CHOSEN,
    DOCUMENT_BYTES_MAX,
    FIXED,
    Document,
    Kind,
    decoded,
    disagreement,
    encoded,
)
from transports.signing.keys import is_signed

NAMES = [name for name in Document.__struct_fields__ if name not in ("domain", "version")]
TEXTS = st.text(max_size=10)
NAMED = st.dictionaries(TEXTS, TEXTS, max_size=4)
SHAS = st.binary(min_size=32, max_size=32)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "signer": SHAS,
    "key": st.binary(min_size=16, max_size=16),
    "issued": st.integers(0, 10**11 - 1),
    "expires": st.integers(0, 10**11 - 1),
    "kind": st.sampled_from(Kind),
    "parts": NAMED,
    "modules": NAMED,
    "bundle": SHAS,
    "input": SHAS,
    "partitions": st.none() | st.integers(1, 2**60),
    "fanout": st.none() | st.integers(2, 2000),
    "delay": st.none() | TEXTS,
    "seed": st.integers(-(2**63), 2**63 - 1),
    "piece_timeout": st.none() | st.floats(0.001, 1e9),
    "keep_going": st.booleans(),
}
SAID = st.fixed_dictionaries({name: VALUES.get(name, TEXTS) for name in NAMES})


@settings(max_examples=40)
@given(SAID)
def test_what_is_said_is_what_is_read(said: dict[str, Any]) -> None:
    found = decoded(encoded(**said))
    assert {name: getattr(found, name) for name in NAMES} == said
    assert encoded(**dict(reversed(said.items()))) == encoded(**said)


@settings(max_examples=40)
@given(SAID, st.data())
def test_each_field_that_is_another_makes_another_document(
    said: dict[str, Any], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(NAMES))
    other = data.draw(VALUES.get(name, TEXTS).filter(lambda value: value != said[name]))
    assert encoded(**{**said, name: other}) != encoded(**said)


def test_the_order_in_which_names_are_given_is_not_told() -> None:
    parts = {"compute": "a", "collect": "b"}
    assert document(parts=parts) == document(parts=dict(reversed(parts.items())))


def test_no_byte_can_change_unnoticed() -> None:
    whole = document()
    signature = key_of(1).sign(whole)
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1
        assert not is_signed(key_of(1).public, signature, bytes(changed))
    for at in range(len(signature)):
        changed = bytearray(signature)
        changed[at] ^= 1
        assert not is_signed(key_of(1).public, bytes(changed), whole)


@given(st.binary(max_size=200) | st.builds(lambda n: document()[:n], st.integers(0, 400)))
def test_what_is_no_document_is_refused(data: bytes) -> None:
    if data != document():
        with pytest.raises(ValueError):  # noqa: PT011  which one is for who calls it
            decoded(data)


def test_no_other_encoding_is_read() -> None:
    values = list(msgspec.msgpack.decode(document()))
    assert msgspec.msgpack.encode(values) == document()
    values[NAMES.index("modules") + 2] = dict(reversed(values[NAMES.index("modules") + 2].items()))
    for other in (msgspec.msgpack.encode(values), document() + b"\0", b"\xdc\0" + document()):
        with pytest.raises(ValueError):  # noqa: PT011
            decoded(other)


@pytest.mark.parametrize(("at", "value"), [(0, "another thing"), (1, 2), (1, 0)])
def test_a_document_about_something_else_is_refused(at: int, value: object) -> None:
    values = list(msgspec.msgpack.decode(document()))
    values[at] = value
    with pytest.raises(ValueError):  # noqa: PT011
        decoded(msgspec.msgpack.encode(values))
    with pytest.raises(ValueError):  # noqa: PT011
        decoded(msgspec.msgpack.encode([*msgspec.msgpack.decode(document()), 0]))


def test_what_cannot_be_said_is_not_signed() -> None:
    for wrong in ({"key": b""}, {"issued": -1}, {"kind": "other"}, {"piece_timeout": "1"}):
        with pytest.raises(ValueError, match="cannot be signed"):
            document(**wrong)
    with pytest.raises(ValueError, match="cannot be signed"):
        document(job=DOCUMENT_BYTES_MAX * "a")


def test_where_what_is_said_is_not_what_was_signed() -> None:
    signed = decoded(document(fanout=None))
    said = {name: fields()[name] for name in (*FIXED, *CHOSEN)}
    assert disagreement(signed, SimpleNamespace(**{**said, "fanout": 7})) == ""
    others = {
        "job": "your.py",
        "parts": {},
        "delay": "1",
        "seed": 1,
        "piece_timeout": None,
        "keep_going": True,
        "partitions": 11,
    }
    for name, value in others.items():
        assert disagreement(signed, SimpleNamespace(**{**said, name: value})) == name
