"""The parsers of the command lines: which options each has, in which groups, under which words."""

from __future__ import annotations

import attrs

from plugins.console import exits, shared
from plugins.console.exits import Exit
from plugins.console.options import of, one
from plugins.console.parser import DISTRIBUTIONS, Parser, paragraphs
from transports.command.wanted import (
    CORES,
    PROGRAM,
    BotsOptions,
    HostOptions,
    JobOptions,
    JoinOptions,
    SecurityOptions,
    ServeOptions,
    StatusOptions,
)
from transports.net import addresses
from transports.net.figures import TOKEN_VARIABLE

MEANINGS = {
    Exit.FINISHED: exits.RESULT,
    Exit.FAILED: "the job failed, or could not finish, or its result or store not be written",
    Exit.NOT_LISTENING: "it cannot listen where it is to, as when the address is in use",
    Exit.UNREACHED: "nobody answers at the address",
    Exit.REFUSED: "the other one refuses, or is refused: token, TLS, version, or (join) the job",
    Exit.STORE_UNUSABLE: "the store cannot be used",
    Exit.INCOMPLETE: exits.MISSING,
    Exit.UNFINISHED: "the job is not over yet",
}
ADDRESSES = (
    "HOST:PORT is a name, an IPv4 address, or an IPv6 address in brackets; and a port: "
    f"host.example.org:7411, {addresses.EXAMPLE}, [::1]:7411."
)
TOKEN = (
    "Who listens beyond this machine needs a token, the same for all: a secret in a file that "
    f"--token-file names, or in the environment as {TOKEN_VARIABLE}. It never travels."
)
WORK = [
    *of(JobOptions, "job", "prepare", "compute", "collect", "input"),
    *of(JobOptions, "delay", "seed", "piece_timeout", "keep_going"),
]
HOSTING = (
    *(Exit.FINISHED, Exit.FAILED),
    *(Exit.NOT_LISTENING, Exit.STORE_UNUSABLE, Exit.INCOMPLETE),
)
LASTING = of(HostOptions, "store", "heartbeat", "values_max")
SHOWN = ("verbose", "trace", "sample")


def alone() -> Parser:
    """Of the command without a name."""
    parser = Parser(
        PROGRAM,
        "[--nodes N] [--processes N] [--job MODULE_OR_FILE] [--input VALUE] [other options]\n"
        f"       {PROGRAM} host|join|status|serve|submit|result|weigh|cancel|log|jobs|stop|key"
        " --help",
        description=paragraphs(
            "Computes a job on real sockets: on this machine only, with nodes in processes that "
            "are started for it and ended after it. For several machines there are commands:"
        )
        + "\n\n  host               the root of a job; it waits for nodes"
        "\n  join HOST:PORT     a process with nodes for the job of that host, or for a fleet"
        "\n  status HOST:PORT   how that job stands"
        "\n  serve              the root of a fleet, which computes jobs as they come"
        "\n  submit HOST:PORT   a job for that fleet"
        "\n  result HOST:PORT N what came of job N"
        "\n  weigh HOST:PORT N  the priority and weight of job N"
        "\n  cancel HOST:PORT N the end of job N"
        "\n  log HOST:PORT N    what went wrong in job N, and what it printed"
        "\n  jobs HOST:PORT     which jobs wait, run and are over"
        "\n  stop HOST:PORT     the end of that fleet"
        "\n  key new|show       a key that signs jobs",
        epilog=paragraphs(*DISTRIBUTIONS, told_exits(*HOSTING)),
    )
    parser.group(
        "how many",
        one(BotsOptions, "nodes"),
        one(BotsOptions, "processes", said=f"the cores, {CORES}"),
        *of(JobOptions, "partitions", "fanout"),
    )
    parser.group("what they compute", *WORK)
    parser.group("what goes wrong", *LASTING)
    verbose, trace, sample, json = of(HostOptions, *SHOWN, "json")
    trace = attrs.evolve(trace, help=shared.traced())
    parser.group("what is shown", verbose, trace, sample, json)
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
        epilog=paragraphs(ADDRESSES, TOKEN, *DISTRIBUTIONS, told_exits(*HOSTING)),
    )
    parser.group("where it is reached", *of(HostOptions, "listen", "advertise"))
    parser.group("when it begins", *of(HostOptions, "wait_nodes", "wait_seconds"))
    connected = "as many as nodes are connected when it begins"
    partitions = one(JobOptions, "partitions", said=connected)
    parser.group("how it is cut", partitions, one(JobOptions, "fanout"))
    parser.group("what they compute", *WORK)
    parser.group(
        "bots, nodes that are started for it",
        one(HostOptions, "bots"),
        *of(BotsOptions, "nodes", "processes"),
    )
    parser.group("what goes wrong", *LASTING)
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(HostOptions, *SHOWN, "json"))
    return parser


