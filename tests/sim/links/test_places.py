"""Tables of places that are mostly empty."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sim.links.places import read
from sim.measured import tables as recorded


def test_a_sparse_table_is_filled_in_at_once_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, count = tmp_path / "line.csv", 300
    rows = [f"c{i},c{i + 1},{1 + i % 50}" for i in range(count)]
    path.write_text("\n".join(["cty1,cty2,rtt_avg", *rows]) + "\n")
    began = time.process_time()
    places = read(str(path))
    assert time.process_time() - began < 10  # 5 s of them for each pass over all third places
    index = {name: i for i, name in enumerate(places.names)}
    way = places.milliseconds[index["c0"]]
    end = sum(1 + i % 50 for i in range(count))
    assert [way[index[f"c{i}"]] for i in (1, 2, count)] == [1, 3, end]
    monkeypatch.setattr(recorded, "round_trips", None)
    assert read(str(path)) is places
