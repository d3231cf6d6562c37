"""What the commands of those who use a fleet can be asked for: each a class, as in `wanted.py`."""

from __future__ import annotations

from pathlib import Path

import attrs

from plugins.console import checks
from plugins.console.options import OPTION, Option, option, switch
from transports.command.wanted import (
    JobOptions,
    SecurityOptions,
    address_of,
    answered,
    patience,
)
from transports.net.addresses import Address
from transports.net.figures import PATIENCE_SECONDS, PRIORITY_MAX, TREE_MAX, WEIGHT_MAX, WEIGHT_MIN
from transports.signing.keys import default_file

_ROOT = "where the root of the fleet listens, as it says when it begins"
KEY = default_file()  # of this user
_NEW_OR_SHOW = {"choices": ("new", "show")}
_NUMBER = Option("N", checks.between(1, TREE_MAX), "the number of the job, as 'submit' has said it")
_AS_IT_IS = "as it is"
_LOST = f" at first, {PATIENCE_SECONDS:g} when it is lost"
_PRIORITY = checks.between(-PRIORITY_MAX, PRIORITY_MAX)
_WEIGHT = checks.number(
    float,
    f"a number from {WEIGHT_MIN:g} to {WEIGHT_MAX:g}",
    lambda x: WEIGHT_MIN <= x <= WEIGHT_MAX,
)


def _function(text: str) -> str:
    if not text.rpartition(":")[2].isidentifier() or text.startswith(":"):
        raise checks.wrong(text, "names no function, give MODULE_OR_FILE:NAME, such as my.py:f")
    return text


def _over(text: str) -> int | Path:
    return _ITEMS(text) if text.lstrip("-+").isdigit() else checks.FILE(text)


ITEMS_MAX = 10**7
_ITEMS = checks.between(1, ITEMS_MAX)


@attrs.frozen
class MapOptions:
    """Calls of a function, in place of a job."""

    map: str = option(
        "",
        "MODULE_OR_FILE:NAME",
        _function,
        "a function that is called for each item, instead of a --job; it travels with what its "
        "file imports from its own folder, to nodes with --allow transports.fleet.calling, or with "
        "--sign to those that trust the key",
        "none, a job is computed",
    )
    over: int | Path = option(
        0,
        "N_OR_FILE",
        _over,
        f"the items: the numbers from 0 to N - 1, N at most {ITEMS_MAX:,}; or those of a file, a "
        "list if it ends in .json, else its lines",
        "none",
    )
    reduce: str | None = option(
        None,
        "NAME",
        _function,
        "what makes one value of a list of results, and of a list of such values: a function of "
        "Python itself, such as sum, or MODULE_OR_FILE:NAME",
        "the list of all results",
    )


@attrs.frozen
class SubmitOptions:
    """A job for a fleet, or calls of a function."""

    address: Address = attrs.field(metadata=address_of(_ROOT))
    work: JobOptions
    security: SecurityOptions
    calls: MapOptions | None = None
    priority: int = option(
        0,
        "N",
        _PRIORITY,
        f"jobs of a higher one go first, {-PRIORITY_MAX} to {PRIORITY_MAX}: in the queue, and on "
        "each machine",
    )
    weight: float = option(
        1.0,
        "W",
        _WEIGHT,
        "jobs of the same priority that run together share each machine in proportion to theirs, "
        f"{WEIGHT_MIN:g} to {WEIGHT_MAX:g}",
    )
    sign: Path | None = option(
        None,
        "KEYFILE",
        checks.FILE,
        "have the job's file travel, with the modules of its folder that it imports, signed by "
        f"this key, or by {KEY}: for nodes that trust it; the job may be an installed one, too",
        "it does not travel",
        nargs="?",
        const=KEY,
    )
    detach: bool = switch(
        "do not wait for the result: tell the number of the job, by which it is asked for",
        "wait for it",
    )
    patience: float | None = patience("the root", _LOST)
    json: bool = answered("a summary for people")


@attrs.frozen
class ResultOptions:
    """Whoever wants to know what came of a job. `wait` None: as long as it takes."""

    address: Address = attrs.field(metadata=address_of(_ROOT))
    number: int = attrs.field(metadata={OPTION: _NUMBER})
    security: SecurityOptions
    wait: float | None = option(
        None, "SECONDS", checks.SECONDS, "how long to wait for its end", "as long as it takes"
    )
    patience: float | None = patience("the root", _LOST)
    json: bool = answered("a summary for people")


@attrs.frozen
class WeighOptions:
    """What a job is to weigh. What is None stays as it is."""

    address: Address = attrs.field(metadata=address_of(_ROOT))
    number: int = attrs.field(metadata={OPTION: _NUMBER})
    security: SecurityOptions
    priority: int | None = option(None, "P", _PRIORITY, "its priority, as for 'submit'", _AS_IT_IS)
    weight: float | None = option(None, "W", _WEIGHT, "its weight, as for 'submit'", _AS_IT_IS)
    patience: float | None = patience("the root", _LOST)
    json: bool = answered("a line for people")


@attrs.frozen
class CancelOptions:
    """Which job is to end."""

    address: Address = attrs.field(metadata=address_of(_ROOT))
    number: int = attrs.field(metadata={OPTION: _NUMBER})
    security: SecurityOptions
    patience: float | None = patience("the root", _LOST)
    json: bool = answered("a line for people")


@attrs.frozen
class LogOptions:
    """Whoever wants to know what happened in a job."""

    address: Address = attrs.field(metadata=address_of(_ROOT))
    number: int = attrs.field(metadata={OPTION: _NUMBER})
    security: SecurityOptions
    patience: float | None = patience("the root", _LOST)
    json: bool = answered("text for people")


@attrs.frozen
class JobsOptions:
    """Of which fleet the jobs are to be told."""

    address: Address = attrs.field(metadata=address_of(_ROOT))
    security: SecurityOptions
    patience: float | None = patience("the root", _LOST)
    json: bool = answered("a table for people")


@attrs.frozen
class StopOptions:
    """Which fleet is to end."""

    address: Address = attrs.field(metadata=address_of(_ROOT))
    security: SecurityOptions
    patience: float | None = patience("the root", _LOST)
    json: bool = answered("a line for people")


ForClients = (
    SubmitOptions | ResultOptions | WeighOptions | CancelOptions | LogOptions | JobsOptions
    | StopOptions
)  # fmt: skip


@attrs.frozen
class KeyOptions:
    """A key that signs jobs: `new`, or `show` what those have who trust it."""

    what: str = attrs.field(
        metadata={OPTION: Option("new|show", str, "make one, or show it", more=_NEW_OR_SHOW)}
    )
    file: Path = option(KEY, "FILE", checks.FILE, "where the key is", nargs="?")
