"""The measured figures of the TCP transport, each beside its proof and its peers.

The peers are run by the Python that has them: `pip install distributed ray` into one of its own,
and name that with --peers-python.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from tests.benchmarks.__main__ import circumstances, count, table
from tests.benchmarks.tcp import figures
from tests.benchmarks.tcp.fleet_killing import fleet_killing
from tests.benchmarks.tcp.fleets import fleet
from tests.benchmarks.tcp.killing import killing
from tests.benchmarks.tcp.many import many
from tests.benchmarks.tcp.measuring import NO_PEERS, PEERS_PYTHON, Outcome
from tests.benchmarks.tcp.predicted import predicted
from tests.benchmarks.tcp.reflector import reflector
from tests.benchmarks.tcp.soak import soak

LIBRARIES = ("trio", "attrs", "msgspec")
QUICK = 100  # so many times smaller

BENCHMARKS: dict[str, Callable[[int, int], Outcome]] = {
    "rollup": figures.rollup,
    "noop": figures.noop,
    "useful": figures.useful,
    "reflector": reflector,
    "many": many,
    "many_nodes": figures.many_nodes,
    "killing": killing,
    "predicted": predicted,
    "fleet": fleet,
    "fleet_killing": fleet_killing,
    "soak": soak,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code: 1 if a result was wrong."""
    options = _parser().parse_args(arguments)
    if options.peers_python:
        os.environ[PEERS_PYTHON] = options.peers_python
    print(circumstances(LIBRARIES), flush=True)
    wrong = []
    for name in options.only or BENCHMARKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        outcome = BENCHMARKS[name](QUICK if options.quick else 1, options.runs)
        print(table(outcome.rows), flush=True)
        wrong += outcome.wrong
    print("every result verified" if not wrong else f"WRONG: {'; '.join(wrong)}")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.tcp", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the sizes")
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="one of them, or more")
    parser.add_argument("--runs", type=count, default=3, help="of each (default: 3)")
    parser.add_argument(
        "--peers-python",
        metavar="PYTHON",
        help=f"the interpreter that has the peers, or {NO_PEERS!r}: they are not measured "
        f"(default: ${PEERS_PYTHON}, else this one)",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
