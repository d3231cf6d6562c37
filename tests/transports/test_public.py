"""What is public is there by its name, though it is loaded only when it is asked for."""

from __future__ import annotations

import pytest

import transports
from tests.processes import printed
from transports.fleet import errors
from transports.fleet.face import Fleet
from transports.fleet.submitted import Job


def test_each_name_is_what_it_says() -> None:
    assert (transports.Fleet, transports.Job) == (Fleet, Job)
    for name in transports.__all__:
        assert getattr(transports, name).__name__ == name
    assert transports.FleetLost is errors.FleetLost


def test_all_of_them_are_listed() -> None:
    assert {"__all__", *transports.__all__} <= set(dir(transports))


def test_there_are_no_others() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Flet'"):
        _ = transports.Flet


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    heavy = "{'trio', 'msgspec', 'ssl', 'core'} & sys.modules.keys()"
    assert printed(f"import sys, transports; print({heavy})", "0") == {"set()\n"}
