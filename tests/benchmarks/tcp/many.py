"""Ten thousand connections to one host: what each costs it.

The clients are processes of their own with many connections each; every one greets, arrives with a
node, and is given a place or sent on.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from functools import partial

from tests.benchmarks.tcp.clients import Clients
from tests.benchmarks.tcp.measuring import NOOP, Contender, Outcome, Report, measure
from tests.benchmarks.tcp.processes import Started, all_ended, allow_many_files, host

CONNECTIONS = 10_000
CROWDS = 4  # processes of clients
PARTITIONS = "1000000"
SETTLING_SECONDS = 1.0
LIMIT_SECONDS = 180.0
PLACED = {"Joined", "Redirect", "Wait"}


def many(scale: int, runs: int) -> Outcome:
    """The memory of a host, with nobody and with everybody there."""
    connections = CONNECTIONS // scale
    contender = Contender(f"{connections:,} connections", connections, partial(crowd, connections))
    (found,) = measure([contender], runs)
    outcome = Outcome()
    says = outcome.insist(found.proven, found.name)
    given = found.reports[0]["answers"]
    answers = ", ".join(f"{count:,} {name}" for name, count in given.items())
    outcome.line(
        "many",
        f"{found.name}, host memory each",
        f"{found.median('bytes_each') / 1000:.1f} KB",
        "<= 40 KB",
        f"answers {says}: {answers}",
    )
    outcome.line("many", f"{found.name}, all answered after", f"{found.seconds:.1f} s")
    return outcome


def crowd(connections: int) -> Report:
    """One run, with a host of its own."""
    allow_many_files()
    sizes = [connections * (i + 1) // CROWDS - connections * i // CROWDS for i in range(CROWDS)]
    wait = ("--wait-nodes", str(connections), "--wait-seconds", "120")
    tree = ("--partitions", PARTITIONS, "--fanout", "100", "--job", NOOP)
    with host(*tree, *wait, "--json") as (hosting, address):
        before, began = hosting.rss_bytes(), time.monotonic()
        command = ("-m", "tests.benchmarks.tcp.many", address)
        crowds = [Started.python(*command, str(size)) for size in sizes]
        with all_ended(crowds):
            reports = [each.first(LIMIT_SECONDS) for each in crowds]
            seconds = time.monotonic() - began
            time.sleep(SETTLING_SECONDS)
            grown = hosting.rss_bytes() - before
    answers: Counter[str] = Counter()
    for report in reports:
        answers.update(report)
    placed = sum(count for name, count in answers.items() if name in PLACED)
    return {
        "result": placed,
        "seconds": seconds,
        "bytes_each": grown / connections,
        "answers": answers,
    }


def main(address: str, count: int) -> None:
    """Be so many clients until ended."""
    allow_many_files()
    clients = Clients(address, count)
    clients.arrive()
    print(json.dumps(Counter(client.answer for client in clients.all)), flush=True)
    clients.serve(LIMIT_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
