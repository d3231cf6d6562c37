"""Trials that once failed, and a few hundred that nobody has run before.

The fresh seeds follow from the source of core and sim: each version of them is tried with others,
and the same version always with the same.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import pytest

from sim.search import report, trial
from tests import TOP

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))
FRESH, BATCH = 300, 20


def first_fresh() -> int:
    sources = [path for room in ("core", "sim") for path in sorted((TOP / room).rglob("*.py"))]
    content = b"".join(path.read_bytes() for path in sources)
    return int.from_bytes(blake2b(content, digest_size=5).digest())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_once_failed(path: Path) -> None:
    assert trial.run(report.load(path)).violation is None


@pytest.mark.parametrize("batch", range(FRESH // BATCH))
def test_fresh_seeds(batch: int) -> None:
    first = first_fresh() + batch * BATCH
    for seed in range(first, first + BATCH):
        violation = trial.run(trial.draw(seed)).violation
        assert violation is None, f"python -m sim.search --seed {seed}"


def test_the_corpus_is_there() -> None:
    assert len(CORPUS) > 10
