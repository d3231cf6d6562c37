"""The command lines: which there are, and what does not go together.

    python -m transports.tcp                       everything on this machine  -> HostOptions
    python -m transports.tcp host --listen ...     the root of a job           -> HostOptions
    python -m transports.tcp join HOST:PORT ...    a process with nodes        -> JoinOptions
    python -m transports.tcp status HOST:PORT      how a job stands            -> StatusOptions
    python -m transports.tcp serve --listen ...    the root of a fleet         -> ServeOptions
    python -m transports.tcp submit HOST:PORT ...  a job for a fleet           -> SubmitOptions
    python -m transports.tcp result HOST:PORT N    what came of it             -> ResultOptions
    python -m transports.tcp weigh HOST:PORT N     its priority and weight     -> WeighOptions
    python -m transports.tcp cancel HOST:PORT N    its end                     -> CancelOptions
    python -m transports.tcp log HOST:PORT N       what happened in it         -> LogOptions
    python -m transports.tcp jobs HOST:PORT        all jobs of a fleet         -> JobsOptions
    python -m transports.tcp stop HOST:PORT        its end                     -> StopOptions
    python -m transports.tcp key new [FILE]        a key that signs jobs       -> KeyOptions

The first is a host with bots of its own, so there is one class for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from plugins.console.options import BadOption, taken
from plugins.console.parser import Parser
from plugins.console.shared import require_trace
from transports.command import clients_parsers, parsers
from transports.command.clients_wanted import (
    CancelOptions,
    ForClients,
    JobsOptions,
    KeyOptions,
    LogOptions,
    MapOptions,
    ResultOptions,
    StopOptions,
    SubmitOptions,
    WeighOptions,
)
from transports.command.wanted import (
    CORES,
    GATHERING_SECONDS,
    LOCAL_BOTS,
    NODES,
    NODES_MAX,
    PORT,
    PROCESSES_MAX,
    PROGRAM,
    STARTING_SECONDS,
    BotsOptions,
    HostOptions,
    JobOptions,
    JoinOptions,
    SecurityOptions,
    ServeOptions,
    StatusOptions,
)
from transports.net.addresses import Address


def read(arguments: Sequence[str]) -> Wanted:
    """Raises BadOption; SystemExit(0) after printing the help, where that was asked for."""
    command, *rest = arguments or ("",)
    if command in COMMANDS:
        parser, made = COMMANDS[command]
        return made(_named(parser(), rest))
    if command and not command.startswith("-"):
        commands = ", ".join(COMMANDS)
        raise BadOption(f"{command!r:.60} is no command, give {commands}, or options only")
    return _alone(_named(parsers.alone(), arguments))


def _named(parser: Parser, arguments: Sequence[str]) -> dict[str, Any]:
    named = parser.read(arguments)
    require_trace(named)
    return named


# -- from what was named -------------------------------------------------------------------


def _security(named: dict[str, Any]) -> SecurityOptions:
    security = SecurityOptions(**taken(SecurityOptions, named))
    if (security.tls_cert is None) != (security.tls_key is None):
        lacking = "--tls-cert" if security.tls_cert is None else "--tls-key"
        raise BadOption(f"{lacking} is missing: give both the certificate and its key, or neither")
    return security


def _alone(named: dict[str, Any]) -> HostOptions:
    bots = _bots(named, LOCAL_BOTS)
    named.setdefault("partitions", bots.nodes)
    work, listen = JobOptions(**taken(JobOptions, named)), Address("127.0.0.1", 0)
    return HostOptions(True, work, SecurityOptions(), bots, 0, None, listen, **named)


def _host(named: dict[str, Any]) -> HostOptions:
    bots = _launched(named)
    work, security = JobOptions(**taken(JobOptions, named)), _security(named)
    waits = _waits(named.pop("wait_nodes", None), named.pop("wait_seconds", None), work, bots)
    options = HostOptions(False, work, security, bots, *waits, **named)
    _check_advertised(options.listen, options.advertise)
    _check_found_again(options)
    return options


def _check_found_again(options: HostOptions | ServeOptions) -> None:
    if options.store and not options.listen.port:
        raise BadOption(
            f"--listen: '{options.listen}' has another port each time, and with --store nodes are "
            f"to find the host again; give a port, such as {PORT}"
        )


def _serve(named: dict[str, Any]) -> ServeOptions:
    bots, security = _launched(named), _security(named)
    options = ServeOptions(security, bots, **named)
    _check_advertised(options.listen, options.advertise)
    _check_found_again(options)
    return options


def _launched(named: dict[str, Any]) -> BotsOptions | None:
    """The bots that are to be started, if any are."""
    launcher = named.pop("bots", None)
    if launcher is None and (mine := [name for name in ("nodes", "processes") if name in named]):
        raise BadOption(
            f"--{mine[0]} is about bots, give --bots too; others come by '{PROGRAM} join'"
        )
    return None if launcher is None else _bots(named, launcher)


def _waits(
    nodes: int | None, seconds: float | None, work: JobOptions, bots: BotsOptions | None
) -> tuple[int | None, float | None]:
    if nodes is not None or seconds is not None:
        return nodes, seconds
    if work.partitions is not None:
        return 0, None
    return (bots.nodes, STARTING_SECONDS) if bots else (None, GATHERING_SECONDS)


def _bots(named: dict[str, Any], launcher: str) -> BotsOptions:
    """Never more processes than nodes, nor more nodes in one process than it can have."""
    module, _, where = launcher.partition(":")
    nodes, processes = named.pop("nodes", NODES), named.pop("processes", None)
    if processes is None and module == LOCAL_BOTS:
        processes = CORES
    if processes is not None:
        processes = min(processes, nodes)
    if nodes > NODES_MAX * (processes or PROCESSES_MAX):
        raise BadOption(
            f"--nodes: {nodes:,} are too many for {processes or PROCESSES_MAX:,} processes, "
            f"each has {NODES_MAX:,} at most; give more --processes"
        )
    return BotsOptions(module, where, nodes, processes)


def _join(named: dict[str, Any]) -> JoinOptions:
    security = _security(named)
    options = JoinOptions(security=security, **named)
    if options.advertise and not options.listen:
        raise BadOption("--advertise tells where this process listens, give --listen too")
    if options.listen:
        _check_advertised(options.listen, options.advertise)
    return options


def _check_advertised(listen: Address, advertise: Address | None) -> None:
    if listen.is_wildcard and advertise is None:
        raise BadOption(
            f"--listen: '{listen}' is every address of this machine; say by which others reach it: "
            f"--advertise HOST:{listen.port}"
        )
    if advertise and advertise.is_wildcard:
        raise BadOption(
            f"--advertise: '{advertise}' is no address that others can reach, give this machine's"
        )


def _submit(named: dict[str, Any]) -> SubmitOptions:
    calls = _calls(named)
    work = JobOptions(**taken(JobOptions, named))
    return SubmitOptions(work=work, security=_security(named), calls=calls, **named)


OF_A_JOB = ("job", "prepare", "compute", "collect", "input", "keep_going")


def _calls(named: dict[str, Any]) -> MapOptions | None:
    """The calls that are wanted in place of a job, if that is so."""
    given = taken(MapOptions, named)
    if "map" not in given:
        if given:
            raise BadOption(f"--{next(iter(given))} is about a --map, give that, too")
        return None
    if "over" not in given:
        raise BadOption("--map calls a function for items, say which: --over N, or --over FILE")
    if others := [name for name in OF_A_JOB if name in named]:
        flag = others[0].replace("_", "-")
        raise BadOption(f"--{flag} does not go with --map: leave one of the two out")
    return MapOptions(**given)


def _weigh(named: dict[str, Any]) -> WeighOptions:
    if not named.keys() & {"priority", "weight"}:
        raise BadOption("nothing is to change: give --priority, --weight, or both")
    return WeighOptions(security=_security(named), **named)


def _asking(options: type[Asking]) -> Callable[[dict[str, Any]], Asking]:
    """Of those that ask one process, and have no other options than their own."""
    return lambda named: options(security=_security(named), **named)


OnSockets = HostOptions | JoinOptions | StatusOptions | ServeOptions | ForClients
Wanted = OnSockets | KeyOptions
Asking = TypeVar(
    "Asking", StatusOptions, ResultOptions, CancelOptions, LogOptions, JobsOptions, StopOptions
)
COMMANDS: dict[str, tuple[Callable[[], Parser], Callable[[dict[str, Any]], Wanted]]] = {
    "host": (parsers.host, _host),
    "join": (parsers.join, _join),
    "status": (parsers.status, _asking(StatusOptions)),
    "serve": (parsers.serve, _serve),
    "submit": (clients_parsers.submit, _submit),
    "result": (clients_parsers.result, _asking(ResultOptions)),
    "weigh": (clients_parsers.weigh, _weigh),
    "cancel": (clients_parsers.cancel, _asking(CancelOptions)),
    "log": (clients_parsers.log, _asking(LogOptions)),
    "jobs": (clients_parsers.jobs, _asking(JobsOptions)),
    "stop": (clients_parsers.stop, _asking(StopOptions)),
    "key": (clients_parsers.key, lambda named: KeyOptions(**named)),
}
