"""Every fault happens with replicas that all share, and with one for each node."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["shared", "each"])
def replicas(request: pytest.FixtureRequest) -> str:
    return str(request.param)
