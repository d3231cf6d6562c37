"""Logs: one line for each event, whatever is in it."""

from __future__ import annotations

import io
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


class Written:
    """What is written by a handler whose clock the test has."""

    def __init__(self) -> None:
        self.now = 100.0
        self.stream = io.StringIO()
        self.handler = logs.Summing(self.stream, lambda: self.now)
        self.handler.setFormatter(logs.Lines())
        logs.log.handlers[:] = [self.handler]
        logs.log.setLevel(logging.INFO)

    @property
    def lines(self) -> list[str]:
        return [line.partition("Z ")[2] for line in self.stream.getvalue().splitlines()]


def test_of_many_events_that_are_alike_so_many_are_told_and_then_their_number() -> None:
    written, most = Written(), logs.ALIKE_MAX[True]
    for i in range(most + 1234):
        event(logging.WARNING, "refused", peer=f"127.0.0.1:{i}", reason="it speaks HTTP")
    assert len(written.lines) == most
    event(logging.WARNING, "cut", peer="#1")
    event(logging.ERROR, "refused", peer="#2")
    assert written.lines[most:] == ["warning cut peer=#1", "error refused peer=#2"]
    written.now += logs.ALIKE_SECONDS
    logs.sum_up()
    assert written.lines[most + 2 :] == [
        'warning refused and="1,234 more like this in the last 5 s"'
    ]
    event(logging.WARNING, "refused", peer="127.0.0.1:1")
    assert written.lines[most + 3 :] == ["warning refused peer=127.0.0.1:1"]
    written.now += 10 * logs.ALIKE_SECONDS
    logs.sum_up()
    assert len(written.lines) == most + 4


def test_what_nobody_was_told_of_is_told_with_the_next_event_and_at_the_end() -> None:
    written, most = Written(), logs.ALIKE_MAX[False]
    for _ in range(most + 1):
        event(logging.INFO, "met")
    written.now += 60.0
    event(logging.INFO, "lost")
    last = ['info met and="1 more like this in the last 60 s"', "info lost"]
    assert written.lines[most:] == last
    for _ in range(most + 2):
        event(logging.INFO, "met")
    written.handler.close()
    assert written.lines[-1] == 'info met and="2 more like this in the last 0 s"'


def test_set_up_again_does_not_double(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(1)
    logs.set_up(1)
    event(logging.INFO, "once")
    assert len(capsys.readouterr().err.splitlines()) == 1
