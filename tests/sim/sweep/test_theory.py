"""What the theory says, and what runs take."""

from __future__ import annotations

import polars as pl
import pytest

from sim.sweep import sweep, theory


def test_runs_with_equal_links_take_as_long_as_the_theory_says() -> None:
    """Full trees: powers of the fanout; the last arrival is due within the tick before 10 s."""
    values = {"fanout": [2, 4, 8, 64], "latency": [0.05, 0.1], "seed": [0, 1]}
    table = theory.beside(sweep(values, nodes=64))
    assert table["levels"].unique().sort().to_list() == [1, 2, 3, 6]
    for what in ("forming", "overhead"):
        off = table[f"{what}_seconds"] - table[f"{what}_theory_seconds"]
        assert off.abs().to_list() == pytest.approx([0.0] * len(table), abs=0.002)
    assert table["root_messages"].equals(table["root_messages_theory"])


def test_unequal_links_take_longer() -> None:
    values = {"fanout": [4, 16], "latency": "uniform:0,0.2", "seed": range(3)}
    table = theory.beside(sweep(values, nodes=256))
    assert (table["forming_seconds"] > table["forming_theory_seconds"]).all()
    assert (table["overhead_seconds"] > table["overhead_theory_seconds"]).all()
    assert table["link_seconds"].to_list() == pytest.approx([0.1] * 6)


def test_the_mean_of_a_latency() -> None:
    assert theory.mean_seconds("0.05") == pytest.approx(0.05)
    assert theory.mean_seconds("uniform:0.02,0.08") == pytest.approx(0.05)
    assert theory.mean_seconds("exponential:0.05") == pytest.approx(0.05, rel=0.001)


def test_it_is_silent_about_other_runs() -> None:
    table = sweep({"fanout": [4]}, nodes=8, delay=1.0)
    with pytest.raises(ValueError, match="no theory of runs with delay"):
        theory.beside(table)
    with pytest.raises(ValueError, match="a partition a node"):
        theory.beside(sweep({"fanout": [4]}, nodes=8, partitions=9))


def test_a_table_keeps_its_rows() -> None:
    table = sweep({"fanout": [8, 4], "latency": ["0.1", "uniform:0,0.1"]}, nodes=8)
    beside = theory.beside(table)
    assert beside.select(table.columns).equals(table)
    assert beside.select(pl.exclude(table.columns)).width == 6
