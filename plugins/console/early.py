"""What a command does before it loads the rest, which takes a while. It loads nothing itself."""

import sys
from types import TracebackType


def hear() -> None:
    """From now on Ctrl-C that nobody catches is a word, not a traceback of whatever is loaded."""
    sys.excepthook = _tell


def _tell(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    elif sys.stderr:
        print("interrupted", file=sys.stderr)
