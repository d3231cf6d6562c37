"""The page with the pictures, each between two lines that say where it is from."""

from __future__ import annotations

import re

from tests import TOP
from tests.pictures import house, way

PAGE = TOP / "ARCHITECTURE.md"
NAMES = ("the house", "the way to the host", "the way to a node")
BEGIN, END = "<!-- {}: `make pictures` writes this -->", "<!-- the end of {} -->"


def drawn(text: str) -> str:
    """The page as it ought to be. Raises ValueError where a picture has no place in it."""
    for name, picture in zip(NAMES, (house.picture(), *way.tables()), strict=True):
        begin, end = BEGIN.format(name), END.format(name)
        between = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}\n", re.DOTALL)
        parts = between.split(text)
        if len(parts) != 2:
            raise ValueError(f"{PAGE.name} has not one place for {name}: {begin} ... {end}")
        text = f"{begin}\n\n{picture}\n\n{end}\n".join(parts)
    return text
