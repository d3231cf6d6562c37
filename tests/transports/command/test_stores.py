"""Jobs with a store: the same command goes on, another one is refused."""

from __future__ import annotations

import pytest

from tests.processes import free_port, until
from tests.running import Programs
from tests.transports.command.asking import status

# -- going on ------------------------------------------------------------------------------


def test_a_host_that_had_finished_says_the_result_again_at_once(run: Programs) -> None:
    store, where = ("--store", run.folder / "store"), f"127.0.0.1:{free_port()}"
    job = ("--partitions", 30, "--fanout", 4)
    host = run.host(*store, *job, listen=where)
    run.join(where, "--nodes", 3).ended()
    first = host.report()
    never = ("--bots", "plugins.bots_local", "--wait-nodes", 10**6)  # it waits for nobody
    again = run.host(*store, *job, *never, listen=where).report()
    assert (first["result"], first["resumed"]) == (30, False)
    assert (again["result"], again["resumed"]) == (30, True)
    assert again["processes"] == 0  # none was started for it


# Too slow to be given several at once.
FLAGGED = """
import os, time

def prepare(input, sizes):
    return [input] * len(sizes)

def compute(input, index):
    if index == 11 and not os.path.exists(input + "/flag"):
        raise FileNotFoundError("the flag")
    time.sleep(0.03)
    with open(input + "/log", "a") as log:
        log.write(f"{index}\\n")
    return index

def collect(outputs):
    return sum(outputs)
"""


@pytest.mark.parametrize(
    ("fanout", "kept"), [(20, range(11)), (5, range(10))], ids=["flat", "tree"]
)
def test_a_job_that_failed_goes_on_with_what_is_missing(
    run: Programs, fanout: int, kept: range
) -> None:
    """The same command, once the flag is there: what is done in the root is not done again."""
    options = ("--job", run.job(FLAGGED), "--input", run.folder, "--store", run.folder / "store")
    options += ("--nodes", 1, "--partitions", 20, "--fanout", fanout, "--json")
    first = run.start(*options).report(code=1)
    assert (first["result"], first["failure"]["partition"]) == (None, 11)
    log = run.folder / "log"
    before = [*map(int, log.read_text().split())]
    assert before == [*range(11)]  # one node takes them in order
    assert first["accepted"] in (len(kept), 11)  # of the sessions below the root no more is known
    (run.folder / "flag").touch()
    second = run.start(*options).report()
    assert (second["result"], second["resumed"]) == (sum(range(20)), True)
    again = [*map(int, log.read_text().split()[len(before) :])]
    assert again == [*range(len(kept), 20)]
    assert run.start(*options).report()["result"] == sum(range(20))  # and is told again


def test_a_job_that_failed_may_go_on_without_what_fails(run: Programs) -> None:
    """With the same store, and told again."""
    options = ("--job", run.job(FLAGGED), "--input", run.folder, "--store", run.folder / "store")
    options += ("--nodes", 3, "--partitions", 20, "--fanout", 20, "--json")
    run.start(*options).report(code=1)
    for _ in range(2):
        found = run.start(*options, "--keep-going").report(code=7)
        assert (found["result"], found["accepted"]) == (sum(range(20)) - 11, 19)
        assert [piece["partition"] for piece in found["lost"]["pieces"]] == [11]


def test_what_is_lost_is_not_forgotten_with_the_root(run: Programs) -> None:
    """It is killed when all but the last piece have come to their end."""
    where, text = f"127.0.0.1:{free_port()}", FLAGGED.replace("index == 11", "index < 4")
    options = ("--job", run.job(text.replace("    return index", SLOW)), "--input", run.folder)
    options += ("--store", run.folder / "store", "--partitions", 20, "--fanout", 20, "--keep-going")
    host = run.host(*options, listen=where)
    alike = ("--nodes", 3, "--cores", 2, "--allow", run.folder / "job.py")
    join = run.join(where, *alike)
    until((run.folder / "slow").exists)

    def all_but_it() -> bool:
        (root,) = status(where)["sessions"]
        return bool(root["done"] == 19)

    until(all_but_it)
    host.kill()
    (run.folder / "flag").touch()  # what is lost stays so
    (run.folder / "go").touch()
    found = run.host(*options, listen=where).report(code=7)
    join.ended()
    assert (found["lost"]["count"], found["result"]) == (4, sum(range(4, 20)))


SLOW = """
    if index == 19:
        open(input + "/slow", "w").close()
        while not os.path.exists(input + "/go"):
            time.sleep(0.02)
    return index
"""


# -- what is wrong with it -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--job", "plugins.primes", "--partitions", 30), "job"),
        (("--partitions", 31), "partitions"),
        (("--partitions", 30, "--input", 2), "input"),
    ],
    ids=["job", "partitions", "input"],
)
def test_a_store_of_another_job_is_refused(
    run: Programs, options: tuple[object, ...], word: str
) -> None:
    store, where = ("--store", run.folder / "store"), f"127.0.0.1:{free_port()}"
    host = run.host(*store, "--partitions", 30, listen=where)
    host.says("work begins")
    host.interrupt()
    host.ended(130)
    other = run.host(*store, *options, listen=where).ended(6)
    assert other.stderr.count("\n") == 1
    assert str(run.folder / "store") in other.stderr
    assert word in other.stderr


def test_a_store_that_another_host_has_open_is_refused(run: Programs) -> None:
    store = ("--store", run.folder / "store")
    host = run.host(*store, listen=f"127.0.0.1:{free_port()}")
    host.says("host at")
    other = run.host(*store, listen=f"127.0.0.1:{free_port()}").ended(6)
    assert "another process has it open" in other.stderr
    host.interrupt()
    host.ended(130)


LARGE = """
def prepare(input, sizes):
    return [None] * len(sizes)

def compute(input, index):
    return bytes([index]) * 50_000

def collect(outputs):
    return b"".join(outputs)
"""


def test_a_bit_that_changed_in_a_value_costs_work_and_nothing_else(run: Programs) -> None:
    """Each value beside the store in turn: outputs, what was combined, the result itself."""
    command = ("--nodes", 3, "--partitions", 8, "--fanout", 3, "--job", run.job(LARGE))
    store = run.folder / "store.db"
    right = run.start(*command, "--store", store, "--json").report()["result"]
    folder = store.with_name("store.db.blobs")
    names = sorted(path.name for path in folder.iterdir() if path.name != "lock")
    assert len(names) > 2
    for name in names:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        again = run.start(*command, "--store", store, "--json").report()
        assert (again["result"], again["failure"]) == (right, None)
