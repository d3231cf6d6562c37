"""Traces of three worlds, for all who read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim import World


@pytest.fixture(scope="session")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few."""
    folder = tmp_path_factory.mktemp("traces")
    World(nodes=120, fanout=5, trace=folder / "plain").run()
    World(
        nodes=150, partitions=400, fanout=6, delay="exponential:3", faults="heavy", seed=3,
        trace=folder / "heavy",
    ).run()  # fmt: skip
    World(nodes=9, trace=folder / "empty")
    return folder
