"""What one process does to write a trace: its clock, and where it cannot write any more."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from core.sessions.messages import NODE_BITS
from plugins.tracing.writing import Writer
from tests.transports.command.traced import rows
from transports.command.tracing import LOOK_SECONDS, Tracing
from transports.net.connection import Me


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file can have more bytes meanwhile, as on a disk that is full."""
    _, most = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("folder", "why"), [("none", "No such file"), (".", "File too large")], ids=["gone", "full"]
)
async def test_a_failure_to_write_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, folder: str, why: str
) -> None:
    told: list[None] = []
    trace = Tracing(Me(5, None), tmp_path / folder, 1, lambda: told.append(None))
    trace.begin(trio.current_time(), 0.0)
    trace.arrived(trio.current_time(), 5 << NODE_BITS, "0")
    with room(100):
        for _ in range(2):
            trace.met(3)
            await trace.close()
    assert trace.ended
    assert len(told) == len(caplog.records) == 1
    assert f"the trace {tmp_path / folder} cannot be written" in caplog.text
    assert why in caplog.text


async def test_time_begins_with_the_root_and_never_goes_back(
    tmp_path: Path,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Writer, "is_due", lambda writer: True)
    trace = Tracing(Me(5, None), tmp_path, 1, lambda: None)
    nursery.start_soon(trace.run)
    trace.met(2)  # before anything has begun
    await trio.sleep(3 * LOOK_SECONDS)
    now = trio.current_time()
    trace.begin(now, trace._offset + now)  # the root was opened at this moment
    for node, moment in ((1, now), (2, now + 1.5), (3, now + 1)):
        trace.arrived(moment, node, "0")
    await trace.close()
    assert rows(tmp_path)["time"].round(6).to_list() == [0.0, 1.5, 1.5]
    ((at, node, connections),) = rows(tmp_path, "connections").rows()
    assert (round(at, 6), node, connections) == (0.0, 5 << NODE_BITS, 2)
