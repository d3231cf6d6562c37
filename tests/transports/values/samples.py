"""A name, a large value, and what is in a folder."""

from __future__ import annotations

from pathlib import Path

SHA = "0123456789abcdef" * 4
LARGE = {"numbers": list(range(3000)), "bytes": b"\0\xff", "none": None}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
