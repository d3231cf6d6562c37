"""What a root and a node make of a job that somebody has signed."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from core.messages import Place
from tests.transports.signing.signing import FLEET, key_of
from transports.command import leaving
from transports.command.trusting import Trusting, signer_of
from transports.fleet.signing import VALID_SECONDS, signed
from transports.net import wire
from transports.signing.keys import line_of
from transports.work.starting import Started

ANNA, BEN = key_of(1), key_of(2)
KEY = bytes(range(16))
SOURCES = {"my.py": b"1", "helper.py": b"2"}
SPEC = wire.Spec("my.py", {"compute": "helper.py:f"}, {"a": [1, 2.5]}, 10, 3)
NOBODY: list[Started] = []  # none is needed


def spec_of(**other: Any) -> wire.Spec:
    said = {"spec": SPEC, "sources": SOURCES, "key": KEY, "fleet": FLEET, "signer": ANNA, **other}
    return signed(**said)


@pytest.fixture
def trusting(tmp_path: Path) -> Trusting:
    path = tmp_path / "trusted"
    path.write_text(line_of(ANNA.public))
    path.chmod(0o644)
    return Trusting(path)


def test_what_is_signed_is_taken(trusting: Trusting) -> None:
    document = trusting.submitted(wire.Submit(KEY, spec_of()), FLEET)
    assert document.signer == ANNA.public == signer_of(spec_of())
    assert document.modules.keys() == SOURCES.keys()
    other = replace(spec_of(), priority=7)
    assert trusting.submitted(wire.Submit(KEY, other), FLEET).job == "my.py"


def test_what_was_changed_on_its_way_is_not(trusting: Trusting) -> None:
    spec = spec_of()
    letter = spec.signed
    assert letter is not None
    changes: list[tuple[wire.Spec, str]] = [
        (replace(spec, input={"a": [1, 2]}), "the input of the job is not what was signed"),
        (replace(spec, job="your.py"), "the name of the job is not what was signed"),
        (replace(spec, parts={}), "the parts of the job is not"),
        (replace(spec, partitions=11), "the partitions of the job is not"),
        (replace(spec, fanout=None), "the fanout of the job is not"),
        (replace(spec, delay="1"), "the delay of the job is not"),
        (replace(spec, piece_timeout=1.0), "the piece timeout of the job is not"),
        (replace(spec, signed=replace(letter, bundle=letter.bundle + b"1")), "not what was signed"),
        (replace(spec, signed=replace(letter, signature=bytes(64))), "is not signed by"),
        (replace(spec, signed=replace(letter, document=b"")), "is no document"),
        (spec_of(fleet="another"), "signed for another fleet"),
        (spec_of(signer=BEN), "not trusted here"),
        (spec_of(key=bytes(16)), "signed for another submission"),
    ]
    for other, said in changes:
        with pytest.raises(ValueError, match=said):
            trusting.submitted(wire.Submit(KEY, other), FLEET)


def test_one_that_is_too_old_is_not(trusting: Trusting, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, now = spec_of(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + VALID_SECONDS + 5)
    with pytest.raises(ValueError, match="was valid until"):
        trusting.submitted(wire.Submit(KEY, spec), FLEET)


def test_who_trusts_nobody_takes_nothing_that_is_signed() -> None:
    with pytest.raises(ValueError, match=r"no key is trusted here: .*--trust FILE"):
        Trusting(None).submitted(wire.Submit(KEY, spec_of()), FLEET)


def begin_of(spec: wire.Spec, **other: Any) -> wire.Begin:
    said = {
        "job": spec.job,
        "parts": spec.parts,
        "fingerprint": "f",
        "partitions": spec.partitions,
        "fanout": spec.fanout,
        "delay": spec.delay,
        "seed": spec.seed,
        "root": Place("7", ("127.0.0.1:7411",)),
        "began": 1.0,
        "end": bytes(32),
        "signed": spec.signed,
    }
    return wire.Begin(**{**said, **other})


async def test_a_node_and_its_root_have_the_same_job(trusting: Trusting) -> None:
    spec = spec_of()
    at_root = await trusting.chosen(spec, FLEET, (), NOBODY)
    here = await trusting.chosen(begin_of(spec), FLEET, (), NOBODY)
    assert here == at_root
    assert here.code is not None
    assert here.code.modules.keys() == SOURCES.keys()
    other = await trusting.chosen(
        begin_of(spec_of(sources={**SOURCES, "my.py": b"3"})), FLEET, (), NOBODY
    )
    assert other.fingerprint != here.fingerprint


async def test_a_terminal_that_is_closed_ends_it_and_any_other_hangup_has_the_file_read_again(
    trusting: Trusting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminals = iter([True, True, False])
    monkeypatch.setattr(leaving, "has_terminal", lambda: next(terminals))
    (tmp_path / "trusted").write_text(line_of(BEN.public))
    log: list[str] = []

    def changed() -> None:
        log.append("changed")
        os.kill(os.getpid(), signal.SIGHUP)

    async with trio.open_nursery() as nursery:
        gone = partial(log.append, "gone")
        nursery.start_soon(trusting.hear_hangups, log.append, changed, gone)
        await trio.testing.wait_all_tasks_blocked()
        os.kill(os.getpid(), signal.SIGHUP)
    assert log == ["1 key trusted from now on", "changed", "gone"]
    assert [*trusting.names] == [BEN.public]


async def test_what_is_to_outlive_its_terminal_does(
    trusting: Trusting, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminals = iter([True, False])
    monkeypatch.setattr(leaving, "has_terminal", lambda: next(terminals, False))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        async with trio.open_nursery() as nursery:
            done = nursery.cancel_scope.cancel
            gone = partial(pytest.fail, "it has ended")
            nursery.start_soon(trusting.hear_hangups, str, done, gone)
            await trio.testing.wait_all_tasks_blocked()
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_a_node_computes_nothing_that_its_root_has_changed(trusting: Trusting) -> None:
    spec = spec_of()
    for other in ({"partitions": 11}, {"parts": {}}, {"seed": 1}, {"keep_going": True}):
        with pytest.raises(ValueError, match="is not what was signed"):
            await trusting.chosen(begin_of(spec, **other), FLEET, (), NOBODY)
    with pytest.raises(ValueError, match="another fleet"):
        await trusting.chosen(begin_of(spec), "another", (), NOBODY)
