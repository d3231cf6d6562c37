"""`key new` and `key show`: a key of one's own, and the line by which others trust it."""

from __future__ import annotations

import sys

from plugins.console import streams
from transports.command.clients_wanted import KeyOptions
from transports.command.wanted import PROGRAM
from transports.signing import keys


def run(wanted: KeyOptions) -> int:
    """Returns the exit code. Raises SigningError."""
    path = wanted.file
    key = keys.make(path) if wanted.what == "new" else keys.Key.read(path)
    if wanted.what == "new" and sys.stderr and sys.stderr.isatty():
        streams.complain(PROGRAM, f"the key is in {path}: keep it, and show it to nobody")
    return streams.answer(PROGRAM, keys.line_of(key.public))
