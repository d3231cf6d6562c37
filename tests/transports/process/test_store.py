"""The store on disk: what the port promises, across kill -9, and one line for what is wrong."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from core import Computation, Session, Shape
from core import messages as m
from core.messages import Message, Place, Value
from core.sessions.digest import digest
from core.sessions.model import Kind
from tests import TOP
from tests.core import restarting
from tests.core.growing import check_result, restarted
from tests.transports.process.stored_life import INCARNATION, STEPS, life
from transports.process import store
from transports.process.keys import Keys
from transports.process.store import SqliteStore, StoreError, found
from transports.values.handles import handle

JOB: dict[str, Value] = {"job": "plugins.primes", "partitions": 9, "fanout": 3, "input": [0, 1.5]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.store"


@pytest.fixture(autouse=True)
def _compact_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "COMPACT_BYTES_MIN", 1000)


# -- the port ------------------------------------------------------------------------------


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
            return attrs.evolve(message, address=named(message.address))
        case m.Moved(place=place):
            there = Place(place.session, tuple(named(one) for one in place.route))
            return attrs.evolve(message, place=there)
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


# -- sizes ---------------------------------------------------------------------------------


def finished(i: int, output: Value = None) -> m.Finished:
    return m.Finished(1, (i % 40,), [output], 0.5)


def lived(kept: SqliteStore, messages: int, output: Value = None) -> Session:
    """A session of so many messages."""
    state = Session("0", (1,), Computation, Shape.root(40, 40).plain())
    for i in range(messages):
        message = finished(i, output)
        state.apply(float(i), message)
        kept.append(state, float(i), message)
    return state


def test_a_snapshot_takes_the_place_of_many_messages(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = SqliteStore(path, JOB)
    state = lived(kept, 3000)
    assert digest(kept.load(Computation)[0].snapshot()) == digest(state.snapshot())
    kept.close()
    assert path.stat().st_size < 60_000
    again = SqliteStore(path, JOB)
    assert digest(again.load(Computation)[0].snapshot()) == digest(state.snapshot())
    assert again._lengths["0"].messages < 20_000
    again.close()


def test_a_message_that_is_too_long_for_a_frame_is_stored_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.net.wire.FRAME_BYTES_MAX", 500)
    monkeypatch.setattr(store, "COMPACT_BYTES_MIN", 10**6)
    kept = SqliteStore(path, JOB)
    state = lived(kept, 5, b"x" * 1000)
    assert digest(kept.load(Computation)[0].snapshot()) == digest(state.snapshot())
    kept.close()


# -- whose it is ---------------------------------------------------------------------------


def test_what_is_there_can_be_told_without_knowing_the_job(path: Path) -> None:
    assert found(path) is None
    path.touch()
    assert found(path) is None
    kept = SqliteStore(path, JOB)
    assert kept.job == JOB
    assert kept.load(Computation) == []
    assert kept.ended is None
    kept.close()
    assert found(path) == store.Found(JOB, None)
    kept = SqliteStore(path)
    state = lived(kept, 3)
    ended = m.Ended({"answer": [42]}, None)
    state.apply(9.0, ended)
    kept.append(state, 9.0, ended)
    kept.close()
    assert found(path) == store.Found(JOB, ended)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"job": "other"}, "its job is 'plugins.primes', not 'other'"),
        ({"partitions": 10}, "its partitions is 9, not 10"),
        ({"input": [0, 2]}, r"its input is \[0, 1.5\], not \[0, 2\]"),
        ({"more": 1}, "its more is None, not 1"),
    ],
)
def test_another_job_is_refused_and_the_file_left_as_it_is(
    path: Path, change: dict[str, Value], line: str
) -> None:
    SqliteStore(path, JOB).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"^{path} belongs to another job: {line}$"):
        SqliteStore(path, {**JOB, **change})
    assert path.read_bytes() == before
    SqliteStore(path, JOB).close()


def test_the_keys_are_drawn_once_and_belong_to_no_job(path: Path, tmp_path: Path) -> None:
    kept = SqliteStore(path, JOB)
    keys = kept.keys
    assert len(keys.end) == len(keys.root) == 16
    assert keys.end != keys.root
    lived(kept, 3)
    kept.close()
    for job in (JOB, None):
        kept = SqliteStore(path, job)
        assert kept.keys == keys
        assert kept.job == JOB
        kept.close()
    other = SqliteStore(tmp_path / "other.store", JOB)
    assert not {other.keys.end, other.keys.root} & {keys.end, keys.root}
    other.close()


@pytest.mark.parametrize(
    "change", ["DELETE FROM keys WHERE name = 'end'", "UPDATE keys SET value = 'no'"]
)
def test_without_its_keys_a_store_is_damaged(path: Path, change: str) -> None:
    SqliteStore(path, JOB).close()
    with sqlite3.connect(path) as database:
        database.execute(change)
    database.close()
    refused(path, "is damaged: .*")


def test_one_process_at_a_time(path: Path) -> None:
    kept = SqliteStore(path, JOB)
    script = (
        "import sys, pathlib\n"
        "from transports.process.store import SqliteStore, StoreError, found\n"
        "for use in (found, SqliteStore):\n"
        "    try:\n"
        "        use(pathlib.Path(sys.argv[1]))\n"
        "    except StoreError as error:\n"
        "        print(error)\n"
    )
    run = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(run, cwd=TOP, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == f"{path}: another process has it open\n" * 2
    lived(kept, 3)
    kept.close()
    done = subprocess.run(run, cwd=TOP, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == ""


# -- what is no store ----------------------------------------------------------------------


def refused(path: Path, line: str) -> None:
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=rf"^{re.escape(str(path))}:? {line}$"):
        SqliteStore(path, JOB)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize("text", ["x", "a text\n" * 1000])
def test_a_text_file(path: Path, text: str) -> None:
    path.write_text(text)
    refused(path, "is no store")


def test_a_directory(path: Path) -> None:
    path.mkdir()
    refused(path, "is a directory, not a store")


def test_a_folder_that_is_not_there(path: Path) -> None:
    refused(path / "below", "cannot be opened or made; is its folder there, and writable[?]")


def test_a_folder_that_may_not_be_written() -> None:
    refused(Path("/proc/file.store"), "cannot be opened or made; .*")


def test_a_database_of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE job (name TEXT)")
    database.close()
    refused(path, "is a database of another program")


@pytest.mark.parametrize("version", [1, 7])
def test_another_version(path: Path, version: int) -> None:
    SqliteStore(path, JOB).close()
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {version}")
    database.close()
    refused(path, f"is a store of version {version}, this program knows version 4")


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_one_line_or_harmless(path: Path, seed: int) -> None:
    kept = SqliteStore(path, JOB)
    lived(kept, 200, b"\x93" * 100)
    kept.close()
    random = Random(seed)
    content = bytearray(path.read_bytes())
    if seed % 2:
        del content[random.randrange(100, len(content)) :]
    else:
        start = random.randrange(100, len(content) - 2000)
        content[start : start + 2000] = random.randbytes(2000)
    path.write_bytes(content)
    line = problem(path)
    assert not line or (line.startswith(str(path)) and "\n" not in line)


def test_no_bit_changes_unnoticed(path: Path) -> None:
    kept = SqliteStore(path, JOB)
    state, stored = lived(kept, 3), dict[int, str]()
    for i in range(3, 40):
        state.apply(0.0, finished(i, b"out %d" % i))
        kept.append(state, 0.0, finished(i, b"out %d" % i))
        stored[state.seq] = digest(state.snapshot())
    keys = kept.keys
    kept.close()
    content, random, told = path.read_bytes(), Random(1), list[str]()
    for _ in range(400):
        flipped = bytearray(content)
        flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
        path.write_bytes(flipped)
        told.append(problem(path) or _as_stored(path, stored, keys))
    assert all("\n" not in line for line in told)
    assert sum(map(bool, told)) > 30  # the others are where nothing is stored


def _as_stored(path: Path, stored: dict[int, str], keys: Keys) -> str:
    kept = SqliteStore(path, JOB)
    (found,) = kept.load(Computation)
    kept.close()
    assert stored[found.seq] == digest(found.snapshot())
    assert kept.keys == keys
    return ""


def test_a_value_that_is_not_whole_is_computed_again(path: Path, tmp_path: Path) -> None:
    gone, whole, spoilt = (handle(letter * 64, 5000) for letter in "abc")
    kept = SqliteStore(path, JOB)
    state = lived(kept, 1)
    for i, output in enumerate((whole, gone, "small", spoilt), 1):
        state.apply(0.0, finished(i, output))
        kept.append(state, 0.0, finished(i, output))
    kept.has = lambda wanted: wanted == whole
    (found,) = kept.load(Computation)
    known = {i: output for i, (output, _) in found.model.facts().items() if i}
    assert known == {1: whole, 3: "small"}
    kept.close()


def problem(path: Path) -> str:
    try:
        kept = SqliteStore(path, JOB)
        try:
            kept.load(Computation)
        finally:
            kept.close()
    except StoreError as error:
        return str(error)
    return ""


def full(path: Path, pages: int = 0) -> tuple[SqliteStore, Session, list[str]]:
    """A store for which only so many more pages are left, its session, and what is told of it."""
    kept, told = SqliteStore(path, JOB), list[str]()
    state = lived(kept, 10)
    leave(kept, pages)
    kept.on_trouble = told.append
    return kept, state, told


def leave(kept: SqliteStore, pages: int) -> None:
    """It may grow by so much."""
    assert kept._file is not None
    (now,) = kept._file.execute("PRAGMA page_count").fetchone()
    kept._file.execute(f"PRAGMA max_page_count = {now + pages}")


def test_a_full_disk_is_one_line_and_keeps_what_is_there(path: Path) -> None:
    kept, state, told = full(path, pages=5)
    stored = digest(state.snapshot())
    for i in range(100):
        state.apply(0.0, finished(i, b"x" * 5000))
        kept.append(state, 0.0, finished(i, b"x" * 5000))
        if not kept.behind:
            stored = digest(state.snapshot())
    assert told == [kept.trouble] == ["the disk is full"]
    assert digest(kept.load(Computation)[0].snapshot()) == stored
    assert not kept.catch_up(at_once=True)
    kept.close()


def test_what_did_not_fit_is_stored_when_there_is_room(path: Path) -> None:
    """All of it, with what came while nothing was tried, and of all sessions."""
    kept, state, told = full(path)
    for i in range(10):
        state.apply(0.0, finished(i, b"x" * 2000))
        kept.append(state, 0.0, finished(i, b"x" * 2000))
    other = Session("0-1", (1, 1), Computation, Shape.root(40, 40).plain())
    other.apply(0.0, finished(3))
    kept.append(other, 0.0, finished(3))
    leave(kept, 100)
    assert kept.catch_up(at_once=True)
    assert told == ["the disk is full", ""]
    state.apply(0.0, finished(11, 5))
    kept.append(state, 0.0, finished(11, 5))
    kept.close()
    kept = SqliteStore(path, JOB)
    found = {one.name: digest(one.snapshot()) for one in kept.load(Computation)}
    assert found == {one.name: digest(one.snapshot()) for one in (state, other)}
    kept.close()


def test_a_closed_store_takes_nothing(path: Path) -> None:
    kept = SqliteStore(path, JOB)
    lived(kept, 3)
    kept.close()
    kept.close()
    with pytest.raises(StoreError, match=rf"^{path} was closed$"):
        kept.load(Computation)
