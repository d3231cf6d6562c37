"""Every case that asks for `opened` runs on each transport, and on a clock that waits for nobody.

A case has to name the clock as well, for only then the loop has it.
"""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from tests.conformance.deployment import Opener
from tests.conformance.simulated import simulated
from tests.conformance.tcp import tcp

QUIET_SECONDS = 0.002  # without anything on any socket, and the clock jumps
TRANSPORTS: dict[str, Opener] = {"simulated": simulated, "tcp": tcp}


@pytest.fixture
def autojump_clock() -> MockClock:
    """The loop's. It stands still until nothing more happens, and then jumps to what is due."""
    return MockClock(rate=0, autojump_threshold=QUIET_SECONDS)


@pytest.fixture(params=list(TRANSPORTS))
def opened(request: pytest.FixtureRequest) -> Opener:
    """Opens a deployment on the transport whose turn it is."""
    return TRANSPORTS[request.param]
