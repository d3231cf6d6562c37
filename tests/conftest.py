"""What all tests have in common: the same examples in every run, Ctrl-C and imports as wanted."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

# So that a change is to blame for what fails.
# A busy machine is no failure, and what is explained of one is not worth the minutes it takes.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, phases=set(Phase) - {Phase.explain}
)
settings.load_profile("repeatable")


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C does what it does in Python, though whoever began the tests may have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder to import from; what was imported is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    return tmp_path
