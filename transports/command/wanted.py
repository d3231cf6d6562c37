"""What a command line asks for: all options, each once, and the objects that come of them.

A field has its default, its unit, its check and its help. Defaults that depend on other options
stand in `transports.command.options`; which command has which options, `transports.command.parsers`
says. Of files there are only paths.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import attrs

from plugins.console import checks, shared
from plugins.console.cores import cores
from plugins.console.options import OPTION, Option, option, switch
from transports.net import addresses
from transports.net.addresses import Address
from transports.net.figures import (
    HEARTBEAT_SECONDS,
    REACH_SECONDS,
    TOKEN_BYTES_MIN,
    TOKEN_VARIABLE,
)
from transports.values.figures import LARGE_BYTES, LEFT_BYTES_MAX, LEFT_SHARE, MEMORY_BYTES_MAX

PROGRAM = "python -m transports.tcp"
PORT = 7411
LISTEN = Address("127.0.0.1", PORT)
FANOUT_MAX = 2000  # all inputs and outputs of a session fit into one frame
AT_ONCE, AT_ONCE_MAX = 4, 32  # jobs of a fleet
NODES = 100  # of the bots, by default
NODES_MAX = 10**6  # of one process
PROCESSES_MAX = 10_000
GATHERING_SECONDS = 10.0  # for those who come after the first, where nothing else is said
STARTING_SECONDS = 60.0  # for the last of the bots, after the first
LOCAL_BOTS = "plugins.bots_local"
CORES = cores()


# -- values --------------------------------------------------------------------------------

_MANY = checks.number(int, "a whole number, 0 or more, below 10^10", lambda n: 0 <= n < 10**10)


def _to_dial(text: str) -> Address:
    return addresses.parse(text, port_min=1)


def _launcher(text: str) -> str:
    if not all(text.partition(":")[0].split(".")):
        raise checks.wrong(
            text, f"names no module, give {LOCAL_BOTS} or plugins.bots_dask:SCHEDULER"
        )
    return text


def _allowed(text: str) -> str:
    if not text:
        raise checks.wrong(
            text, "names no job, give a dotted module name, or the path of a .py file"
        )
    return text


# -- what several commands have ------------------------------------------------------------


def address_of(what: str) -> dict[str, Option]:
    """Of the process that is asked: the metadata of a field that has to be there."""
    return {OPTION: Option("HOST:PORT", _to_dial, what)}


def _listen(default: Address | None, said: str) -> Any:
    return option(default, "HOST:PORT", addresses.parse, "where others can connect", said)


def _advertise() -> Any:
    return option(
        None,
        "HOST:PORT",
        addresses.parse,
        "by which address they are to connect, where that is another: behind a translation "
        "of addresses, or when listening on all, as with 0.0.0.0; port 0: that of --listen",
        "that of --listen",
    )


def patience(whom: str, lost: str = "") -> Any:
    """Of those that ask one process; `lost`: what is said of one that was reached before."""
    return option(
        None,
        "SECONDS",
        checks.SECONDS,
        f"how long it goes on trying to reach {whom} where nobody listens"
        f"{', at first and whenever it is lost' if lost else ''}",
        f"{REACH_SECONDS:g}{lost}",
    )


def answered(shown: str) -> Any:
    """Of those that ask one process, for programs; `shown` is what is printed for people."""
    return shared.json(
        shown,
        "; where it cannot be done, this has 'error' and 'exit', the exit code. What is wrong with "
        "the options themselves is told on standard error alone",
    )


def _heartbeat() -> Any:
    return shared.heartbeat(HEARTBEAT_SECONDS, "; the same for all who take part")


def _values_max() -> Any:
    return option(
        None,
        "BYTES",
        checks.COUNT,
        f"how much the large values (above {LARGE_BYTES >> 10} KB) may take here that any one "
        "other process brings; one that brings more is cut off",
        f"half of what the disk could hold, and {MEMORY_BYTES_MAX >> 21} MB; "
        f"{100 // LEFT_SHARE} %% of the disk, {LEFT_BYTES_MAX >> 30} GB at most, are left free in "
        "any case",
    )


def _verbose() -> Any:
    return switch(
        "log more on standard error, a line an event: connections; -vv: what passes on them too",
        "what is wrong",
        default=0,
        flags=("-v", "--verbose"),
        action="count",
    )


def _allow(called: str) -> Any:
    return option(
        (),
        "NAME",
        _allowed,
        "a job it may compute beside those in plugins: the module's name or the path of the "
        f"file, just as {called} names it; once for each. It is the copy that is installed here",
        "plugins.* only",
        convert=tuple,
        action="append",
    )


def _trust(said: str) -> Any:
    return option(
        None,
        "FILE",
        checks.FILE,
        f"whose signed jobs {said}, whatever code they bring: a file with a line 'ed25519 KEY "
        "NAME' for each, as 'key show' prints it; read again on SIGHUP, and jobs of keys that are "
        "no longer in it end",
        "nobody's",
    )


def _any_job() -> Any:
    """For those who trust whoever may submit, and have one disk: any job by its absolute path."""
    return switch(argparse.SUPPRESS, "")


def _launched(said: str) -> Any:
    return option(
        None,
        "MODULE[:WHERE]",
        _launcher,
        f"what starts them: {LOCAL_BOTS}, on this machine, or plugins.bots_dask:SCHEDULER, "
        "one process on each worker of the Dask cluster with the scheduler at that address, such "
        "as plugins.bots_dask:tcp://10.0.0.1:8786",
        said,
    )


def _file(what: str, said: str) -> Any:
    return option(None, "FILE", checks.FILE, what, said)


# -- what is asked for ---------------------------------------------------------------------


@attrs.frozen
class JobOptions:
    """What is computed. What is None is chosen by the job, or from the number of nodes."""

    job: str = shared.job("prepare, compute and collect")
    prepare: str | None = shared.prepare()
    compute: str | None = shared.compute()
    collect: str | None = shared.collect()
    input: Any = shared.input()
    partitions: int | None = shared.partitions()
    fanout: int | None = shared.fanout(FANOUT_MAX)
    delay: str | None = shared.delay("as long as they take", ", without occupying a core")
    seed: int = shared.seed("what --delay takes is")
    piece_timeout: float | None = shared.piece_timeout()
    keep_going: bool = shared.keep_going()

    @property
    def parts(self) -> dict[str, str]:
        """The functions that are not the job's own, by what they are to it."""
        named = {"prepare": self.prepare, "compute": self.compute, "collect": self.collect}
        return {part: name for part, name in named.items() if name is not None}