def join() -> Parser:
    """Of `join`."""
    parser = Parser(
        f"{PROGRAM} join",
        "HOST:PORT [--nodes N] [--listen HOST:PORT] [other options]",
        description=paragraphs(
            "A process with nodes for the job of the host at HOST:PORT, or for the jobs of the "
            "fleet there. It comes back where the connection is lost. It ends with the job; in a "
            "fleet it stays, from job to job, until the fleet ends. "
            "Ctrl-C: what is finished is delivered, the rest is left to others at once."
        ),
        epilog=paragraphs(
            ADDRESSES,
            TOKEN,
            told_exits(
                *(Exit.FINISHED, Exit.FAILED),
                *(Exit.NOT_LISTENING, Exit.UNREACHED, Exit.REFUSED),
                finished="the job is over, with a result; or the fleet has ended",
            ),
        ),
    )
    parser.apart(*of(JoinOptions, "address", "while_stdin", "any_job"))
    parser.group("how many", *of(JoinOptions, "nodes", "cores"))
    parser.group("where others reach it", *of(JoinOptions, "listen", "advertise"))
    parser.group("what it computes", *of(JoinOptions, "allow", "trust"))
    waits = of(JoinOptions, "patience", "heartbeat", "values_max")
    parser.group("how long it waits (seconds)", *waits)
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(JoinOptions, *SHOWN))
    return parser


def serve() -> Parser:
    """Of `serve`."""
    parser = Parser(
        f"{PROGRAM} serve",
        "[--listen HOST:PORT] [--bots MODULE] [--nodes N] [--allow NAME] [other options]",
        description=paragraphs(
            "The root of a fleet: nodes come, and stay; jobs are submitted, wait, and are "
            f"computed, a few at a time. Nodes come by '{PROGRAM} join', or as bots that it "
            f"starts; jobs by '{PROGRAM} submit', or from Python. It goes on until it is told to "
            f"stop, by Ctrl-C or '{PROGRAM} stop'. What waits, and what came of the last jobs, is "
            "kept in memory, and with --store on disk, too.",
            "Whoever may connect, by the token or TLS, may join, submit, cancel and stop. What is "
            "computed is what each process allows.",
        ),
        epilog=paragraphs(
            ADDRESSES,
            TOKEN,
            told_exits(
                *(Exit.FINISHED, Exit.FAILED, Exit.NOT_LISTENING, Exit.STORE_UNUSABLE),
                finished="it was told to stop",
                failed="its bots could not be started, or its store is not complete",
            ),
        ),
    )
    parser.apart(*of(ServeOptions, "while_stdin", "any_job"))
    parser.group("where it is reached", *of(ServeOptions, "listen", "advertise"))
    parser.group(
        "bots, nodes that are started for it",
        one(ServeOptions, "bots"),
        *of(BotsOptions, "nodes", "processes"),
    )
    chosen = of(ServeOptions, "allow", "trust", "at_once", "preempt_after")
    parser.group("what it computes", *chosen)
    parser.group("what goes wrong", *of(ServeOptions, "store", "heartbeat", "values_max"))
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(ServeOptions, "verbose", "json"))
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
            told_exits(
                *(Exit.FINISHED, Exit.UNREACHED, Exit.REFUSED),
                finished="the answer is there",
            ),
        ),
    )
    parser.apart(*of(StatusOptions, "address"))
    parser.group("how long it tries (seconds)", *of(StatusOptions, "patience"))
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(StatusOptions, "json"))
    return parser


def told_exits(*codes: Exit, **otherwise: str) -> str:
    """What the help says of these exit codes; of some, by name, in other words."""
    meanings = {code: MEANINGS[code] for code in codes}
    return exits.told(meanings | {Exit[name.upper()]: said for name, said in otherwise.items()})
