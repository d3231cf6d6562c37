"""What tests of real processes have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.running import Programs, programs


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Programs]:
    """Starts processes; none of them may outlive the test by itself."""
    with programs(tmp_path) as made:
        yield made


@pytest.fixture
def clock() -> MockClock:
    """For each test to ask for by itself; a fixture's clock would not be the test's."""
    return MockClock(autojump_threshold=0)
