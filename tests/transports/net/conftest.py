"""What tests of connections have in common: who is connected, the clock, what is logged."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock

from tests.transports.talking import Net


@pytest.fixture
def clock() -> MockClock:
    """For each test to ask for by itself; a fixture's clock would not be the test's."""
    return MockClock(autojump_threshold=0)


@pytest.fixture
def net(nursery: trio.Nursery) -> Net:
    return Net(nursery)


@pytest.fixture(autouse=True)
def _lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "million_nodes.tcp")
