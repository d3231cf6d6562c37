"""What a program asks a fleet for, checked before it travels."""

from __future__ import annotations

import getpass
import operator
import os
import socket
from types import ModuleType
from typing import Any

import attrs

from plugins.console import shared
from plugins.jobs.loading import is_path
from plugins.jobs.texts import writable
from plugins.jobs.values import plain
from transports.fleet.errors import JobUnknown
from transports.net import wire
from transports.net.fields import TITLE_LENGTH_MAX
from transports.net.figures import PRIORITY_MAX, TREE_MAX, WEIGHT_MAX, WEIGHT_MIN
from transports.net.wire import USER_LENGTH_MAX
from transports.work.jobs import PARTS, called, place

FANOUT_MAX = 2000

PRIORITY = shared.whole(-PRIORITY_MAX, PRIORITY_MAX)
WEIGHT = shared.real(
    f"a number from {WEIGHT_MIN:g} to {WEIGHT_MAX:g}", lambda x: WEIGHT_MIN <= x <= WEIGHT_MAX
)


def titled(text: str) -> str:
    """As a title may be."""
    return writable(text)[:TITLE_LENGTH_MAX]


Named = str | os.PathLike[str] | ModuleType


def _named(job: Named) -> str:
    """A module by its name; a script by its file."""
    if not isinstance(job, ModuleType):
        return os.fspath(job)
    file = getattr(job, "__file__", None)
    return file if job.__name__ == "__main__" and file else job.__name__


@attrs.frozen(kw_only=True)
class Asked:
    """A job. What is None is chosen by the fleet. Raises ValueError, and TypeError for an input
    that is no plain data."""

    job: str = attrs.field(converter=_named)
    input: Any = attrs.field(default=None, converter=plain)
    prepare: str | None = None
    compute: str | None = None
    collect: str | None = None
    partitions: int | None = shared.partitions()
    fanout: int | None = shared.fanout(FANOUT_MAX)
    seed: int = shared.seed("what is random is")
    piece_timeout: float | None = shared.piece_timeout()
    keep_going: bool = shared.keep_going()
    priority: int = attrs.field(default=0, validator=PRIORITY)
    weight: float = attrs.field(default=1.0, validator=WEIGHT)
    title: str = attrs.field(default="", converter=titled)  # for people, in place of its name

    @property
    def parts(self) -> dict[str, str]:
        """The functions that are not the job's own, by what they are to it."""
        return {part: named for part in PARTS if (named := getattr(self, part)) is not None}

    def spec(self, here: bool) -> wire.Spec:
        """As it travels. `here`: to a fleet that has the files of this machine."""
        name = _path if here else called
        parts = {part: name(named) for part, named in self.parts.items()}
        return wire.Spec(
            name(self.job),
            parts,
            self.input,
            self.partitions,
            self.fanout,
            None,
            self.seed,
            self.piece_timeout,
            self.keep_going,
            self.priority,
            weight=float(self.weight),
            title=self.title,
        )


def number_of(number: int) -> int:
    """As a job may have. Raises JobUnknown."""
    if not 0 <= operator.index(number) <= TREE_MAX:
        raise JobUnknown(f"there is no job {number}: none has such a number")
    return operator.index(number)


@attrs.frozen
class Weight:
    """What a job is to weigh from now on; None: what it has. Raises ValueError, also where nothing
    is to change."""

    priority: int | None = attrs.field(default=None, validator=PRIORITY)
    weight: float | None = attrs.field(default=None, validator=WEIGHT)

    def __attrs_post_init__(self) -> None:
        if self.priority is None and self.weight is None:
            raise ValueError("nothing is to change: give a priority, a weight, or both")


def user() -> str:
    """Whoever runs this program, for those who look at the jobs of a fleet."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # it has none
        name = f"user {os.getuid()}"
    return writable(f"{name}@{socket.gethostname()}")[:USER_LENGTH_MAX]


def _path(named: str) -> str:
    """A file with all its folders. Raises ValueError where it is not there."""
    file = place(named)
    if not is_path(file):
        return named
    if not os.path.isfile(file):
        raise ValueError(f"no file {file!r} to load a job from: see where it is")
    return os.path.abspath(file) + named.removeprefix(file)


def is_count(value: Any) -> bool:
    """Whether it is a whole number, 1 or more."""
    return shared.is_whole(value) and value >= 1
