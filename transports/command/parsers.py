"""The parsers of the command lines: what the options are called, and what their help says."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from plugins.console.options import (
    COUNT,
    DISTRIBUTIONS,
    DURATION,
    SECONDS,
    Parser,
    add_job,
    add_json,
    add_keep_going,
    add_piece_timeout,
    add_seed,
    add_shape,
    add_trace,
    distribution,
    number,
    paragraphs,
    wrong,
)
from transports.command.wanted import (
    CORES,
    FANOUT_MAX,
    GATHERING_SECONDS,
    LOCAL_BOTS,
    NODES,
    NODES_MAX,
    PROCESSES_MAX,
    PROGRAM,
    STARTING_SECONDS,
    Exit,
    HostOptions,
    JobOptions,
    JoinOptions,
)
from transports.net import addresses
from transports.net.addresses import Address

MEANINGS = {
    Exit.FINISHED: "the result is there",
    Exit.FAILED: "the job failed, or could not finish, or its result or store not be written",
    Exit.MISUSED: "an option is wrong",
    Exit.NOT_LISTENING: "it cannot listen where it is to, as when the address is in use",
    Exit.UNREACHED: "nobody answers at the address",
    Exit.REFUSED: "the other one refuses, or is refused: token, TLS or version",
    Exit.STORE_UNUSABLE: "the store cannot be used",
    Exit.INCOMPLETE: "with --keep-going: something is missing from the result",
    Exit.INTERRUPTED: "interrupted",
    Exit.UNREAD: "nobody reads the output any more",
}
ADDRESSES = (
    "HOST:PORT is a name, an IPv4 address, or an IPv6 address in brackets; and a port: "
    f"host.example.org:7411, {addresses.EXAMPLE}, [::1]:7411."
)
TOKEN = (
    "Who listens beyond this machine needs a token, the same for all: a secret in a file that "
    "--token-file names, or in the environment as MILLION_NODES_TOKEN. It never travels."
)
TRACE_READER = "read it with python -m sim.report"


def alone() -> Parser:
    """Of the command without a name."""
    parser = Parser(
        PROGRAM,
        "[--nodes N] [--processes N] [--job MODULE_OR_FILE] [--input VALUE] [other options]\n"
        f"       {PROGRAM} host|join|status --help",
        description=paragraphs(
            "Computes a job on real sockets: on this machine only, with nodes in processes that "
            "are started for it and ended after it. For several machines there are commands:"
        )
        + "\n\n  host               the root of a job; it waits for nodes"
        "\n  join HOST:PORT     a process with nodes for the job of that host"
        "\n  status HOST:PORT   how that job stands",
        epilog=paragraphs(
            *DISTRIBUTIONS,
            _exits(
                *(Exit.FINISHED, Exit.FAILED, Exit.MISUSED),
                *(Exit.NOT_LISTENING, Exit.STORE_UNUSABLE, Exit.INCOMPLETE),
            ),
        ),
    )
    bots = parser.add_argument_group("how many")
    _add_bots(bots, f"the cores, {CORES}")
    add_shape(bots, "as many as there are nodes", FANOUT_MAX)
    _add_work(parser)
    _add_lasting(parser)
    output = _add_output(parser)
    add_trace(output, TRACE_READER)
    _add_summary(output)
    return parser


def host() -> Parser:
    """Of `host`."""
    parser = Parser(
        f"{PROGRAM} host",
        "[--listen HOST:PORT] [--job MODULE_OR_FILE] [--input VALUE] [other options]",
        description=paragraphs(
            "The root of a job: it waits for nodes, gives them the job, prints the result and "
            f"ends. Nodes come by '{PROGRAM} join', or as bots that it starts."
        ),
        epilog=paragraphs(
            ADDRESSES,
            TOKEN,
            *DISTRIBUTIONS,
            _exits(
                *(Exit.FINISHED, Exit.FAILED, Exit.MISUSED),
                *(Exit.NOT_LISTENING, Exit.STORE_UNUSABLE, Exit.INCOMPLETE),
            ),
        ),
    )
    where = parser.add_argument_group("where it is reached")
    _add_listening(where, f"{_default(HostOptions, 'listen')}, for this machine only; port 0: any")
    _add_waiting(parser.add_argument_group("when it begins"))
    shape = parser.add_argument_group("how it is cut")
    add_shape(shape, "as many as nodes are connected when it begins", FANOUT_MAX)
    _add_work(parser)
    bots = parser.add_argument_group("bots, nodes that are started for it")
    bots.add_argument(
        "--bots",
        metavar="MODULE[:WHERE]",
        type=_launcher,
        help=f"what starts them: {LOCAL_BOTS}, on this machine, or plugins.bots_dask:SCHEDULER, "
        "one process on each worker of the Dask cluster with the scheduler at that address, such "
        "as plugins.bots_dask:tcp://10.0.0.1:8786 (default: none are started)",
    )
    _add_bots(bots, f"the cores, {CORES}; with Dask as many as there are workers")
    _add_lasting(parser)
    _add_security(parser.add_argument_group("security"))
    output = _add_output(parser)
    add_trace(
        output,
        f"bots of {LOCAL_BOTS} write into it, too, those of others do not, as they may be on "
        f"other machines, and whoever joins if told so there; {TRACE_READER}",
    )
    _add_summary(output)
    return parser


def join() -> Parser:
    """Of `join`."""
    parser = Parser(
        f"{PROGRAM} join",
        "HOST:PORT [--nodes N] [--listen HOST:PORT] [other options]",
        description=paragraphs(
            "A process with nodes for the job of the host at HOST:PORT. It works for as long as "
            "there is work, comes back where the connection is lost, and ends with the job. "
            "Ctrl-C: what is finished is delivered, the rest is left to others at once."
        ),
        epilog=paragraphs(
            ADDRESSES,
            TOKEN,
            _exits(
                *(Exit.FINISHED, Exit.FAILED, Exit.MISUSED),
                *(Exit.NOT_LISTENING, Exit.UNREACHED, Exit.REFUSED),
                finished="the job is over, with a result",
            ),
        ),
    )
    _add_address(parser, "where the host of the job listens, as it says when it begins")
    _add_participation(parser.add_argument_group("how many"))
    where = parser.add_argument_group("where others reach it")
    _add_listening(where, "nowhere: others are then led by processes that listen, or by the host")
    jobs = parser.add_argument_group("what it computes")
    jobs.add_argument(
        "--allow",
        metavar="NAME",
        action="append",
        type=_allowed,
        help="a job it may compute beside those in plugins: the module's name or the path of the "
        "file, just as the host names it; once for each (default: plugins.* only). Only jobs that "
        "are installed here are computed, no code travels",
    )
    _add_patience(parser.add_argument_group("how long it waits (seconds)"))
    parser.add_argument(
        "--while-stdin", action="store_true", default=False, help=argparse.SUPPRESS
    )  # for launchers: leave when standard input ends
    _add_security(parser.add_argument_group("security"))
    _add_pieces(_add_output(parser))
    return parser


def status() -> Parser:
    """Of `status`."""
    parser = Parser(
        f"{PROGRAM} status",
        "HOST:PORT [--json] [other options]",
        description=paragraphs(
            "Asks the process at HOST:PORT how its sessions stand: the tree, who takes part, how "
            "far they are. It does not join."
        ),
        epilog=paragraphs(
            ADDRESSES,
            TOKEN,
            _exits(
                *(Exit.FINISHED, Exit.MISUSED, Exit.UNREACHED, Exit.REFUSED),
                finished="the answer is there",
            ),
        ),
    )
    _add_address(parser, "a process that listens: the host, or one that joined with --listen")
    _add_security(parser.add_argument_group("security"))
    add_json(parser.add_argument_group("what is shown"), "a table for people")
    return parser


def _exits(*codes: Exit, finished: str = MEANINGS[Exit.FINISHED]) -> str:
    meanings = {**MEANINGS, Exit.FINISHED: finished}
    all_codes = "; ".join(
        f"{code} {meanings[code]}" for code in (*codes, Exit.INTERRUPTED, Exit.UNREAD)
    )
    return f"Exit codes: {all_codes}."


def _default(cls: type[Any], name: str) -> Any:
    return attrs.fields_dict(cls)[name].default


# -- values --------------------------------------------------------------------------------

_NODES = number(
    int,
    f"a whole number from 1 to {NODES_MAX * PROCESSES_MAX}",
    lambda n: 1 <= n <= NODES_MAX * PROCESSES_MAX,
)
_NODES_HERE = number(int, f"a whole number from 1 to {NODES_MAX}", lambda n: 1 <= n <= NODES_MAX)
_PROCESSES = number(
    int, f"a whole number from 1 to {PROCESSES_MAX}", lambda n: 1 <= n <= PROCESSES_MAX
)
_CORES = number(int, "a whole number from 1 to 1000", lambda n: 1 <= n <= 1000)


def _address(port_min: int) -> Callable[[str], Address]:
    def convert(text: str) -> Address:
        try:
            return addresses.parse(text, port_min)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _launcher(text: str) -> str:
    if not all(text.partition(":")[0].split(".")):
        raise wrong(text, f"names no module, give {LOCAL_BOTS} or plugins.bots_dask:SCHEDULER")
    return text


def _allowed(text: str) -> str:
    if not text:
        raise wrong(text, "names no job, give a dotted module name, or the path of a .py file")
    return text


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise wrong(text, "names no file, give its path")
    return Path(text)


# -- the options ---------------------------------------------------------------------------


def _add_address(parser: Parser, what: str) -> None:
    parser.add_argument("address", metavar="HOST:PORT", type=_address(1), help=what)


def _add_bots(group: argparse._ArgumentGroup, processes: str) -> None:
    group.add_argument(
        "--nodes", metavar="N", type=_NODES, help=f"how many nodes in all (default: {NODES})"
    )
    group.add_argument(
        "--processes",
        metavar="N",
        type=_PROCESSES,
        help="in how many processes they are, never more than there are nodes "
        f"(default: {processes})",
    )


def _add_participation(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--nodes",
        metavar="N",
        type=_NODES_HERE,
        help=f"how many nodes this process has (default: the cores, {CORES})",
    )
    group.add_argument(
        "--cores",
        metavar="N",
        type=_CORES,
        help="in how many processes of their own its nodes compute at the same time "
        f"(default: the cores, {CORES})",
    )


def _add_listening(group: argparse._ArgumentGroup, default: str) -> None:
    group.add_argument(
        "--listen",
        metavar="HOST:PORT",
        type=_address(0),
        help=f"where others can connect (default: {default})",
    )
    group.add_argument(
        "--advertise",
        metavar="HOST:PORT",
        type=_address(0),
        help="by which address they are to connect, where that is another: behind a translation "
        "of addresses, or when listening on all, as with 0.0.0.0; port 0: that of --listen "
        "(default: that of --listen)",
    )


def _add_waiting(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--wait-nodes",
        metavar="N",
        type=number(int, "a whole number, 0 or more, below 10^10", lambda n: 0 <= n < 10**10),
        help="when so many nodes are connected (default: with --bots when all of them are; where "
        "--partitions is given at once, and nodes come while it runs)",
    )
    group.add_argument(
        "--wait-seconds",
        metavar="SECONDS",
        type=SECONDS,
        help="so long after the first node is connected; of the two what is first "
        f"(default: {GATHERING_SECONDS:g}, where nothing else says when; with --bots "
        f"{STARTING_SECONDS:g})",
    )


def _add_work(parser: Parser) -> None:
    group = parser.add_argument_group("what they compute")
    add_job(group, "prepare, compute and collect", _default(JobOptions, "job"))
    group.add_argument(
        "--delay",
        metavar="DIST",
        type=distribution,
        help="seconds that each prepare, compute and collect is made to take, without occupying a "
        "core (default: as long as they take)",
    )
    add_seed(group, "what --delay takes is", _default(JobOptions, "seed"))
    add_piece_timeout(group)
    add_keep_going(group, Exit.INCOMPLETE)


def _add_lasting(parser: Parser) -> None:
    group = parser.add_argument_group("what goes wrong")
    group.add_argument(
        "--store",
        metavar="FILE",
        type=_path,
        help="where the state of the job is kept: after a crash the same command goes on where it "
        "was (default: nowhere, and it begins anew)",
    )
    _add_heartbeat(group)


def _add_heartbeat(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--heartbeat",
        metavar="SECONDS",
        type=DURATION,
        help="after how long a silence a connection counts as lost; the same for all who take "
        f"part (default: {_default(HostOptions, 'heartbeat'):g})",
    )
    group.add_argument(
        "--values-max",
        metavar="BYTES",
        type=COUNT,
        help="how much the large values (above 2 KB) may take here that any one other process "
        "brings; one that brings more is cut off (default: half of what the "
        "disk could hold, and 64 MB; 5 %% of the disk, 1 GB at most, are left free in any case)",
    )


def _add_patience(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--patience",
        metavar="SECONDS",
        type=SECONDS,
        help="how long it goes on trying to reach the host, at first and whenever it is lost "
        f"(default: {_default(JoinOptions, 'patience'):g})",
    )
    _add_heartbeat(group)


def _add_security(group: argparse._ArgumentGroup) -> None:
    for option, what in (
        ("--token-file", "the token, a secret of at least 16 characters that all have "
                         "(default: what MILLION_NODES_TOKEN says, else none)"),
        ("--tls-cert", "the certificate of this process, in PEM (default: none, no TLS)"),
        ("--tls-key", "the key of the certificate, in PEM (default: none)"),
        ("--tls-ca", "the certificates of those who may sign the others', in PEM; connections "
                     "are then by TLS only (default: none)"),
    ):  # fmt: skip
        group.add_argument(option, metavar="FILE", type=_path, help=what)


def _add_pieces(group: argparse._ArgumentGroup) -> None:
    """--trace and --sample, of one process of several."""
    group.add_argument(
        "--trace",
        metavar="FOLDER",
        type=_path,
        help="write down what happens in this process, as Parquet files in a folder that may be "
        "there: that of the host's --trace, on this machine or a shared disk; from other "
        "machines, copy the files of all into one folder afterwards (default: nowhere)",
    )
    group.add_argument(
        "--sample",
        metavar="K",
        type=COUNT,
        help="with --trace: what happens to one in K nodes, and to control nodes, to those "
        "from when they lead; the same for all who take part (default: 1, to all)",
    )


def _add_output(parser: Parser) -> argparse._ArgumentGroup:
    group = parser.add_argument_group("what is shown")
    group.add_argument(
        "-v",
        "--verbose",
        action="count",
        help="log more on standard error, a line an event: connections; -vv: what passes on them "
        "too (default: what is wrong)",
    )
    return group


def _add_summary(group: argparse._ArgumentGroup) -> None:
    add_json(group, "a summary for people", "; times in seconds, memory in bytes")
