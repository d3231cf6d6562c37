"""Logs: one line for each event, whatever is in it."""

from __future__ import annotations

import logging
import re

import pytest

from transports import logs
from transports.logs import VALUE_LENGTH_MAX, event, quoted


@pytest.fixture(autouse=True)
def _as_it_was() -> object:
    handlers, level = list(logs.log.handlers), logs.log.level
    yield
    logs.log.handlers[:], logs.log.level = handlers, level
    logs.log.setLevel(level)


def test_a_line_has_time_level_name_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(1)
    event(logging.WARNING, "cut", peer="127.0.0.1:4711", reason="frame of 5000 bytes")
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning cut peer=127\.0\.0\.1:4711 "
        r'reason="frame of 5000 bytes"',
        line,
    )


@pytest.mark.parametrize(
    "value",
    [
        "a\n2026-11-22T20:15:01.123Z warning forged",
        "\r\x1b[2J",
        "\u2028\u2029\x85\x0b\x0c",
        "\u202e turned",
        "\udc80",
        'a" reason="b',
        "a\\",
        "",
        "key=value",
    ],
    ids=ascii,
)
def test_nobody_can_forge_a_line_or_a_value(value: str) -> None:
    text = quoted(value)
    assert text.isprintable()
    assert len(text.splitlines()) == 1
    assert re.fullmatch(r'"([^"\\]|\\.)*"', text)


def test_a_long_value_is_shortened() -> None:
    assert len(quoted("x" * 10_000)) == VALUE_LENGTH_MAX
    assert quoted("x" * 10_000).endswith("x...")


def test_a_percent_sign_is_nothing_special(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(0)
    event(logging.WARNING, "cut", reason="%s%d")
    assert "reason=%s%d" in capsys.readouterr().err.replace('"', "")


@pytest.mark.parametrize(("verbosity", "lines"), [(0, 2), (1, 3), (2, 4), (3, 4)])
def test_verbosity(verbosity: int, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(verbosity)
    for level in (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG):
        event(level, "event")
    assert len(capsys.readouterr().err.splitlines()) == lines


def test_set_up_again_does_not_double(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(1)
    logs.set_up(1)
    event(logging.INFO, "once")
    assert len(capsys.readouterr().err.splitlines()) == 1
