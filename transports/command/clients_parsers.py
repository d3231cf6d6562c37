"""The parsers of those who use a fleet: as `parsers.py` for all others."""

from __future__ import annotations

import attrs

from plugins.console.exits import Exit
from plugins.console.options import of, one
from plugins.console.parser import DISTRIBUTIONS, Parser, paragraphs
from transports.command.clients_wanted import (
    CancelOptions,
    JobsOptions,
    KeyOptions,
    LogOptions,
    MapOptions,
    ResultOptions,
    StopOptions,
    SubmitOptions,
    WeighOptions,
)
from transports.command.parsers import ADDRESSES, TOKEN, WORK, told_exits
from transports.command.wanted import PROGRAM, JobOptions, SecurityOptions

JOB_FAILED = "the job failed, or was cancelled"
REFUSED = "the fleet refuses it, or is refused: token, TLS, version"
UNKNOWN = "an option is wrong, or there is no such job"
REACHED = Exit.UNREACHED, Exit.REFUSED


def submit() -> Parser:
    """Of `submit`."""
    parser = Parser(
        f"{PROGRAM} submit",
        "HOST:PORT [--job MODULE_OR_FILE] [--input VALUE] [other options]\n"
        f"       {PROGRAM} submit HOST:PORT --map MODULE_OR_FILE:NAME --over N_OR_FILE [...]",
        description=paragraphs(
            "Has a fleet compute a job, waits for the result, and prints it. What is computed is "
            "the copy of the job that is installed where the nodes are: a file is called there by "
            "its own name. With --sign the file itself travels. Ctrl-C ends the waiting; the job "
            "goes on."
        ),
        epilog=paragraphs(
            ADDRESSES,
            TOKEN,
            *DISTRIBUTIONS,
            told_exits(
                *(Exit.FINISHED, Exit.FAILED, *REACHED, Exit.INCOMPLETE),
                finished="the result is there, or with --detach the job is accepted",
                failed=JOB_FAILED,
                refused=f"{REFUSED}, or the job",
            ),
        ),
    )
    parser.apart(*of(SubmitOptions, "address"))
    partitions = one(JobOptions, "partitions", said="as many as nodes are there when it begins")
    parser.group("how it is cut", partitions, one(JobOptions, "fanout"))
    parser.group("what is computed", *WORK)
    parser.group("or a function, called for many items", *of(MapOptions))
    parser.group("when", *of(SubmitOptions, "priority", "weight", "detach"))
    parser.group("whose code it is", *of(SubmitOptions, "sign"))
    parser.group("how long it tries (seconds)", *of(SubmitOptions, "patience"))
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(SubmitOptions, "json"))
    return parser


def result() -> Parser:
    """Of `result`."""
    parser = Parser(
        f"{PROGRAM} result",
        "HOST:PORT N [--wait SECONDS] [other options]",
        description=paragraphs(
            "Waits for the end of job N of the fleet at HOST:PORT, and prints what came of it. A "
            "fleet keeps that of its last jobs only."
        ),
        epilog=_ends(
            *(Exit.FINISHED, Exit.FAILED, *REACHED, Exit.INCOMPLETE, Exit.UNFINISHED),
            failed=JOB_FAILED,
            misused=UNKNOWN,
        ),
    )
    parser.apart(*of(ResultOptions, "address", "number"))
    parser.group("how long it waits (seconds)", *of(ResultOptions, "wait", "patience"))
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(ResultOptions, "json"))
    return parser


def weigh() -> Parser:
    """Of `weigh`."""
    parser = Parser(
        f"{PROGRAM} weigh",
        "HOST:PORT N [--priority P] [--weight W] [other options]",
        description=paragraphs(
            "Changes what job N of the fleet at HOST:PORT weighs beside others, whether it waits "
            "or runs: what has begun is computed to its end, what begins next is chosen anew."
        ),
        epilog=_ends(
            *(Exit.FINISHED, Exit.FAILED, *REACHED),
            finished="it has them",
            failed="it was over before",
            misused=UNKNOWN,
        ),
    )
    parser.apart(*of(WeighOptions, "address", "number"))
    parser.group("what it weighs", *of(WeighOptions, "priority", "weight"))
    parser.group("how long it tries (seconds)", *of(WeighOptions, "patience"))
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(WeighOptions, "json"))
    return parser


