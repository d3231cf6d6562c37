"""What fails in a process: it is told once, and all else goes on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from core import Host
from core import messages as m
from core.messages import Place
from core.sessions.states import APPOINT, IllegalStep
from tests.transports.living import HOST, Intruder, life, settled
from tests.transports.logged import warnings
from tests.transports.process.intruding import EVIL, NODE, NUMBER, cut
from tests.transports.process.members import SECONDS_MAX, place
from transports.net import wire
from transports.process.process import Process


def fails(error: type[BaseException] = LookupError) -> None:
    raise error("a mistake")


def fails_elsewhere() -> None:
    raise LookupError("another")


async def test_what_fails_is_told_once_and_all_else_goes_on(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path) as lived:
        for _ in range(3):
            lived.host.post(fails)
            lived.host.queue.call_later(0.1, fails_elsewhere)
            await trio.sleep(1)
        lived.host.post(partial(illegal, lived.helper))
        await settled(lived.host)
        told = [line for line in warnings(caplog) if line.startswith("failed")]
        assert [line.split()[1] for line in told] == [
            "action=fails", "action=fails_elsewhere", "action=illegal"
        ]  # fmt: skip
        assert "a mistake" in told[0]
        assert "IllegalStep" in told[2]
        assert await lived.finish() == lived.right


def illegal(process: Process) -> None:
    """A step that no view in that state takes."""
    view = next(iter(process.views.living.values()))
    raise IllegalStep(view.place.session, 1, view.state, APPOINT)


@pytest.mark.parametrize("where", ["_lost", "_tidy_up", "seated", "on", "answered"])
async def test_whatever_fails_in_a_process_does_not_end_it(
    where: str, autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's own part of it fails, for as long as the intruder is there."""
    async with life(tmp_path) as lived:
        failed: list[str] = []

        def breaks(*arguments: Any) -> None:
            failed.append(where)
            fails()

        await settled(lived.host)
        with monkeypatch.context() as patched:
            room: Any = lived.host if where[0] == "_" else lived.host.views
            patched.setattr(room, where, breaks)
            intruder = Intruder(lived, lived.host, NUMBER, EVIL)
            await intruder.say([wire.encode(wire.Call("0", NODE, m.Leave()))])
            await intruder.leave()
            lived.host.post(lived.host.views.on, 1, lived.host.host.reflectors["0"], m.Rest())
            lived.host.post(lived.host.views.seated, 1, lived.host.host.reflectors["0"], [])
            lived.host.post(lived.host.views.answered, 1, Place("0", (HOST,)), m.Wait())
            lived.host.post(lived.host._tidy_up)
            await trio.sleep(20)
            assert failed
        assert await lived.finish() == lived.right


async def test_an_error_of_ours_costs_one_connection(
    autojump_clock: MockClock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receive = Host.receive

    def fails(host: Host, link: tuple[str, int], *arguments: Any) -> None:
        if link[0] == EVIL:
            raise LookupError("a mistake")
        receive(host, link, *arguments)

    monkeypatch.setattr(Host, "receive", fails)
    async with life(tmp_path) as lived:
        assert await cut(lived, lived.host, wire.Call("0", NODE, m.Leave()))
        assert any(line.startswith("failed") and "a mistake" in line for line in warnings(caplog))
        assert await lived.finish() == lived.right


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("heard", [False, True], ids=["posted", "heard"])
async def test_what_is_to_end_a_process_ends_it(
    error: type[BaseException], heard: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BaseExceptionGroup) as raised:  # noqa: PT012  it ends within the block
        async with life(tmp_path, seconds_max=SECONDS_MAX) as lived:
            if heard:
                monkeypatch.setattr(Host, "receive", lambda *_: fails(error))
                lived.helper.port.send(
                    next(iter(lived.helper.views.living.values())), place("0"), m.Leave()
                )
            else:
                lived.host.post(fails, error)
            await trio.sleep_forever()
    assert raised.group_contains(error)
