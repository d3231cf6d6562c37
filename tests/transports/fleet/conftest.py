"""A net in memory, and a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio

from tests.transports.talking import Net
from transports.fleet.store import Store


@pytest.fixture
async def net(nursery: trio.Nursery) -> AsyncIterator[Net]:
    net = Net(nursery)
    yield net
    nursery.cancel_scope.cancel()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fleet.store"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()
