"""A process that joins, and whoever started it."""

from __future__ import annotations

import os
import sys

import pytest

from transports.command.leaving import stdin_ended


async def test_standard_input_stays_open_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is opened next would be number 0 else, which a new process takes for its own."""
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.close(theirs)
        await stdin_ended()
        assert os.read(stdin.fileno(), 1) == b""
