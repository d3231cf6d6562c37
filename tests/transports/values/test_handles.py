"""Handles: what stands for a large value, and what only looks like that."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from core import messages as m
from tests.transports.values.samples import SHA
from transports.values.files import loaded
from transports.values.handles import BLOB_BYTES_MAX, KEY, among, handle, handles, is_handle


@pytest.mark.parametrize(
    "value",
    [
        None,
        SHA,
        [KEY, SHA],
        {},
        {KEY: SHA},
        {"blob": SHA, "size": 5000},
        {KEY: SHA, "size": 5000, "more": 0},
        {KEY: SHA, "size": 0},
        {KEY: SHA, "size": BLOB_BYTES_MAX + 1},
        {KEY: SHA, "size": True},
        {KEY: SHA, "size": "5000"},
        {KEY: SHA[1:], "size": 5000},
        {KEY: SHA.upper(), "size": 5000},
        {KEY: SHA + "\n", "size": 5000},
        {KEY: "../" + SHA[3:], "size": 5000},
        {KEY: SHA.encode(), "size": 5000},
    ],
)
def test_what_only_resembles_a_handle_is_a_value(tmp_path: Path, value: Any) -> None:
    assert not is_handle(value)
    assert among([value]) == []
    assert loaded(tmp_path, value) == value


def test_the_handles_of_each_message() -> None:
    one, other = handle(SHA, 5000), handle(SHA[::-1], BLOB_BYTES_MAX)
    assert is_handle(one)
    assert is_handle(other)
    assert handles(m.Given(one)) == [one]
    assert handles(m.Prepared([1, one, {"a": 1}, other])) == [one, other]
    assert handles(m.Finished(1, (0, 1), [other, None], 0.5)) == [other]
    assert handles(m.Ended(one, None)) == [one]
    assert handles(m.Compute("0", 0, (0, 1), (one, 2))) == [one]
    assert handles(m.Left(1)) == []
    assert handles(m.Given([one])) == []  # whole values only


def test_looking_for_handles_costs_little() -> None:
    message = m.Finished(1, tuple(range(100)), list(range(100)), 0.5)
    began = time.process_time()
    for _ in range(1000):
        handles(message)
    assert time.process_time() - began < 0.05  # 3 us each, where nothing else runs
