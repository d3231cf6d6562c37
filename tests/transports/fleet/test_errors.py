"""What a program that uses a fleet has to expect."""

from __future__ import annotations

import copy
import pickle

from core.messages import Failure
from transports.fleet.errors import JobFailed


def test_a_job_that_failed_can_be_told_elsewhere() -> None:
    """By another process of the program, say."""
    error = JobFailed(7, Failure("0-1", 3, "Traceback:\n  ...\nValueError: 37"))
    travelled = pickle.loads(pickle.dumps(error))  # noqa: S301
    for other in (travelled, copy.copy(error)):
        assert (str(other), other.number, other.failure) == (str(error), 7, error.failure)
        assert other.__notes__ == error.__notes__ == ["Traceback:\n  ...\nValueError: 37"]
