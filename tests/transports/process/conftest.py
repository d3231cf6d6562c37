"""What tests of trust and of stores have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import Computation, Host
from core import messages as m
from core.messages import Place
from tests.transports.process.claims import END, HERE, OTHER, SHAPE, THERE
from transports.process import store
from transports.process.trust import Trust

# -- trust: the host that is spoken to, and the rules for it -------------------------------


class Carrier:
    """Carries nothing."""

    now = 0.0
    vote_every = 1

    def is_end(self, ended: m.Ended) -> bool:
        return ended.key == END

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *arguments: 2


@pytest.fixture
def host() -> Host:
    """With the root, and a first-level session, led by a node of another process."""
    carrier: Any = Carrier()
    made = Host(HERE, carrier, Computation)
    made.open(1, m.Open(Place("0", (HERE,)), (5,), SHAPE.plain()))
    made.receive((HERE, 1), 1, "0", m.Arrive(1, HERE, None, observes=True))
    made.receive((THERE, OTHER), OTHER, "0", m.Arrive(OTHER, None, None))
    made.open(OTHER, m.Open(Place("0-0", (HERE, HERE)), (5, 1), SHAPE.child(0).plain()))
    made.receive((THERE, OTHER), OTHER, "0-0", m.Arrive(OTHER, None, None))
    return made


@pytest.fixture
def trust(host: Host) -> Trust:
    return Trust(SHAPE, host)


# -- stores --------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.store"


@pytest.fixture
def compacts_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that stores do it in a test, too."""
    monkeypatch.setattr(store, "COMPACT_BYTES_MIN", 1000)
