"""What ends a command from outside waits where something is not to be left half done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from plugins.console import signals
from plugins.console.signals import SIGNALS, Interrupt, deferred


@pytest.fixture(autouse=True)
def _ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a command, whatever whoever began the tests ignores."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    monkeypatch.setattr(Interrupt, "last_seconds", -1e9)
    signals.hear()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def come(*numbers: int) -> None:
    """Have them sent to this process; they are dealt with when this returns."""
    for number in numbers:
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_it_waits_until_that_is_over(number: int) -> None:
    log = []

    @deferred()
    def both() -> None:
        with deferred():
            come(number)
            log.append("inner")
        log.append("outer")

    with pytest.raises(Interrupt):
        both()
    assert log == ["inner", "outer"]
    assert signal.getsignal(number) is signals._interrupt


def test_what_fails_meanwhile_is_told_where_nothing_came() -> None:
    with pytest.raises(ZeroDivisionError), deferred():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is signals._interrupt


def test_the_handlers_of_others_wait_too() -> None:
    log: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: log.append(number))
    with deferred():
        come(signal.SIGTERM)
        assert log == []
    assert log == [signal.SIGTERM]


def test_two_at_once_are_one() -> None:
    """The second would break off what the first has begun to bring to an end."""
    with pytest.raises(Interrupt):
        come(signal.SIGTERM)
    come(signal.SIGHUP, signal.SIGTERM)


def test_but_one_that_comes_later_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Interrupt):
        come(signal.SIGINT)
    monkeypatch.setattr(signals, "SAME_SECONDS", 0.0)
    with pytest.raises(Interrupt):
        come(signal.SIGINT)


def test_in_another_thread_nothing_changes() -> None:
    found = []

    def look() -> None:
        with deferred():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signals._interrupt]