@attrs.frozen
class SecurityOptions:
    """Where the token and the certificates are."""

    token_file: Path | None = _file(
        f"the token, a secret of at least {TOKEN_BYTES_MIN} characters that all have",
        f"what {TOKEN_VARIABLE} says, else none",
    )
    tls_cert: Path | None = _file("the certificate of this process, in PEM", "none, no TLS")
    tls_key: Path | None = _file("the key of the certificate, in PEM", "none")
    tls_ca: Path | None = _file(
        "the certificates of those who may sign the others', in PEM; connections are then by "
        "TLS only",
        "none",
    )


@attrs.frozen
class BotsOptions:
    """Who starts the bots, and how many. `processes` None: as many as the launcher has places."""

    module: str = LOCAL_BOTS
    where: str = ""
    nodes: int = option(
        NODES, "N", checks.between(1, NODES_MAX * PROCESSES_MAX), "how many nodes in all"
    )
    processes: int | None = option(
        None,
        "N",
        checks.between(1, PROCESSES_MAX),
        "in how many processes they are, never more than there are nodes",
        f"the cores, {CORES}; with Dask as many as there are workers",
    )


@attrs.frozen
class HostOptions:
    """The root of a job. `alone`: with bots of its own on this machine, and for nobody else.

    Work begins when `wait_nodes` nodes are connected or when `wait_seconds` have passed since the
    first was, whichever is first; None is never. With `wait_nodes` 0 it begins at once.
    """

    alone: bool
    work: JobOptions
    security: SecurityOptions
    bots: BotsOptions | None = _launched("none are started")
    wait_nodes: int | None = option(
        None,
        "N",
        _MANY,
        "when so many nodes are connected",
        "with --bots when all of them are; where --partitions is given at once, and nodes come "
        "while it runs",
    )
    wait_seconds: float | None = option(
        None,
        "SECONDS",
        checks.SECONDS,
        "so long after the first node is connected; of the two what is first",
        f"{GATHERING_SECONDS:g}, where nothing else says when; with --bots {STARTING_SECONDS:g}",
    )
    listen: Address = _listen(LISTEN, f"{LISTEN}, for this machine only; port 0: any")
    advertise: Address | None = _advertise()
    store: Path | None = _file(
        "where the state of the job is kept: after a crash the same command goes on where it was",
        "nowhere, and it begins anew",
    )
    heartbeat: float = _heartbeat()
    values_max: int | None = _values_max()
    trace: Path | None = shared.trace(
        shared.traced(
            f"bots of {LOCAL_BOTS} write into it, too, those of others do not, as they may be on "
            "other machines, and whoever joins if told so there; "
        )
    )
    sample: int = shared.sample()
    verbose: int = _verbose()
    json: bool = shared.json_report()


