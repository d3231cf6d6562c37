"""What tests of transfers have in common."""

from __future__ import annotations

import pytest

from transports.values import content


@pytest.fixture(autouse=True)
def _at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where time jumps nothing is written in a thread: it would jump meanwhile."""
    if "autojump_clock" in request.fixturenames:
        monkeypatch.setattr(content, "INLINE_BYTES", 2**30)
