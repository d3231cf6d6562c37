"""What is computed from a trace for its pictures; each a data frame, or plain numbers."""

from __future__ import annotations

from typing import Any

import polars as pl

from plugins.tracing.reading import POINTS, Trace
from plugins.tracing.schema import TRAFFIC_SECONDS
from plugins.tracing.timeline import count_until

SESSIONS_MAX = 12_000  # that a picture of the tree draws one by one
PLACES_MAX = 2_000  # partitions, or groups of them, the same
SHARES = {"first": 0.0, "quarter": 0.25, "half": 0.5, "three_quarters": 0.75, "all": 1.0}


# -- the tree ------------------------------------------------------------------------------


def milestones(trace: Trace) -> pl.DataFrame:
    """When each part of the tree was given out and done: a row a session, and at the bottom a row
    a partition, or so many next to each other (`partitions`) that there are at most PLACES_MAX.

    `level` 0 is the root; `first` is the first of its partitions. `given_SHARE` and `done_SHARE`
    for each of SHARES: when that share of its slots (at the bottom: of the partitions) had been
    assigned, and accepted; with a sample: of those that were noted. `opened`, `leader`, and of
    those that lost their leader `broken` and `mended`. Levels with which there would be more
    sessions than SESSIONS_MAX are left out.
    """
    table = trace.sessions().select(
        "session", "level", "first", "partitions", "slots", "opened", "leader"
    )
    sizes = table.group_by("level").len().sort("level")
    deepest = sizes.filter(pl.col("len").cum_sum() <= SESSIONS_MAX)["level"].max()
    table = table.filter(pl.col("level") <= (0 if deepest is None else deepest))
    for event, name in (("assigned", "given"), ("accepted", "done")):
        rows = trace.of(event).unique(["session", "slot"], keep="first")
        times = rows.group_by(pl.col("session").cast(pl.String)).agg(pl.col("time").sort())
        table = table.join(times, "session", how="left", maintain_order="left")
        whole = pl.col("slots") if trace.run.sample == 1 else pl.col("time").list.len()
        table = table.with_columns(_when(name, whole)).drop("time")
    table = table.join(breaks(trace), "session", how="left", maintain_order="left")
    return pl.concat([table, _places(trace)], how="diagonal_relaxed")


def _when(name: str, whole: pl.Expr) -> list[pl.Expr]:
    """When each share of a `whole` number of things had happened, of the sorted list `time`."""
    last = [(whole * share).ceil().cast(pl.Int64).clip(1) - 1 for share in SHARES.values()]
    times = pl.col("time")
    return [
        times.list.get(index, null_on_oob=True).alias(f"{name}_{of}")
        for of, index in zip(SHARES, last, strict=True)
    ]


