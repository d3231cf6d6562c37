"""What all tests have in common: the same examples in every run, and Ctrl-C where it is wanted."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# So that a change is to blame for what fails.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C does what it does in Python, though whoever began the tests may have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
