"""Commands that come before the root does: who is waited for, and for how long."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from tests.processes import free_port
from tests.running import PROGRAM, Programs
from transports.command.clients_patience import patiently
from transports.net.dialling import ConnectError, dial
from transports.net.figures import REACH_SECONDS

WHERE = "127.0.0.1:4001"


class Away:
    """Where nobody listens until so many seconds are over."""

    def __init__(self, seconds: float, absent: bool = True) -> None:
        self.until = trio.current_time() + seconds
        self.absent = absent

    async def dial(self, address: str) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if trio.current_time() < self.until:
            raise ConnectError(f"{address}: nobody", absent=self.absent)
        return memory_stream_pair()[0]


async def test_who_is_away_for_a_moment_is_waited_for(clock: MockClock) -> None:
    notes: list[str] = []
    await patiently(60, notes.append, Away(50).dial)(WHERE)
    assert trio.current_time() - 50 < 1
    (note,) = notes  # however often it was tried
    assert note.startswith(f"waiting for {WHERE}")
    await patiently(None, notes.append, Away(REACH_SECONDS - 1).dial)(WHERE)
    await patiently(60, notes.append, Away(0).dial)(WHERE)
    assert len(notes) == 2  # nothing is said of who is there at once


@pytest.mark.parametrize("patience", [0.0, 3.0])
async def test_who_stays_away_is_waited_for_so_long(clock: MockClock, patience: float) -> None:
    notes: list[str] = []
    away = Away(1000)
    dialled = patiently(patience, notes.append, away.dial)
    began = trio.current_time()
    for _ in range(2):  # and once: who is lost later is sought by others
        with pytest.raises(ConnectError):
            await dialled(WHERE)
        assert trio.current_time() - began == patience
    assert len(notes) == (1 if patience else 0)


async def test_nothing_else_is_tried_again(clock: MockClock) -> None:
    notes: list[str] = []
    with pytest.raises(ConnectError):
        await patiently(60, notes.append, Away(10, absent=False).dial)(WHERE)
    assert (trio.current_time(), notes) == (0, [])


async def test_who_does_not_listen_is_told_from_who_has_no_name() -> None:
    with pytest.raises(ConnectError) as refused:
        await dial(f"127.0.0.1:{free_port()}")
    with pytest.raises(ConnectError) as unknown:
        await dial("no.such.host.invalid:4001")
    assert (refused.value.absent, unknown.value.absent) == (True, False)


def test_a_command_may_come_before_the_root(run: Programs) -> None:
    address = f"127.0.0.1:{free_port()}"
    asking = [run.start(do, address, "--patience", 60, "--json") for do in ("jobs", "status")]
    for program in asking:
        program.says(f"{PROGRAM}: waiting for {address}")
    root = run.start("serve", "--listen", address)
    assert [program.report()["address"] for program in asking] == [address, address]
    assert run.start("stop", address, "--patience", 0).ended().stdout
    root.ended()
