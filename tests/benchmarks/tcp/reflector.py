"""One session, many clients: how many deliveries a second, and how long each takes."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.benchmarks.tcp.measuring import NOOP, Contender, Measured, Outcome, Report, measure
from tests.benchmarks.tcp.processes import Started, all_ended, host

CLIENTS = 100
WINDOW = 10  # publications of each client under way: saturation
SLOTS = 1000  # never all done, so the session never ends
SECONDS = 5.0
DELIVERIES_PER_SECOND = 30_000
LIMIT_SECONDS = 120.0


def reflector(scale: int, runs: int) -> Outcome:
    """100 clients of one session, 200 bytes a publication, clients in one other process."""
    clients = max(2, CLIENTS // scale)
    seconds = SECONDS / scale
    wanted = [clients, True]
    rate = DELIVERIES_PER_SECOND / CLIENTS
    full, calm = measure(
        [
            Contender("saturated", wanted, partial(publish, clients, seconds, window=WINDOW)),
            Contender("30,000 deliveries/s", wanted, partial(publish, clients, seconds, rate=rate)),
        ],
        runs,
    )
    outcome = Outcome()
    outcome.line(
        "reflector",
        f"{clients} clients, saturated",
        f"{full.median('deliveries_per_second'):,.0f} deliveries/s",
        ">= 275,000 (Croquet 55,541)",
        _proof(outcome, full),
    )
    outcome.line("reflector", "p99 then", _ms(full, "p99_ms"), "(Croquet 6,600 ms)")
    outcome.line(
        "reflector",
        f"{clients} clients, {rate:g} publications/s",
        f"{calm.median('deliveries_per_second'):,.0f} deliveries/s",
        "",
        _proof(outcome, calm),
    )
    outcome.line("reflector", "p50 then", _ms(calm, "p50_ms"), "(Croquet 165 ms)")
    outcome.line("reflector", "p99 then", _ms(calm, "p99_ms"), "< 50 ms (Croquet 1,046 ms)")
    return outcome


def publish(clients: int, seconds: float, **how: float) -> Report:
    """One run, with a host of its own; `how` is a window or a rate (see publishers.py)."""
    ((name, number),) = how.items()
    leaf = ("--partitions", str(SLOTS), "--fanout", str(SLOTS), "--job", NOOP)
    with host(*leaf, "--wait-nodes", str(clients), "--json") as (_, address):
        arguments: list[Any] = [address, clients, seconds, name, number]
        command = ["-m", "tests.benchmarks.tcp.publishers", *map(str, arguments)]
        publishers = Started.python(*command)
        with all_ended([publishers]):
            return publishers.report(LIMIT_SECONDS)


def _proof(outcome: Outcome, measured: Measured) -> str:
    says = outcome.insist(measured.proven, measured.name)
    each = ", ".join(f"{report['deliveries_per_second']:,.0f}" for report in measured.reports)
    total = f"{measured.reports[0]['delivered']:,}"
    return f"{total} deliveries, in order and the same for all {says}, {each}"


def _ms(measured: Measured, field: str) -> str:
    return f"{measured.median(field):.1f} ms"
