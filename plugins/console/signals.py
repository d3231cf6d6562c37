"""What ends a command from outside: Ctrl-C, or a system that ends jobs (SIGTERM, SIGHUP).

All of them do the same: `Interrupt` is raised in the main thread. A function of a job may raise
KeyboardInterrupt by itself, and that is no such thing.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAME_SECONDS = 0.5  # what comes so soon after another means the same


class Interrupt(KeyboardInterrupt):
    """Somebody wants this command to end."""

    last_seconds = -math.inf  # when it was raised last, by the monotonic clock


def hear() -> None:
    """From now on raise Interrupt for them, but for what is ignored, as `nohup` has it."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def heard() -> list[signal.Signals]:
    """Those that end a command which waits for them itself: a hangup only if it is not ignored."""
    hangs_up = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hangs_up else [])]


@contextmanager
def deferred() -> Iterator[None]:
    """Have these signals wait until this is over, where it is not to be left half done.

    Only the main thread ever hears of them; in others nothing is to be done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = {number: handler for number, handler in before.items() if callable(handler)}
    try:
        _set(dict.fromkeys(heard, lambda number, frame: came.append((number, frame))))
        yield
    finally:
        _set(heard)
        for number, frame in came:
            heard[signal.Signals(number)](number, frame)


def _set(handlers: Mapping[signal.Signals, Callable[[int, FrameType | None], Any]]) -> None:
    """All of them, also where one raises as soon as it is set."""
    try:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    except KeyboardInterrupt:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        raise


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Systems that end jobs send two of them at once: by the second it is about to end."""
    now = time.monotonic()
    if now >= Interrupt.last_seconds + SAME_SECONDS:
        Interrupt.last_seconds = now
        raise Interrupt


def is_ours(error: BaseException) -> bool:
    """Whether `error` comes from outside, rather than from a job."""
    if isinstance(error, Interrupt):
        return True
    in_main = threading.current_thread() is threading.main_thread()
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # of Python, say
    return isinstance(error, KeyboardInterrupt) and in_main and heard
