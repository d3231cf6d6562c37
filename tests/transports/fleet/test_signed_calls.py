"""Calls of a program that are signed: what a node runs of them, and what a program believes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.jobs.loading import Job
from plugins.jobs.values import given as as_given
from plugins.jobs.values import plain
from transports.fleet import answers
from transports.fleet.calling import Done, Raised, packed
from transports.fleet.mapping import setup_of
from transports.fleet.signed_calls import done_of, hashes_of, job

RAN: list[int] = []  # by whatever was unpickled here


class Odd(Exception):
    """Of which there is no second one."""

    def __init__(self, number: int) -> None:
        super().__init__(f"{number} is odd")
        if not isinstance(number, int):
            raise TypeError(number)


def half(number: int) -> float:
    RAN.append(number)
    if number % 2:
        raise Odd(number)
    return number / 2


def input_of(
    *chunks: Iterable[int],
    function: Callable[..., Any] = half,
    reduce: Callable[[list[Any]], Any] | None = None,
    goes_on: bool = False,
) -> dict[str, Any]:
    numbers = [[(number,) for number in chunk] for chunk in chunks]
    calls = [packed(one if reduce is None else (0, one)) for one in numbers]
    return {"setup": setup_of(function, reduce, goes_on), "chunks": calls}


def outputs(signed: Job, value: dict[str, Any]) -> list[Any]:
    """As they arrive, of a session that has a slot for each chunk."""
    parts = signed.prepare(value, [1] * len(value["chunks"]))
    return [plain(signed.compute(part, index)) for index, part in enumerate(parts)]


def done(output: Any) -> Done:
    found: Done = answers.read(answers.Plain(as_given(output)))
    return found


def test_what_was_signed_is_called() -> None:
    value = input_of([2, 4], [6])
    signed = job(hashes_of(value, False))
    first, second = map(done, outputs(signed, value))
    assert (first.partition, first.results) == (0, [1.0, 2.0])
    assert (second.partition, second.results) == (1, [3.0])
    collected = signed.collect([signed.collect([1]), 2, [3, 4]])
    assert collected == [1, 2, 3, 4]


def test_what_is_reduced_is_plain_from_node_to_node() -> None:
    value = input_of([2, 4], [6], reduce=sum)
    signed = job(hashes_of(value, True))
    parts = outputs(signed, value)
    assert [part["plain"] for part in parts] == [3.0, 3.0]
    both = plain(signed.collect(parts))
    assert plain(signed.collect([both, parts[0]]))["plain"] == 9.0


def changed(value: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """What somebody on the way could make of it."""
    other = input_of([8], [6], function=RAN.append, reduce=sum)
    yield {**value, "chunks": other["chunks"]}
    yield {**value, "chunks": value["chunks"][::-1]}
    yield {**value, "setup": other["setup"]}
    yield {**value, "chunks": [value["chunks"][0] + b".", *value["chunks"][1:]]}


def test_nothing_is_unpickled_that_was_not_signed() -> None:
    value = input_of([2, 4], [6], reduce=sum)
    signed = job(hashes_of(value, False))
    honest = outputs(signed, value)
    RAN.clear()
    for other in changed(value):
        with pytest.raises(ValueError, match="signed"):
            outputs(signed, other)
        with pytest.raises(ValueError, match="signed"):
            signed.collect([{**honest[0], "setup": changed_setup(other)}])
    assert RAN == []


def changed_setup(value: dict[str, Any]) -> bytes:
    return bytes(value["setup"]) + b"."


def test_a_result_that_is_not_plain_data_is_the_call_s_failure() -> None:
    value = input_of([1, 2], function=lambda number: {number} if number == 1 else number)
    (output,) = outputs(job(hashes_of(value, False)), value)
    raised, other = done(output).results
    assert other == 2
    assert isinstance(raised.error, TypeError)
    assert "use sorted" in str(raised.error)


def test_pickled_where_the_program_trusts_the_nodes() -> None:
    value = input_of([1], function=lambda number: {number})
    (output,) = outputs(job(hashes_of(value, True)), value)
    assert answers.read(output).results == [{1}]


def test_an_exception_is_what_it_was_where_that_can_be_made() -> None:
    value = input_of([1, 2], function=lambda x: {}[x], goes_on=True)
    (output,) = outputs(job(hashes_of(value, False)), value)
    for raised in done(output).results:
        assert isinstance(raised.error, KeyError)
        assert raised.error.args in ((1,), (2,))
        assert "in <lambda>" in raised.text


def test_one_that_cannot_be_made_again_is_told_by_its_text() -> None:
    value = input_of([1])
    (output,) = outputs(job(hashes_of(value, False)), value)
    (raised,) = done(output).results
    assert raised.error is None
    assert "1 is odd" in raised.text


@pytest.mark.parametrize(
    "kind",
    [
        ["os", "system"],
        ["builtins", "SystemExit"],
        ["builtins", "eval"],
        ["no.such", "A"],
        ["transports", "Fleet"],
        ["transports", "JobFailed"],  # which would be imported
    ],
)
def test_a_node_cannot_have_anything_called_or_imported(kind: list[str]) -> None:
    said = [[0, *kind, ["exit 3"], "why"]]
    found = done({"partition": 0, "returned": [None], "raised": said, "seconds": 0.0})
    assert found.results == [Raised(None, "why")]


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["partition", "returned", "raised"]), inner)
        ),
        max_leaves=8,
    )
)
def test_whatever_a_node_says_is_a_result_or_refused(said: Any) -> None:
    whole = {"partition": 0, "seconds": 1.0, "returned": [said], "raised": []}
    for value in (said, {**whole, "raised": said}, {**whole, "raised": [said]}, whole):
        assert len(answers.Plain(value)) >= 0
        try:
            found = done_of(value, lambda module, name: ValueError)
        except ValueError:
            continue
        assert isinstance(found, Done)


def test_what_is_no_list_of_hashes_is_refused() -> None:
    for data in (b"", b"\xc1", msgspec.msgpack.encode([b"", [b""]])):
        with pytest.raises(ValueError):  # noqa: PT011
            job(data)
