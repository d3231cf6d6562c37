"""Compute on real sockets: `python -m transports.tcp --help` tells how."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs
import trio

from core import Shape, choose_fanout
from plugins.loading import JobError, load
from transports.deployment import LOOPBACK, Report, compute

PROGRAM = "python -m transports.tcp"
FINISHED, UNFINISHED, MISUSED, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the arguments say. Returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        shape = _shape(options)
        load(options.job)
    except (ValueError, JobError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return MISUSED
    try:
        report = trio.run(
            partial(
                compute,
                shape,
                options.job,
                options.input,
                options.nodes,
                min(options.processes, options.nodes),
            )
        )
    except RuntimeError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return UNFINISHED
    except KeyboardInterrupt:
        return INTERRUPTED
    _tell(report, options.json)
    return UNFINISHED if report.failure else FINISHED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__)
    parser.add_argument("--nodes", type=_count, default=100, help="how many (100)")
    parser.add_argument("--partitions", type=_count, help="how many (as many as nodes)")
    parser.add_argument("--fanout", type=int, help="the most slots of a session")
    parser.add_argument("--job", default="plugins.primes", help="a module, or a .py file")
    parser.add_argument("--input", type=_value, default=None, help="the job's, as JSON, else text")
    parser.add_argument("--processes", type=_count, default=os.cpu_count() or 1, help="of bots")
    parser.add_argument("--listen", default=LOOPBACK, help=f"only {LOOPBACK} for now")
    parser.add_argument("--json", action="store_true", help="print the summary as a JSON object")
    return parser


def _count(text: str) -> int:
    if not 1 <= (count := int(text)) < 2**20:
        raise ValueError
    return count


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shape(options: argparse.Namespace) -> Shape:
    """Raises ValueError with one line for options that cannot be."""
    if options.listen != LOOPBACK:
        raise ValueError(
            f"--listen {options.listen}: without a token this listens on {LOOPBACK} only"
        )
    partitions = options.partitions or options.nodes
    return Shape.root(partitions, options.fanout or choose_fanout(partitions))


def _tell(report: Report, as_json: bool) -> None:
    if report.failure:
        where = f"session {report.failure.session}, partition {report.failure.partition}"
        print(f"the job failed in {where}:\n{report.failure.error}", file=sys.stderr)
    if as_json:
        print(json.dumps(attrs.asdict(report), default=str))
        return
    print(f"result      {report.result}")
    print(f"tree        {report.levels} levels, at most {report.fanout} slots a session")
    print(f"nodes       {report.nodes} in {report.processes} processes")
    if report.lost_processes:
        print(f"lost        {report.lost_processes} of these processes")
    print(f"partitions  {report.partitions}")
    print(f"root        {report.root_messages} messages ordered, {report.frames_sent} frames sent")
    print(f"wall time   {report.seconds:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
