"""Files of what was measured: two of them, how one is written, and how it is refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from sim.measured import places

TICK = 0.001


def written(text: str, name: str = "file.csv") -> str:
    path = Path(name)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return name


def refusal(read: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(ValueError, match=r"file|csv|must|directory") as error:
        read(*arguments, **options)
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 300
    return line


HEADER = "cty1,cty2,rtt_cnt,rtt_avg,rtt_std,rtt_min,rtt_max\n"
TABLE = f"""{HEADER}NA,UK,9,100,0,0,1
ID,UK,9,30,0,0,1
ID,ID,9,4,0,0,1
NA,ID,9,400,0,0,1
FJ,ID,9,50,0,0,1
TV,FJ,9,8,0,0,1
"""
TRACE = "who,arrival,lifetime\na,4.5,100\nb,0,\nc,1.25,2\nd,1.25,1.5\n"


def table(text: str) -> dict[str, dict[str, float]]:
    """The full table, by names."""
    found = places.read(written(text))
    return {
        one: dict(zip(found.names, row, strict=True))
        for one, row in zip(found.names, found.milliseconds, strict=True)
    }