def _places(trace: Trace) -> pl.DataFrame:
    """Partitions, so many together that there are at most PLACES_MAX rows."""
    parts, together = trace.partitions(), -(-trace.run.partitions // PLACES_MAX)
    first = pl.col("partition") // together * together
    table = parts.group_by(first.alias("first")).agg(
        pl.len().alias("partitions"), "assigned", "accepted", pl.col("node").first().alias("leader")
    )
    table = table.with_columns(
        pl.lit(trace.run.levels).alias("level"),
        pl.col("partitions").cast(pl.Int64),
        pl.col("assigned", "accepted").list.drop_nulls().list.sort(),
        leader=pl.when(pl.col("partitions") == 1).then(pl.col("leader")),
    ).sort("first")
    for column, name in (("assigned", "given"), ("accepted", "done")):
        whole = pl.col("partitions") if trace.run.sample == 1 else pl.col(column).list.len()
        table = table.with_columns(time=column).with_columns(_when(name, whole))
    return table.with_columns(opened=pl.col("given_first")).drop("assigned", "accepted", "time")


def breaks(trace: Trace) -> pl.DataFrame:
    """The sessions that lost their leader before they were complete: `broken` when that was
    noticed or happened, whatever is known first, and `mended` when there was one again."""
    leads = trace.of("leads").select(pl.col("session").cast(pl.String), "node", since="time")
    ends = trace.of("gone", "lost").select("node", broken="time")
    ends = ends.join(leads.select("node").unique(), "node", how="semi")
    lost = leads.join(ends, "node").filter(pl.col("broken") >= pl.col("since"))
    lost = lost.group_by("session").agg(pl.col("broken").min())
    again = leads.join(lost, "session").filter(pl.col("since") > pl.col("broken"))
    mended = again.group_by("session").agg(mended=pl.col("since").min())
    over = trace.sessions().select("session", "completed")
    lost = lost.join(over, "session").filter(
        pl.col("completed").is_null() | (pl.col("completed") > pl.col("broken"))
    )
    return lost.join(mended, "session", how="left").select("session", "broken", "mended")


# -- messages and connections ---------------------------------------------------------------


def messages(trace: Trace, points: int = POINTS) -> pl.DataFrame:
    """Messages a second over time, by level: `per_second` of all sessions of the level together,
    `per_session` on average of those that were open then."""
    step = max(TRAFFIC_SECONDS, round(trace.end / points, 1))
    into = (pl.col("time") / step + 1e-9).floor().cast(pl.Int64)
    counts = trace.traffic.group_by(into.alias("interval"), "level").agg(pl.col("messages").sum())
    last: Any = counts["interval"].max()
    every = pl.DataFrame(
        {"interval": range(0 if last is None else last + 1)}, schema={"interval": pl.Int64}
    )
    sessions, tables = trace.sessions(), list[pl.DataFrame]()
    for level in range(trace.run.levels):
        of = counts.filter(pl.col("level") == level).drop("level")
        table = every.join(of, "interval", how="left", maintain_order="left")
        times = sessions.filter(pl.col("level") == level)["opened"]
        ends = (table["interval"] + 1) * step
        tables.append(
            table.select(
                pl.col("interval") * step,
                pl.lit(level).alias("level"),
                pl.col("messages").fill_null(0),
                count_until(times, ends).clip(1).alias("sessions"),
            ).rename({"interval": "time"})
        )
    rate = pl.col("messages") / step
    return pl.concat(tables).with_columns(per_second=rate, per_session=rate / pl.col("sessions"))


def connections(trace: Trace) -> pl.DataFrame:
    """Of each node that hosts sessions the most connections that it had at any counting."""
    return trace.connections.group_by("node").agg(pl.col("connections").max()).sort("node")


def connections_promised(trace: Trace) -> tuple[int, int]:
    """How many others a node is connected to at most: without its standbys, and with them."""
    most = trace.run.fanout * trace.run.levels
    return most, 2 * most


def connection_counts(trace: Trace, step: int) -> pl.DataFrame:
    """How many `nodes` had `low` to below `high` connections at most; `floor` is half a node.

    Nodes that host nothing have one at a time.
    """
    hosts = connections(trace)["connections"]
    others = max(trace.run.nodes + 1 - len(hosts), 0)  # one more: the submitter
    counts = hosts.value_counts(name="nodes").cast({"nodes": pl.Int64})
    rest = pl.DataFrame({"connections": [1], "nodes": [others]}, schema=counts.schema)
    counts = pl.concat([counts, rest]).filter((pl.col("nodes") > 0) & (pl.col("connections") > 0))
    low = (pl.col("connections") - 1) // step * step + 1
    table = counts.group_by(low.alias("low")).agg(pl.col("nodes").sum()).sort("low")
    return table.with_columns(high=pl.col("low") + step, floor=pl.lit(0.5))


# -- late ones, and faults -------------------------------------------------------------------


def doubled(trace: Trace) -> pl.DataFrame:
    """A row a partition that somebody doubled up on.

    `worker` had it first, from `assigned` on; `helper` from `doubled` on; `accepted` when the first
    output counted, which was `by` one of them. `saved` seconds until the worker's own was there,
    where it lost and still finished.
    """
    rows = trace.of("doubled", "assigned", "accepted", "finished")
    rows = rows.filter(pl.col("partition").is_not_null())

    def first(event: str, node: str, time: str, *of: str) -> pl.DataFrame:
        table = rows.filter(pl.col("event") == event)
        table = table.select("partition", pl.col("node").alias(node), pl.col("time").alias(time))
        return table.unique(["partition", *of], keep="first", maintain_order=True)

    table = first("doubled", "helper", "doubled")
    table = table.join(first("assigned", "worker", "assigned"), "partition", how="left")
    table = table.join(first("accepted", "by", "accepted"), "partition", how="left")
    own = first("finished", "worker", "finished", "worker")
    table = table.join(own, ["partition", "worker"], how="left")
    later = (pl.col("by") != pl.col("worker")) & (pl.col("finished") > pl.col("accepted"))
    saved = pl.when(later).then(pl.col("finished") - pl.col("accepted"))
    return table.with_columns(saved=saved).sort("doubled")


def faults(trace: Trace) -> pl.DataFrame:
    """A row a fault: when, what, how many `nodes` it concerned, and until the next one which
    sessions were opened anew (`recovered`), the last of them at `recovered_at`, and how many seats
    were `left`."""
    table = (
        trace.of("fault")
        .group_by("time", "to", maintain_order=True)
        .agg(nodes=pl.col("node").is_not_null().sum())
    )
    table = table.select("time", what=pl.col("to").cast(pl.String), nodes="nodes")
    ends = [*table["time"].to_list(), float("inf")][1:]
    rows: list[dict[str, Any]] = []
    for time, end in zip(table["time"], ends, strict=True):
        after = trace.events.filter(pl.col("time").is_between(time, end, closed="left"))
        again = after.filter(pl.col("event") == "recovered")
        left = after.filter(pl.col("event") == "left")
        rows.append(
            {"recovered": len(again), "recovered_at": again["time"].max(), "left": len(left)}
        )
    kinds = {"recovered": pl.Int64, "recovered_at": pl.Float64, "left": pl.Int64}
    return table.hstack(pl.DataFrame(rows, schema=kinds))


def took(trace: Trace, bins: int = 60) -> pl.DataFrame:
    """How many `partitions` took from `low` to below `high` seconds from given to accepted; `which`
    tells those that were doubled from those that were not."""
    parts = trace.partitions().filter(pl.col("accepted") >= pl.col("assigned"))
    seconds = parts["accepted"] - parts["assigned"]
    longest: Any = seconds.max() or 0.0
    step = max(longest, 1e-3) / bins
    which = pl.when(parts["doubled"].is_null()).then(pl.lit("computed once"))
    table = pl.DataFrame({"bin": (seconds / step).floor().clip(0, bins - 1)})
    table = table.with_columns(which=which.otherwise(pl.lit("doubled")))
    counts = table.group_by("bin", "which").agg(partitions=pl.len()).sort("bin", "which")
    return counts.select(
        "which", "partitions", low=pl.col("bin") * step, high=(pl.col("bin") + 1) * step
    )


def troubled(trace: Trace) -> tuple[float, float]:
    """From a little before the first fault or loss to a little after what followed the last one;
    (0, 0) if there was none. What is lost after the end was not needed any more."""
    ended: Any = trace.of("ended")["time"].min()
    losses = trace.of("lost", "gone", "recovered")["time"]
    losses = losses if ended is None else losses.filter(losses <= ended)
    faults_ = faults(trace)
    times = [*faults_["time"], *faults_["recovered_at"].drop_nulls()]
    times += [losses[0], losses[-1]] if len(losses) else []
    if not times:
        return 0.0, 0.0
    begin, end = min(times), max(times)
    around = max(3.0, (end - begin) / 4)
    return max(0.0, begin - around), min(trace.end, end + around)


def recovery(trace: Trace, begin: float, end: float, step: float) -> pl.DataFrame:
    """How many places were left and taken, and sessions opened anew, in each `step` seconds."""
    kinds = {
        "left": "places left",
        "joined": "places taken",
        "recovered": "sessions opened anew",
    }
    rows = trace.of(*kinds).filter(pl.col("time").is_between(begin, end))
    into = ((pl.col("time") - begin) / step).floor().cast(pl.Int64)
    counts = rows.group_by(into.alias("bin"), pl.col("event").cast(pl.String)).len("count")
    bins = pl.DataFrame({"bin": range(int((end - begin) / step) + 1)}, schema={"bin": pl.Int64})
    every = bins.join(
        pl.DataFrame({"event": list(kinds), "what": list(kinds.values())}), how="cross"
    )
    table = every.join(counts, ["bin", "event"], how="left", maintain_order="left")
    return table.select("what", pl.col("count").fill_null(0), time=begin + pl.col("bin") * step)


# -- in all ----------------------------------------------------------------------------------


def totals(trace: Trace) -> dict[str, int | float | None]:
    """The numbers of the run's own summary, as far as they follow from the events of all nodes.

    Computation nodes are those that finished a piece, whether that was heard of or not; `gone` are
    those that left or crashed at any time. Messages and connections are those of all processes.
    """
    sessions, parts = trace.sessions(), trace.partitions()
    rows, ended = trace.events, trace.of("ended")
    led = trace.control.filter(~pl.col("node").is_in(trace.submitters))
    arrived = rows.filter(pl.col("event") == "arrived")["node"].unique()
    arrived = arrived.filter(~arrived.is_in(trace.submitters))
    most: Any = connections(trace)["connections"].max()
    return {
        "arrived": len(arrived),
        "accepted": parts["accepted"].count(),
        "sessions": len(sessions),
        "control_nodes": len(led),
        "computation_nodes": trace.of("finished")["node"].n_unique(),
        "messages": int(trace.traffic["messages"].sum()),
        "connections_max": most or 0,
        "finished_seconds": ended["time"][0] if len(ended) else None,
        "gone": trace.of("gone")["node"].n_unique(),
    }
