"""The keys that are trusted here: a file, a line a key.

    # who may have their code run here
    ed25519 q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA= me@here

Rules it keeps:
- A key counts from when the file was read. It is read again when that is asked for; if it cannot
  be used then, what was trusted before still is.
- Only its owner can change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from transports.signing import keys
from transports.signing.files import SigningError, read_own

WHAT = "the file of trusted keys"
EXAMPLE = f"'{keys.KIND} KEY NAME', as 'key show' prints it"
REMEDY = f"make it, with lines such as {EXAMPLE}"


@attrs.define
class Trusted:
    """`names`: of each key that is trusted. Raises SigningError where the file cannot be used."""

    path: Path
    names: Mapping[bytes, str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        keys.require()
        self.read()

    def read(self) -> None:
        """Read the file, again. Raises SigningError, and leaves all as it was."""
        self.names = _read(self.path)

    def __contains__(self, public: object) -> bool:
        return public in self.names


def _read(path: Path) -> dict[bytes, str]:
    try:
        lines = read_own(str(path), WHAT, REMEDY).decode().splitlines()
    except UnicodeDecodeError:
        raise SigningError(f"{WHAT} {str(path)!r} is no text: give another") from None
    found: dict[bytes, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            public, name = _line(line, f"line {number} of {WHAT} {str(path)!r}")
            found[public] = name
    return found


def _line(line: str, where: str) -> tuple[bytes, str]:
    words = line.split(maxsplit=2)
    if len(words) < 2 or words[0] != keys.KIND:
        raise SigningError(f"{where} is no key: {line.strip()!r:.80}: write {EXAMPLE}")
    try:
        public = keys.public_of(words[1])
    except ValueError as error:
        raise SigningError(f"{where} has no key: {words[1]!r:.80}, {error}") from None
    name = words[2].strip() if len(words) > 2 else words[1][:8]
    return public, name if name.isprintable() else ascii(name)
