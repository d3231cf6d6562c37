"""A thread in which Trio runs: what is asked there from others, and how it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio

from transports.fleet.thread import Closed, Portal

SECONDS = 60.0


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    portal.close()


async def where() -> threading.Thread:
    await trio.lowlevel.checkpoint()
    return threading.current_thread()


async def failing() -> None:
    raise ZeroDivisionError("of no importance")


def test_it_is_done_there_and_answered_here(portal: Portal) -> None:
    thread = portal.call(where)
    assert thread is not threading.current_thread()
    assert thread.daemon
    assert portal.call(where) is thread
    with pytest.raises(ZeroDivisionError, match="of no importance"):
        portal.call(failing)
    assert portal.call(where) is thread  # it goes on


def test_many_threads_ask_at_the_same_time(portal: Portal) -> None:
    met = trio.Event()
    came: list[int] = []

    async def meet(number: int) -> int:
        came.append(number)
        if len(came) == 8:
            met.set()
        await met.wait()
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda n: portal.call(meet, n), range(8))) == [*range(8)]


@pytest.mark.usefixtures("ctrl_c")
def test_what_is_not_waited_for_any_more_is_cancelled(portal: Portal) -> None:
    ended = threading.Event()

    async def wait() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await trio.sleep_forever()
        finally:
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        portal.call(wait)
    assert ended.wait(SECONDS)
    assert portal.call(where).is_alive()


def test_who_waits_when_it_is_closed_is_told_so() -> None:
    begun, last = threading.Event(), threading.Event()
    portal = Portal(last.set)

    async def wait() -> None:
        begun.set()
        await trio.sleep_forever()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(portal.call, wait)
        assert begun.wait(SECONDS)
        portal.close_soon()
        with pytest.raises(Closed):
            waiting.result(SECONDS)
    portal.close()
    assert last.is_set()
    with pytest.raises(Closed):
        portal.call(where)
    portal.close()  # again


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_there_is_told_to_all_who_wait() -> None:
    portal = Portal()

    async def wait() -> None:
        portal.nursery.start_soon(failing)
        await trio.sleep_forever()

    with pytest.raises(Closed):
        portal.call(wait)
    portal.close()


def test_where_it_cannot_begin_that_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(trio, "run", full)
    with pytest.raises(OSError, match="too many open files"):
        Portal()
