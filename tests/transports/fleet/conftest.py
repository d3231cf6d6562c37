"""A net in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from tests.transports.talking import Net


@pytest.fixture
async def net(nursery: trio.Nursery) -> AsyncIterator[Net]:
    net = Net(nursery)
    yield net
    nursery.cancel_scope.cancel()
