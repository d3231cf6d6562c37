"""A process that joins, and whoever started it."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from transports.command.joining import Joining


async def test_standard_input_stays_open_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is opened next would be number 0 else, which a new process takes for its own."""
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.close(theirs)
        to_do: list[Any] = []
        process: Any = SimpleNamespace(post=to_do.append, station=SimpleNamespace())
        options: Any = None
        await Joining(process, options, print)._hear_stdin()
        assert len(to_do) == 1  # it goes
        assert os.read(stdin.fileno(), 1) == b""
