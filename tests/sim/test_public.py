"""What is public is there by its name, though it is loaded only when it is asked for."""

from __future__ import annotations

from types import ModuleType

import pytest

import sim
import sim.sweep
from sim.record import Report
from sim.sweep import points, running
from sim.world import World


def test_each_name_is_what_it_says() -> None:
    assert (sim.Report, sim.World) == (Report, World)
    assert sim.sweep.grid is points.grid
    assert (sim.sweep.run, sim.sweep.sweep) == (running.run, running.sweep)


@pytest.mark.parametrize("package", [sim, sim.sweep])
def test_all_of_them_are_listed(package: ModuleType) -> None:
    assert {"__all__", *package.__all__} <= set(dir(package))


@pytest.mark.parametrize("package", [sim, sim.sweep])
def test_there_are_no_others(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Wrld'"):
        _ = package.Wrld
