"""What runs should take: what the figures of a sweep are compared with.

With L levels and links that all take t seconds:

  forming    The last to arrive asks for a place and hears where to go, on each level: 2 L t
             after it has arrived, the last slot is taken.
  finishing  Its output is the last one, and goes up a link a level: L t after it is computed, it
             is part of the result.
  the root   Two messages a slot: who has it, and its output. Five more: the submitter joins,
             gives the input, has cut it, has combined the outputs, and tells that all is over.

This assumes that each node computes one partition, and all of them as long; that a message costs
nobody any time; that nobody fails. A node that hosts several sessions on the way of the last output
saves it a link each. Where links differ, t is their mean, and a run usually takes longer: it ends
with the last of many nodes, which is hardly ever one with fast links only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugins.console.distributions import parse
from sim.options import ARRIVAL_SECONDS, SETTLING_SECONDS
from sim.sweep.points import LEADING

if TYPE_CHECKING:
    import polars

COMPUTING_SECONDS = ARRIVAL_SECONDS + SETTLING_SECONDS  # each, where nobody says otherwise
KNOWN = {*LEADING, "seed", "service_time", "replicas"}  # what compared runs may have been given
QUANTILES = 10_000


def beside(table: polars.DataFrame) -> polars.DataFrame:
    """A sweep's table, and what its runs took of each kind beside what they should have taken.

    `link_seconds` is the mean latency. `forming_seconds` is from the last arrival until the tree
    was formed; `overhead_seconds` is all of the run in which nobody new arrived and no computation
    of the last arrival went on: forming and finishing. `forming_theory_seconds`,
    `overhead_theory_seconds` and `root_messages_theory` are what was to be expected.

    Raises ValueError for runs that were given more than KNOWN, or a number of partitions: of them
    this is not true.
    """
    import polars as pl

    _require_known(table)
    levels, fanout = pl.col("levels"), pl.col("fanout")
    means = {text: mean_seconds(text) for text in table["latency"].unique()}
    link = pl.col("latency").replace_strict(means, return_dtype=pl.Float64)
    slots = (pl.col("partitions") / fanout.pow(levels - 1)).ceil().cast(pl.Int64)
    return table.with_columns(
        link_seconds=link,
        forming_seconds=pl.col("formed_seconds") - ARRIVAL_SECONDS,
        forming_theory_seconds=2 * levels * link,
        overhead_seconds=pl.col("finished_seconds") - ARRIVAL_SECONDS - COMPUTING_SECONDS,
        overhead_theory_seconds=3 * levels * link,
        root_messages_theory=2 * slots + 5,
    )


def mean_seconds(latency: str) -> float:
    """Of a distribution such as `uniform:0.02,0.08`. Raises ValueError for any other text."""
    quantile = parse(latency).quantile()
    return sum(quantile((i + 0.5) / QUANTILES) for i in range(QUANTILES)) / QUANTILES


def _require_known(table: polars.DataFrame) -> None:
    found = table.columns[: table.columns.index("levels")]
    if more := sorted(set(found) - KNOWN):
        raise ValueError(f"there is no theory of runs with {', '.join(more)}: leave that out")
    if (table["partitions"] != table["nodes"]).any():
        raise ValueError("there is only theory of a partition a node: leave partitions out")
