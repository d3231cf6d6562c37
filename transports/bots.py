"""One process of robot nodes; `python -m transports.tcp` starts these."""

from __future__ import annotations

import argparse

import trio

from transports.deployment import bots


def main() -> None:
    """Take part as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m transports.bots", description=__doc__)
    parser.add_argument("--job", required=True, help="the job, from this installation")
    parser.add_argument("--root", required=True, help="the address of the root's process")
    parser.add_argument("--first", required=True, type=int, help="the number of the first node")
    parser.add_argument("--nodes", required=True, type=int, help="how many nodes")
    options = parser.parse_args()
    trio.run(bots, options.job, options.root, options.first, options.nodes)


if __name__ == "__main__":
    main()
