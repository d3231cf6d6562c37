"""Bots on a Dask cluster: a real scheduler and two worker processes."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import trio

from plugins.bots_dask import DaskBots, bots
from plugins.launching import BotsError
from tests import TOP
from tests.plugins.processes import SECONDS_MAX, command, ended_kindly, holder, standing, until
from tests.processes import lives
from transports import Fleet

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None,
    reason="Dask is not installed: pip install '.[dask]'",
)

CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(
        n_workers=int(sys.argv[1]), threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of its scheduler."""
    yield from _cluster(tmp_path_factory.mktemp("cluster"), 2)


def _cluster(folder: Path, workers: int) -> Iterator[str]:
    script = folder / "cluster.py"
    script.write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, str(script), str(workers)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()  # ends its standard input


@needs_dask
async def test_there_is_one_on_each_worker(cluster: str, tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with bots(cluster, 0, command(tmp_path), {"SECRET": "abc"}) as started:
            found = await standing(tmp_path, 2)
            assert (started.processes, started.running) == (2, 2)
            assert [told["arguments"] for told in found] == [
                [f"{i} of 2", "127.0.0.1"] for i in range(2)
            ]
            assert {told["secret"] for told in found} == {"abc"}
        assert ended_kindly(tmp_path, 2)
        assert started.running == 0
        assert not any(lives(told["pid"]) for told in found)


@needs_dask
async def test_there_are_no_more_than_asked_for(cluster: str, tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with bots(cluster, 1, command(tmp_path), {}) as started:
            await standing(tmp_path, 1)
            assert started.processes == 1
        assert ended_kindly(tmp_path, 1)
        assert not (tmp_path / "1").exists()


@needs_dask
async def test_who_ends_by_itself_is_noticed(cluster: str, tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with bots(cluster, 0, command(tmp_path, "ends"), {}) as started:
            assert await started.wait() == [3, 3]
            assert started.running == 0


@needs_dask
async def test_who_does_not_listen_is_killed(cluster: str, tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with bots(cluster, 1, command(tmp_path, "stays"), {}):
            (told,) = await standing(tmp_path, 1)
        assert not lives(told["pid"])


@needs_dask
async def test_a_cancellation_ends_them(cluster: str, tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        with trio.CancelScope() as scope:
            async with bots(cluster, 0, command(tmp_path), {}):
                await standing(tmp_path, 2)
                scope.cancel()
                await trio.sleep_forever()
        assert ended_kindly(tmp_path, 2)


@needs_dask
async def test_they_end_when_we_are_killed(cluster: str, tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX), holder("plugins.bots_dask", cluster, tmp_path) as process:
        try:
            found = await standing(tmp_path, 2)
        finally:
            process.kill()
        with trio.fail_after(15):
            await until(lambda: ended_kindly(tmp_path, 2))
        await until(lambda: not any(lives(told["pid"]) for told in found))


@needs_dask
async def test_a_lost_worker_is_a_lost_bot(tmp_path: Path) -> None:
    """Its process ends with it."""
    with trio.fail_after(SECONDS_MAX):
        for cluster in _cluster(tmp_path, 1):
            async with bots(cluster, 0, command(tmp_path), {}) as started:
                (told,) = await standing(tmp_path, 1)
                os.kill(_parent(told["pid"]), 9)
                assert await started.wait() == [None]
                assert "is gone" in started.failures[0]
                await until(lambda: ended_kindly(tmp_path, 1))


@needs_dask
async def test_for_a_root_that_stays_a_new_worker_gets_the_place_of_a_lost_one(
    tmp_path: Path,
) -> None:
    """Dask starts another worker by itself, at another address."""
    told: list[str] = []
    with trio.fail_after(SECONDS_MAX):
        for cluster in _cluster(tmp_path, 1):
            async with bots(cluster, 0, command(tmp_path), {}) as started:
                (before,) = await standing(tmp_path, 1)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(started.keep, told.append)
                    (tmp_path / "0").unlink()
                    os.kill(_parent(before["pid"]), 9)
                    (after,) = await standing(tmp_path, 1)
                    nursery.cancel_scope.cancel()
            assert not lives(after["pid"])
    assert after["arguments"] == before["arguments"]
    assert re.fullmatch(r"Dask worker \S+ is gone, and the process with nodes on it", told[0])
    assert re.fullmatch(r"a process with nodes is started on Dask worker \S+", told[-1])


@needs_dask
async def test_for_a_root_that_stays_who_ends_is_told_and_started_again(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.bots_dask.AGAIN_SECONDS", 0.0)
    told: list[str] = []
    with trio.fail_after(SECONDS_MAX):
        async with (
            bots(cluster, 1, command(tmp_path, "ends"), {}) as started,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(started.keep, told.append)
            await until(lambda: len(told) >= 3)
            nursery.cancel_scope.cancel()
    assert "has ended, exit code 3: it is started again" in told[0]
    assert told[1].startswith("a process with nodes is started on Dask worker ")
    assert "has ended, exit code 3" in told[2]


class Client:
    """A stand-in for that of Dask: one worker, for as long as it has its scheduler."""

    def __init__(self) -> None:
        self.status = "running"
        self.started: list[str] = []
        self.future = SimpleNamespace(status="pending")

    def ncores(self) -> dict[str, int]:
        return {"tcp://10.0.0.2:1": 1}

    def run(self, called: object, workers: list[str], on_error: str) -> dict[str, None]:
        return dict.fromkeys(workers)

    def submit(self, *given: object, key: str, workers: list[str]) -> object:
        self.started += workers
        return self.future

    def cancel(self, futures: object, force: bool) -> None:
        raise AttributeError("'NoneType' object has no attribute 'cancel'")  # as Dask's then

    def close(self, timeout: float) -> None:
        self.status = "closed"


@needs_dask
def test_for_a_root_that_stays_a_scheduler_that_is_gone_is_told_and_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, after = Client(), Client()
    started = DaskBots("tcp://10.0.0.1:8786", before, None)
    started.start(lambda i, n: ["join"], {})
    assert started._renew() == []
    before.future.status = "cancelled"  # as Dask has it then
    before.status = "connecting"
    assert started._renew() == [
        "Dask worker tcp://10.0.0.2:1 is gone, and the process with nodes on it",
        "the Dask scheduler at tcp://10.0.0.1:8786 is not reached: it is looked for",
    ]
    before.status = "closed"
    monkeypatch.setattr("plugins.bots_dask._client", Mock(side_effect=[BotsError("no"), after]))
    assert started._renew() == []
    assert started._renew() == ["a process with nodes is started on Dask worker tcp://10.0.0.2:1"]
    assert (before.started, after.started) == (["tcp://10.0.0.2:1"],) * 2
    after.status = "closed"
    started.stop()  # and nothing is raised


@needs_dask
def test_a_fleet_on_it_computes_one_job_after_the_other(cluster: str) -> None:
    """Its nodes are there once, and stay."""
    words = ["serve", "--bots", f"plugins.bots_dask:{cluster}", "--nodes", "6"]
    words += ["--listen", "127.0.0.1:0", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "transports.tcp", *words], cwd=TOP, stdout=subprocess.PIPE
    ) as serving:
        try:
            assert serving.stdout is not None
            address = json.loads(serving.stdout.readline())["address"]
            with Fleet.connect(address) as fleet:
                assert fleet.run("plugins.primes", 10**4, partitions=20) == 1_229
                assert fleet.run("plugins.primes", 10**5, partitions=20) == 9_592
                assert [job["state"] for job in fleet.jobs()] == ["done", "done"]
        finally:
            serving.send_signal(signal.SIGINT)
        assert serving.wait(SECONDS_MAX) == 130


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@needs_dask
async def test_what_cannot_be_started_is_told(cluster: str, tmp_path: Path) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with bots(cluster, 0, lambda i, n: [str(tmp_path / "nothing")], {}) as started:
            assert await started.wait() == [None, None]
        assert len(started.failures) == 2
        for line in started.failures:
            assert "No such file" in line
            assert "\n" not in line


@needs_dask
@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("", "needs the address of a Dask scheduler"),
        ("tcp://127.0.0.1:9", "no Dask scheduler answers at 'tcp://127.0.0.1:9'"),
        ("nonsense://here", "no Dask scheduler answers at 'nonsense://here'"),
    ],
)
async def test_a_scheduler_that_is_not_there_is_one_line(
    where: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.bots_dask.CONNECT_SECONDS", 0.5)
    with trio.fail_after(SECONDS_MAX), pytest.raises(BotsError, match=line) as error:
        async with bots(where, 0, command(tmp_path), {}):
            pytest.fail("it was started")
    assert "\n" not in str(error.value)


@needs_dask
async def test_a_cluster_without_workers_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.bots_dask.WORKERS_SECONDS", 0.5)
    with trio.fail_after(SECONDS_MAX):
        for cluster in _cluster(tmp_path, 0):
            with pytest.raises(BotsError, match="has no workers: start some"):
                async with bots(cluster, 0, command(tmp_path), {}):
                    pytest.fail("it was started")


async def test_without_dask_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BotsError, match=r"pip install 'million-nodes\[dask\]'"):
        async with bots("tcp://127.0.0.1:8786", 0, command(tmp_path), {}):
            pytest.fail("it was started")
