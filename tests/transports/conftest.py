"""What tests of real processes have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Programs, programs


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Programs]:
    """Starts processes; none of them may outlive the test by itself."""
    with programs(tmp_path) as made:
        yield made
