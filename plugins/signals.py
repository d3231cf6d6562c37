"""What ends a command from outside: Ctrl-C, or a system that ends jobs (SIGTERM, SIGHUP).

All of them do the same: `Interrupt` is raised in the main thread. A function of a job may raise
KeyboardInterrupt by itself, and that is no such thing.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt(KeyboardInterrupt):
    """Somebody wants this command to end."""


def hear() -> None:
    """From now on raise Interrupt for them, but for what is ignored, as `nohup` has it."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)


def heard() -> list[signal.Signals]:
    """Those that end a command which waits for them itself: a hangup only if it is not ignored."""
    hangs_up = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hangs_up else [])]


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupt


def is_ours(error: BaseException) -> bool:
    """Whether `error` comes from outside, rather than from a job."""
    if isinstance(error, Interrupt):
        return True
    in_main = threading.current_thread() is threading.main_thread()
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # of Python, say
    return isinstance(error, KeyboardInterrupt) and in_main and heard
