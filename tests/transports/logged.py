"""What this process has logged, for tests."""

from __future__ import annotations

import logging

import pytest


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of all that is worse than usual."""
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
