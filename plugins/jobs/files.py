"""Files that a job is given by their path."""

from __future__ import annotations

import errno
import os
import stat


def size_of(path: str) -> int:
    """In bytes. Raises ValueError for what tells none, such as a pipe, and OSError for a folder."""
    about = os.stat(path)
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(about.st_mode) or (about.st_size == 0 and _has_content(path)):
        raise ValueError(f"{path!r} tells no size, save it as a file")
    return about.st_size


def _has_content(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(1) != b""
