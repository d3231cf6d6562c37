"""How far a job is, in a line."""

from __future__ import annotations

import pytest

from transports.fleet.telling import progress_line
from transports.net.wire import Progress


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (Progress(1, "queued", 0, 0, 0, 0), "waiting  at 2.5 s"),
        (Progress(1, "queued", 2, 0, 0, 0), "waiting behind 2 jobs  at 2.5 s"),
        (Progress(1, "running", 0, 1, 1, 0), "  0 %  at 2.5 s  1 node  0 of 1 partition"),
        (
            Progress(1, "running", 0, 3000, 4000, 1000),
            " 25 %  at 2.5 s  3,000 nodes  1,000 of 4,000 partitions",
        ),
    ],
)
def test_where_it_stands(now: Progress, line: str) -> None:
    assert progress_line(now, 2.5) == line
