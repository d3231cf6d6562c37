"""Bots on this machine: started, told to end, killed, and never left behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio

from plugins import launching
from plugins.bots_local import bots
from plugins.launching import BotsError, launcher
from tests.plugins.processes import SECONDS_MAX, command, ended_kindly, holder, standing, until
from tests.processes import lives


async def test_each_has_its_command_its_environment_and_a_session_of_its_own(
    tmp_path: Path,
) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with bots("", 3, command(tmp_path), {"SECRET": "abc"}) as started:
            found = await standing(tmp_path, 3)
            assert (started.processes, started.running) == (3, 3)
            assert [told["arguments"] for told in found] == [
                [f"{i} of 3", "127.0.0.1"] for i in range(3)
            ]
            assert {told["secret"] for told in found} == {"abc"}
            assert all(os.getsid(told["pid"]) == told["pid"] for told in found)


async def test_who_leaves_the_context_ends_them_kindly(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with bots("", 2, command(tmp_path), {}) as started:
            found = await standing(tmp_path, 2)
        assert ended_kindly(tmp_path, 2)
        assert started.running == 0
        assert not any(lives(told["pid"]) for told in found)
        assert await started.wait() == [0, 0]


async def test_an_exception_ends_them_and_goes_on(tmp_path: Path) -> None:
    async def failing() -> None:
        async with bots("", 2, command(tmp_path), {}):
            await standing(tmp_path, 2)
            raise KeyError("mine")

    with trio.fail_after(SECONDS_MAX):
        with pytest.raises(KeyError, match="mine"):
            await failing()
        assert ended_kindly(tmp_path, 2)


async def test_a_cancellation_ends_them(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        with trio.CancelScope() as scope:
            async with bots("", 2, command(tmp_path), {}):
                await standing(tmp_path, 2)
                scope.cancel()
                await trio.sleep_forever()
        assert ended_kindly(tmp_path, 2)


async def test_who_does_not_listen_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.bots_local.STOP_SECONDS", 0.1)
    with trio.fail_after(SECONDS_MAX):
        async with bots("", 1, command(tmp_path, "stays"), {}) as started:
            (told,) = await standing(tmp_path, 1)
        assert not lives(told["pid"])
        assert await started.wait() == [-9]


async def test_who_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with bots("", 2, command(tmp_path, "ends"), {}) as started:
            assert await started.wait() == [3, 3]
            assert started.running == 0


async def test_for_a_root_that_stays_who_has_ended_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.bots_local.AGAIN_SECONDS", 0.01)
    told: list[str] = []
    with trio.fail_after(SECONDS_MAX):
        async with bots("", 2, command(tmp_path), {}) as started, trio.open_nursery() as nursery:
            before = await standing(tmp_path, 2)
            nursery.start_soon(started.keep, told.append)
            (tmp_path / "1").unlink()
            os.kill(before[1]["pid"], signal.SIGKILL)
            after = await standing(tmp_path, 2)
            nursery.cancel_scope.cancel()
        assert ended_kindly(tmp_path, 2)
    assert after[0] == before[0]
    assert after[1]["arguments"] == before[1]["arguments"]
    assert after[1]["pid"] != before[1]["pid"]
    why = "has ended, exit code -9: it is started again"
    assert told == [f"process 2 of 2 with nodes {why}"]


async def test_for_a_root_that_stays_who_ends_at_once_is_not_started_at_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """By a clock that only runs while all wait for it: so the process has lasted no time."""
    told: list[str] = []
    async with bots("", 1, command(tmp_path, "ends"), {}) as started:
        await started.wait()
        with trio.move_on_after(70):
            await started.keep(told.append)
    why = "has ended, exit code 3: it is started again in 30 s"
    assert set(told) == {f"process 1 of 1 with nodes {why}"}
    assert 1 <= len(told) <= 3


async def test_they_end_when_we_are_killed(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX), holder("plugins.bots_local", "", tmp_path) as process:
        try:
            found = await standing(tmp_path, 2)
        finally:
            process.kill()
        await until(lambda: ended_kindly(tmp_path, 2))
        await until(lambda: not any(lives(told["pid"]) for told in found))


async def test_what_cannot_be_started_is_told_and_leaves_none_behind(tmp_path: Path) -> None:
    def second_is_nothing(i: int, n: int) -> list[str]:
        return [str(tmp_path / "nothing")] if i else list(command(tmp_path)(i, n))

    with trio.fail_after(SECONDS_MAX):
        with pytest.raises(BotsError, match=r"process 2 of 2 cannot be started \(No such file"):
            async with bots("", 2, second_is_nothing, {}):
                pytest.fail("it was started")
        if (tmp_path / "0").exists():  # it may have been told to end before it began
            assert ended_kindly(tmp_path, 1)


async def test_a_place_means_nothing_here(tmp_path: Path) -> None:
    with pytest.raises(BotsError, match="'here' means nothing"):
        async with bots("here", 1, command(tmp_path), {}):
            pytest.fail("it was started")


def test_launchers_are_found_by_name() -> None:
    assert launcher("plugins.bots_local") is bots
    for name in ("no.such.launcher", "plugins.demo"):
        with pytest.raises(BotsError, match=name) as error:
            launcher(name)
        assert "\n" not in str(error.value)
    assert launching.STOP_SECONDS == 5.0