def cancel() -> Parser:
    """Of `cancel`."""
    parser = Parser(
        f"{PROGRAM} cancel",
        "HOST:PORT N [other options]",
        description=paragraphs(
            "Ends job N of the fleet at HOST:PORT, whether it waits or runs. The fleet goes on "
            "with the next one."
        ),
        epilog=_ends(
            *(Exit.FINISHED, Exit.FAILED, *REACHED),
            finished="it is cancelled",
            failed="it was over before",
            misused=UNKNOWN,
        ),
    )
    parser.apart(*of(CancelOptions, "address", "number"))
    parser.group("how long it tries (seconds)", *of(CancelOptions, "patience"))
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(CancelOptions, "json"))
    return parser


def log() -> Parser:
    """Of `log`."""
    parser = Parser(
        f"{PROGRAM} log",
        "HOST:PORT N [other options]",
        description=paragraphs(
            "What happened in job N of the fleet at HOST:PORT, whether it runs or has ended: what "
            "its functions raised, with tracebacks, where and how often, also where others could "
            "do it then; and what they printed, the last 64 KB of each process that is there. "
            "Processes keep that of their last 20 jobs."
        ),
        epilog=_ends(Exit.FINISHED, *REACHED, finished="the answer is there", misused=UNKNOWN),
    )
    parser.apart(*of(LogOptions, "address", "number"))
    parser.group("how long it tries (seconds)", *of(LogOptions, "patience"))
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(LogOptions, "json"))
    return parser


def jobs() -> Parser:
    """Of `jobs`."""
    parser = Parser(
        f"{PROGRAM} jobs",
        "HOST:PORT [other options]",
        description=paragraphs(
            "The jobs of the fleet at HOST:PORT: those that wait, those that run, and the last "
            "that ended."
        ),
        epilog=_ends(Exit.FINISHED, *REACHED, finished="the answer is there"),
    )
    parser.apart(*of(JobsOptions, "address"))
    parser.group("how long it tries (seconds)", *of(JobsOptions, "patience"))
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(JobsOptions, "json"))
    return parser


def stop() -> Parser:
    """Of `stop`."""
    parser = Parser(
        f"{PROGRAM} stop",
        "HOST:PORT [other options]",
        description=paragraphs(
            "Ends the fleet at HOST:PORT: what waits and what runs there is cancelled, and all "
            "its processes end."
        ),
        epilog=_ends(Exit.FINISHED, *REACHED, finished="it ends"),
    )
    parser.apart(*of(StopOptions, "address"))
    parser.group("how long it tries (seconds)", *of(StopOptions, "patience"))
    parser.group("security", *of(SecurityOptions))
    parser.group("what is shown", *of(StopOptions, "json"))
    return parser


def key() -> Parser:
    """Of `key`."""
    parser = Parser(
        f"{PROGRAM} key",
        "new|show [FILE]",
        description=paragraphs(
            "A key that signs jobs (Ed25519). 'new' makes one in a file that only you can read, "
            "and never writes over another; 'show' prints the line by which others trust it: they "
            "put it into the file that they give to 'join --trust' and 'serve --trust'."
        ),
        epilog=told_exits(Exit.FINISHED, finished="the line is printed"),
    )
    what, file = of(KeyOptions)
    parser.apart(what, attrs.evolve(file, flags=("file",)))
    return parser


def _ends(*codes: Exit, **meanings: str) -> str:
    return paragraphs(ADDRESSES, TOKEN, told_exits(*codes, refused=REFUSED, **meanings))
