"""What a command line asks for, as objects with plain fields, and what it ends with.

Defaults stand here, or where they depend on other options in `transports.command.options`. Of
files there are only paths.
"""

from __future__ import annotations

import os
from enum import IntEnum
from pathlib import Path
from typing import Any

import attrs

from transports.net.addresses import Address

PROGRAM = "python -m transports.tcp"
PORT = 7411
LISTEN = Address("127.0.0.1", PORT)
FANOUT_MAX = 2000  # all inputs and outputs of a session fit into one frame
NODES = 100  # of the bots, by default
NODES_MAX = 10**6  # of one process
PROCESSES_MAX = 10_000
GATHERING_SECONDS = 10.0  # for those who come after the first, where nothing else is said
STARTING_SECONDS = 60.0  # for the last of the bots, after the first
LOCAL_BOTS = "plugins.bots_local"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Exit(IntEnum):
    """The exit codes."""

    FINISHED = 0
    FAILED = 1
    MISUSED = 2
    NOT_LISTENING = 3
    UNREACHED = 4
    REFUSED = 5
    STORE_UNUSABLE = 6
    INCOMPLETE = 7
    INTERRUPTED = 130
    UNREAD = 141


@attrs.frozen
class JobOptions:
    """What is computed. What is None is chosen by the job, or from the number of nodes."""

    job: str = "plugins.demo"
    prepare: str | None = None
    compute: str | None = None
    collect: str | None = None
    input: Any = None
    partitions: int | None = None
    fanout: int | None = None
    delay: str | None = None  # what plugins.console.distributions.parse reads
    seed: int = 0
    piece_timeout: float | None = None
    keep_going: bool = False


@attrs.frozen
class SecurityOptions:
    """Where the token and the certificates are."""

    token_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None


@attrs.frozen
class BotsOptions:
    """Who starts the bots, and how many. `processes` None: as many as the launcher has places."""

    module: str = LOCAL_BOTS
    where: str = ""
    nodes: int = NODES
    processes: int | None = None


@attrs.frozen
class HostOptions:
    """The root of a job. `alone`: with bots of its own on this machine, and for nobody else.

    Work begins when `wait_nodes` nodes are connected or when `wait_seconds` have passed since the
    first was, whichever is first; None is never. With `wait_nodes` 0 it begins at once.
    """

    alone: bool
    work: JobOptions
    security: SecurityOptions
    bots: BotsOptions | None
    wait_nodes: int | None
    wait_seconds: float | None
    listen: Address = LISTEN
    advertise: Address | None = None  # port 0: the one that is listened on
    store: Path | None = None
    heartbeat: float = 15.0  # seconds
    values_max: int | None = (
        None  # bytes of one other process; None: half of what there is room for
    )
    trace: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    sample: int = 1  # with a trace: every so many-th node
    verbose: int = 0
    json: bool = False


@attrs.frozen
class JoinOptions:
    """A process with nodes."""

    address: Address
    security: SecurityOptions
    nodes: int = CORES
    cores: int = CORES
    listen: Address | None = None
    advertise: Address | None = None
    allow: tuple[str, ...] = ()
    patience: float = 600.0  # seconds
    heartbeat: float = 15.0  # seconds
    values_max: int | None = None
    while_stdin: bool = False
    trace: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    sample: int = 1
    verbose: int = 0


@attrs.frozen
class StatusOptions:
    """Who is to be asked."""

    address: Address
    security: SecurityOptions
    json: bool = False
