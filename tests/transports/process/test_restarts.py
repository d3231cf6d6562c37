"""A host that begins anew from its store, also after kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from core import Computation, Session
from core import messages as m
from core.messages import Message, Place, Value
from core.sessions.digest import digest
from core.sessions.model import Kind
from tests import TOP
from tests.core import restarting
from tests.core.growing import check_result, restarted
from tests.transports.process.stored_life import INCARNATION, STEPS, life
from tests.transports.process.storing import JOB
from transports.process.store import SqliteStore

pytestmark = pytest.mark.usefixtures("compacts_often")


# -- what the port promises ----------------------------------------------------------------


def named(value: Any) -> Any:
    """With the processes of the harness as addresses."""
    return f"node:{value}" if isinstance(value, int) else value


def numbered(value: Any) -> Any:
    return int(value.partition(":")[2]) if isinstance(value, str) else value


def addressed(snapshot: dict[str, Value], to: Callable[[Any], Any]) -> dict[str, Value]:
    moved = snapshot["moved"]
    return {
        **snapshot,
        "addresses": [[node, to(address)] for node, address in snapshot["addresses"]],
        "moved": moved and {**moved, "route": [to(one) for one in moved["route"]]},
    }


def readdressed(message: Message) -> Message:
    match message:
        case m.Joined():
            return replace(message, address=named(message.address))
        case m.Moved(place=place):
            there = Place(place.session, tuple(named(one) for one in place.route))
            return replace(message, place=there)
    return message


class Named(Session):
    """One that shows itself with addresses."""

    def snapshot(self) -> dict[str, Value]:
        return addressed(super().snapshot(), named)


class Harnessed:
    """A store whose process begins anew whenever it is read."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path, JOB)
        self.compare = False

    def append(self, state: Session, now: float, message: Message) -> None:
        shown = Named.restore(Computation, state.snapshot())
        self.store.append(shown, now, readdressed(message))
        if self.compare:
            loaded = {found.name: found for found in self.store.load(Computation)}
            assert digest(loaded[state.name].snapshot()) == digest(shown.snapshot())

    def load(self, kind: Kind) -> list[Session]:
        path = self.store.path
        self.store.close()
        self.store = SqliteStore(path, JOB)
        states = self.store.load(kind)
        return [Session.restore(kind, addressed(state.snapshot(), numbered)) for state in states]


@pytest.fixture
def harnessed(path: Path) -> Iterator[Harnessed]:
    kept = Harnessed(path)
    yield kept
    kept.store.close()


def test_what_is_loaded_is_the_session_after_each_message(harnessed: Harnessed) -> None:
    harnessed.compare = True
    restarting.once(harnessed)


def test_it_may_be_restarted_again_and_again(harnessed: Harnessed) -> None:
    restarting.again_and_again(harnessed, times=3)


def test_what_only_the_store_knows_is_not_computed_again(harnessed: Harnessed) -> None:
    restarting.with_what_only_the_store_knows(harnessed)


@pytest.mark.parametrize("seed", range(25))
def test_its_host_may_be_lost_and_restarted_at_any_time(harnessed: Harnessed, seed: int) -> None:
    random = Random(seed)
    nodes, partitions = random.randint(1, 9), random.randint(1, 27)
    net = restarted(nodes, partitions, random.choice([2, 3, 9]), seed, harnessed, leaving=0.2)
    check_result(net)
    ended = harnessed.store.ended
    assert ended is not None
    assert digest(ended.result) == digest(net.outcome.result if net.outcome else None)


def test_a_new_incarnation_takes_the_place_of_the_older_one_with_its_first_message(
    path: Path,
) -> None:
    kept = SqliteStore(path, JOB)
    for step, (state, message) in zip(range(INCARNATION + 2), life(), strict=False):
        kept.append(state, float(step), message)
        (loaded,) = kept.load(Computation)
        assert (loaded.epoch, loaded.seq) == ((1 + step // INCARNATION,), 1 + step % INCARNATION)
    kept.close()


# -- kill -9 -------------------------------------------------------------------------------


def killed(path: Path, lines: int, seconds: float) -> int:
    """How many messages were stored for certain by a process that was killed after some."""
    command = [sys.executable, "-m", "tests.transports.process.stored_life", str(path)]
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        time.sleep(seconds)  # so that it is killed in the midst of something
        os.kill(process.pid, signal.SIGKILL)
        said += process.stdout.read().splitlines()
    assert process.returncode in (-signal.SIGKILL, 0)
    return len(said)


@pytest.mark.parametrize("seed", range(12))
def test_what_was_stored_before_a_kill_is_there_and_nothing_by_halves(
    path: Path, seed: int
) -> None:
    random = Random(seed)
    count = killed(path, random.randint(1, STEPS // 2), random.random() / 500)
    kept = SqliteStore(path, {"job": "life"})
    (loaded,) = kept.load(Computation)
    kept.close()
    states = zip(range(1, STEPS + 1), life(), strict=True)
    allowed = [digest(state.snapshot()) for step, (state, _) in states if 0 <= step - count <= 1]
    assert digest(loaded.snapshot()) in allowed