@attrs.frozen
class JoinOptions:
    """A process with nodes."""

    address: Address = attrs.field(
        metadata=address_of(
            "where the host of the job, or the root of a fleet, listens, as it says when it begins"
        )
    )
    security: SecurityOptions
    nodes: int = option(
        CORES,
        "N",
        checks.between(1, NODES_MAX),
        "how many nodes this process has",
        f"the cores, {CORES}",
    )
    cores: int = option(
        CORES,
        "N",
        checks.between(1, 1000),
        "in how many processes of their own its nodes compute at the same time",
        f"the cores, {CORES}",
    )
    listen: Address | None = _listen(
        None, "nowhere: others are then led by processes that listen, or by the host"
    )
    advertise: Address | None = _advertise()
    allow: tuple[str, ...] = _allow("the host")
    trust: Path | None = _trust("it computes")
    any_job: bool = _any_job()
    patience: float = option(
        600.0,
        "SECONDS",
        checks.SECONDS,
        "how long it goes on trying to reach the host, at first and whenever it is lost",
    )
    heartbeat: float = _heartbeat()
    values_max: int | None = _values_max()
    while_stdin: bool = switch(argparse.SUPPRESS, "")  # for launchers: leave when stdin ends
    trace: Path | None = shared.trace(
        "write down what happens in this process, as Parquet files in a folder that may be "
        "there: that of the host's --trace, on this machine or a shared disk; from other "
        "machines, copy the files of all into one folder afterwards"
    )
    sample: int = shared.sample("happens", "; the same for all who take part")
    verbose: int = _verbose()


@attrs.frozen
class ServeOptions:
    """The root of a fleet, which computes jobs as they come."""

    security: SecurityOptions
    bots: BotsOptions | None = _launched("none are started, nodes come by themselves")
    listen: Address = _listen(LISTEN, f"{LISTEN}, for this machine only; port 0: any")
    advertise: Address | None = _advertise()
    allow: tuple[str, ...] = _allow("whoever submits it")
    trust: Path | None = _trust("are taken, and given to nodes that trust the same key")
    at_once: int = option(
        AT_ONCE,
        "N",
        checks.between(1, AT_ONCE_MAX),
        "how many jobs run at the same time; those that wait go by priority, then in order",
    )
    preempt_after: float | None = option(
        None,
        "SECONDS",
        checks.DURATION,
        "where a job has waited so long for a core, and only jobs of a lower priority have them, "
        "a partition of these is given back unfinished, to be computed later",
        "every partition that has begun is computed to its end",
    )
    any_job: bool = _any_job()
    store: Path | None = _file(
        "where jobs and their results are kept: after a crash, or Ctrl-C, the same command goes on "
        "with them; what waited waits again, what ran is computed anew",
        "in memory only",
    )
    heartbeat: float = _heartbeat()
    values_max: int | None = _values_max()
    while_stdin: bool = switch(argparse.SUPPRESS, "")  # end when stdin ends
    verbose: int = _verbose()
    json: bool = shared.json("what happens, a line each, on standard error")


@attrs.frozen
class StatusOptions:
    """Who is to be asked."""

    address: Address = attrs.field(
        metadata=address_of("a process that listens: the host, or one that joined with --listen")
    )
    security: SecurityOptions
    patience: float | None = patience("the process")
    json: bool = answered("a table for people")
