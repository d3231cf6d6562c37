"""How every command begins and ends: what is caught, the last word, the exit code.

A command reads its options within `asking`, does its work, and hands what came of it to
`telling.told`. `run` stands around all of that, and turns what ends a command early into its exit
code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from plugins.console import streams
from plugins.console.exits import Exit


class Ended(Exception):
    """The command is over, with this exit code; the line says why, if there is one to say."""

    def __init__(self, code: int, line: str = "") -> None:
        super().__init__(line)
        self.code, self.line = code, line


def run(
    program: str, command: Callable[[Sequence[str]], int], arguments: Sequence[str] | None
) -> int:
    """Run a command with these arguments, or with those of the process. Returns the exit code."""
    try:
        return command(sys.argv[1:] if arguments is None else arguments)
    except Ended as ended:
        if ended.line:
            streams.complain(program, ended.line)
        return ended.code
    except BrokenPipeError:  # whoever was reading has read enough
        return streams.silenced(Exit.UNREAD)


@contextmanager
def asking(
    interrupted: str = "", wrong: tuple[type[ValueError], ...] = (ValueError,)
) -> Iterator[None]:
    """While it is found out what is wanted; `interrupted` is what is said of Ctrl-C meanwhile.

    Raises Ended: where the help was asked for, and for what is `wrong`, a line each.
    """
    try:
        yield
    except SystemExit:  # the help was asked for
        raise Ended(Exit.FINISHED) from None
    except wrong as error:
        raise Ended(Exit.MISUSED, str(error)) from None
    except KeyboardInterrupt:
        raise Ended(Exit.INTERRUPTED, interrupted) from None
