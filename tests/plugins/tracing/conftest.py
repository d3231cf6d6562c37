from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sim import World
from tests.plugins.tracing.worlds import WORLDS, Ran, Runs


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("worlds"))


@pytest.fixture(params=list(WORLDS))
def ran(request: pytest.FixtureRequest, runs: Runs) -> Ran:
    """Each of the worlds, one after the other."""
    return runs[request.param]


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A trace whose writer was killed before the first piece."""
    options: dict[str, Any] = {"nodes": 9, "fanout": 3}
    World(**options, trace=tmp_path / "empty")
    return tmp_path / "empty"
