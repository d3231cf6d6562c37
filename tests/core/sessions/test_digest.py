"""The digest covers all of a value's content, and nothing else."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sessions.digest import canonical, differing, digest

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.binary(max_size=4)
)
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def typed(value: Any) -> Any:
    """The same content, comparable with ==, where 1 is neither True nor 1.0, and 0.0 not -0.0."""
    match value:
        case list() | tuple():
            return "list", [typed(item) for item in value]
        case dict():
            return "dict", {(type(k).__name__, k): typed(v) for k, v in value.items()}
        case float():
            return "float", value.hex()
        case _:
            return type(value).__name__, value


@given(plain, plain)
def test_equal_content_and_only_that_has_one_encoding(one: Any, other: Any) -> None:
    assert (canonical(one) == canonical(other)) == (typed(one) == typed(other))


@given(plain)
def test_a_copy_that_travelled_is_the_same(value: Any) -> None:
    try:
        packed = msgspec.msgpack.encode(value)
    except OverflowError:  # integers beyond 64 bits do not travel
        return
    assert digest(msgspec.msgpack.decode(packed)) == digest(value)


@given(st.dictionaries(st.text(max_size=3) | st.integers(), plain, min_size=2), st.randoms())
def test_the_order_of_a_dict_is_no_content(value: dict[Any, Any], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    assert digest(dict(items)) == digest(value)


@given(st.lists(plain, max_size=4))
def test_a_tuple_is_a_list(value: list[Any]) -> None:
    assert digest(tuple(value)) == digest(value) == digest([*value])


ALL_DIFFER = [
    [1, True, 1.0, "1", b"1", [1], {"1": 1}, {1: 1}],
    [0, False, 0.0, -0.0, None, "", b"", [], {}],
    [[1, 2], [2, 1], [12], [1, [2]], [[1], 2], [[1, 2]], ["1", 2], "1, 2"],
    [{"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": 1}, {"b": 1}, [["a", 1], ["b", 2]]],
    [{"a": {"x": 1}, "b": {"x": 2}}, {"a": {"x": 2}, "b": {"x": 1}}],
    [["ab", "c"], ["a", "bc"], ["abc"], ["a", "b", "c"], [b"ab", b"c"]],
    [[[], [1]], [[1], []], [[[1]]], [[]], [[], []]],
    [2**64, 2**64 + 1, -(2**64), 2.0**64, str(2**64)],
    [10**30, 10**30 + 1, 1e30],
    [float("inf"), float("-inf"), float("nan")],
    [0.1 + 0.2, 0.3],
    ["é", "e\u0301", "\ud800", "é".encode()],
]


@pytest.mark.parametrize("values", ALL_DIFFER)
def test_each_of_these_differs_from_the_others(values: list[Any]) -> None:
    assert len({digest(value) for value in values}) == len(values)


@given(plain)
def test_it_is_32_hexadecimal_characters(value: Any) -> None:
    assert len(bytes.fromhex(digest(value))) == 16


@pytest.mark.parametrize("value", [{1}, frozenset(), object(), deque(), 1j, range(3), int])
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: {"a": (1, v)}])
def test_anything_else_is_refused(value: Any, wrap: Any) -> None:
    with pytest.raises(TypeError, match=f"{type(value).__name__} is not plain data"):
        digest(wrap(value))


def test_differing_names_the_fields() -> None:
    one = {"free": 3, "slots": [{"done": True}, {"done": False}], "people": [[1, 2]]}
    assert differing(one, json.loads(json.dumps(one))) == []
    assert differing(one, {**one, "free": 2}) == ["free"]
    assert differing(one, {**one, "slots": one["slots"][::-1], "people": []}) == ["slots", "people"]
    assert differing(one, {**one, "free": 3.0}) == ["free"]
