"""What tests of connections have in common: who is connected, the clock, what is logged."""

from __future__ import annotations

import logging

import pytest
import trio

from tests.transports.talking import Net


@pytest.fixture
def net(nursery: trio.Nursery) -> Net:
    return Net(nursery)


@pytest.fixture(autouse=True)
def _lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "million_nodes.tcp")
