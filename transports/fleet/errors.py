"""What a program that uses a fleet has to expect. The message of each is one line."""

from __future__ import annotations

from core.messages import Failure
from plugins.console.telling import failure_line


class FleetError(Exception):
    """Of all of them the kind."""


class FleetLost(FleetError):
    """The root of the fleet is not there, not any more, or does not know what it was asked before.
    Nothing was submitted again."""


class Refused(FleetError, ValueError):
    """The fleet does not take the job."""


class JobAbsent(Refused):
    """The root of the fleet has no such module or file."""


class JobFailed(FleetError):
    """The job failed. `failure` says where and how; its traceback is a note of this."""

    def __init__(self, number: int, failure: Failure) -> None:
        super().__init__(f"job {number}: {failure_line(failure)}")
        self.number, self.failure = number, failure
        if "\n" in (text := failure.error.strip()):
            self.add_note(text)

    def __reduce__(self) -> tuple[type[JobFailed], tuple[int, Failure]]:
        return type(self), (self.number, self.failure)


class JobCancelled(FleetError):
    """The job was cancelled."""


class JobUnknown(FleetError, LookupError):
    """The fleet knows no such job, or not any more, or not any more what came of it; or that is
    only for the program that submitted it."""
