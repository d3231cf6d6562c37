"""What follows from the events of a trace: a row a partition, a session, a node.

`plugins.tracing.reading` tells what the columns mean.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from core.cutting import Shape
from plugins.tracing.schema import Run
from plugins.tracing.written import Written

SESSION_COLUMNS = (
    "session", "level", "parent", "slot", "first", "partitions", "slots", "host",
    "leader", "leaders", "recovered", "joined", "sent_on", "given", "accepted",
    "opened", "full", "first_accepted", "completed", "collected",
)  # fmt: skip
SHAPE_COLUMNS = {
    "session": pl.String, "level": pl.Int16, "parent": pl.String, "slot": pl.Int32,
    "first": pl.Int64, "partitions": pl.Int64, "slots": pl.Int32,
}  # fmt: skip


def partitions(trace: Written) -> pl.DataFrame:
    rows = trace.events.filter(pl.col("partition").is_not_null())
    count = trace.run.partitions
    columns = [pl.int_range(count, eager=True).alias("partition")]
    for event in ("assigned", "started", "finished", "accepted", "doubled"):
        of = rows.filter(pl.col("event") == event).reverse()  # the first is to be the last
        times = pl.repeat(None, count, dtype=pl.Float64, eager=True).alias(event)
        columns.append(times.scatter(of["partition"], of["time"]))
        if event == "accepted":
            nodes = pl.repeat(None, count, dtype=pl.Int64, eager=True).alias("node")
            columns.append(nodes.scatter(of["partition"], of["node"]))
    return pl.DataFrame(columns)


# -- sessions ------------------------------------------------------------------------------


def sessions(trace: Written) -> pl.DataFrame:
    table = _opened(trace)
    for more in _told(trace):
        table = table.join(more, "session", how="left")
    table = table.with_columns(pl.col("session").cast(pl.String))
    table = table.join(_shapes(trace.roots, table["session"].to_list()), "session")
    counts = pl.col("given", "accepted", "joined", "sent_on", "leaders").fill_null(0)
    table = table.with_columns(counts)
    full = pl.when(pl.col("given") == pl.col("slots")).then(pl.col("full"))
    table = table.with_columns(full=full).sort("level", "first")
    if trace.run.sample > 1:  # of leaves only some are known
        known = pl.when(pl.col("level") < trace.run.levels - 1)
        of = ["joined", "sent_on", "given", "accepted", "full", "first_accepted"]
        table = table.with_columns(known.then(pl.col(of)))
    return table.select(SESSION_COLUMNS)


def _opened(trace: Written) -> pl.DataFrame:
    opened = trace.of("opened", "recovered")
    return opened.group_by("session").agg(
        pl.col("time").min().alias("opened"),
        pl.col("to").last().alias("host"),
        (pl.col("event") == "recovered").sum().alias("recovered"),
    )


def _told(trace: Written) -> Iterator[pl.DataFrame]:
    """What else is known of each session: columns for those of which it is."""
    time = pl.col("time")
    leaders = trace.of("leads").group_by("session")
    yield leaders.agg(leader=pl.col("node").last(), leaders=pl.len())
    slots = trace.of("assigned").unique(["session", "slot"], keep="first")
    yield slots.group_by("session").agg(given=pl.len(), full=time.max())
    accepted = trace.of("accepted").group_by("session")
    yield accepted.agg(accepted=pl.len(), first_accepted=time.min())
    for event in ("joined", "sent_on"):
        yield trace.of(event).group_by("session").agg(pl.len().alias(event))
    for event in ("completed", "collected"):
        yield trace.of(event).group_by("session").agg(time.min().alias(event))


def _shapes(roots: dict[str, Shape], names: list[str]) -> pl.DataFrame:
    known = dict(roots)

    def shape(name: str) -> Shape:
        if name not in known:
            parent, _, slot = name.rpartition("-")
            known[name] = shape(parent).child(int(slot))
        return known[name]

    rows = [
        (
            name,
            name.count("-"),
            name.rpartition("-")[0] or None,
            int(name.rpartition("-")[2]) if "-" in name else None,
            (s := shape(name)).first,
            s.partitions,
            s.slots,
        )
        for name in names
    ]
    return pl.DataFrame(rows, schema=SHAPE_COLUMNS, orient="row")


def tree(trace: Written, sessions: pl.DataFrame, at: float) -> pl.DataFrame:
    """Of the `sessions` of the trace, those that were open by then."""
    columns = [*SHAPE_COLUMNS, "opened", "completed"]
    table = sessions.filter(pl.col("opened") <= at).select(columns)
    table = table.join(_taken(trace, at), "session", how="left", maintain_order="left")
    table = table.with_columns(pl.col("taken", "done").fill_null(0))
    state = (
        pl.when(pl.col("done") == pl.col("slots")).then(pl.lit("complete"))
        .when(pl.col("taken") == pl.col("slots")).then(pl.lit("working"))
        .otherwise(pl.lit("forming"))
    )  # fmt: skip
    table = table.with_columns(state=state)
    if trace.run.sample > 1:
        table = _of_sample(table, trace.run, at)
    return table.drop("completed")


def _taken(trace: Written, at: float) -> pl.DataFrame:
    """How many slots of each session were given, and how many done, by then."""
    until = trace.events.filter(pl.col("time") <= at)
    slots = until.filter(pl.col("event").is_in(["assigned", "accepted"]))
    slots = slots.unique(["session", "slot", "event"])
    counted = slots.group_by("session").agg(
        taken=(pl.col("event") == "assigned").sum(),
        done=(pl.col("event") == "accepted").sum(),
    )
    return counted.with_columns(pl.col("session").cast(pl.String))


def _of_sample(table: pl.DataFrame, run: Run, at: float) -> pl.DataFrame:
    """Of leaves only that they are complete is known."""
    leaf, done = pl.col("level") == run.levels - 1, pl.col("completed") <= at
    known = pl.when(done).then(pl.lit("complete")).otherwise(pl.lit("open"))
    return table.with_columns(
        pl.when(~leaf).then(pl.col("taken", "done")),
        state=pl.when(leaf).then(known).otherwise(pl.col("state")),
    )


# -- nodes ---------------------------------------------------------------------------------


def nodes(trace: Written) -> pl.DataFrame:
    rows = trace.events.filter(pl.col("node").is_not_null() & (pl.col("event") != "fault"))
    table = rows.select(pl.col("node").unique())
    time, seconds = pl.col("time"), pl.col("seconds")
    for event, columns in {
        "arrived": [time.min().alias("arrived")],
        "joined": [time.min().alias("joined")],
        "started": [time.min().alias("started")],
        "gone": [time.max().alias("gone")],
        "sent_on": [pl.len().alias("sent_on")],
        "leads": [pl.len().alias("leads")],
        "finished": [pl.len().alias("computed"), seconds.sum().alias("busy")],
    }.items():
        of = rows.filter(pl.col("event") == event).group_by("node").agg(columns)
        table = table.join(of, "node", how="left")
    counts = pl.col("sent_on", "leads", "computed", "busy").fill_null(0)
    table = table.with_columns(counts)
    controls, computes = pl.col("leads") > 0, pl.col("computed") > 0
    role = (
        pl.when(controls & computes).then(pl.lit("both"))
        .when(controls).then(pl.lit("control"))
        .when(computes).then(pl.lit("computation"))
        .otherwise(pl.lit("none"))
    )  # fmt: skip
    return table.with_columns(role=role).sort("node")
