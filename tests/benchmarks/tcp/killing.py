"""`kill -9` at a random moment: the answer stays right, and this is what it costs in time.

100 nodes in 4 processes, two of which listen and so host what is below the root. Each time one
process is killed: a bot process that does not listen, or the one that hosts the most interior
sessions at that moment, or the host of the root, whose command, with its store, is given again at
once. The moment is drawn from the seed, evenly over the time that an undisturbed run takes. Lost is
what a run takes longer than the median of undisturbed ones; that a quarter of the nodes is missing
from then on is part of it.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from tests.benchmarks.tcp import shares
from tests.benchmarks.tcp.clients import told
from tests.benchmarks.tcp.measuring import HERE, Outcome
from tests.benchmarks.tcp.processes import Started, all_ended, free_address, wait_for

SEED = 1
TIMES = 20
PROCESSES, LISTENING, NODES = 4, 2, 100
PARTITIONS, FANOUT, DELAY_SECONDS = 8_000, 20, 0.03  # three levels; 2.4 s at best
LIMIT_SECONDS = 120.0
ENDING_SECONDS = 15.0
MOMENTS = 0.02, 0.95  # of an undisturbed run


@attrs.define(eq=False)
class Scene:
    """One computation under way."""

    address: str
    host: Started
    bots: list[Started]
    listening: dict[str, Started]
    began: float = 0.0
    killed: list[Started] = attrs.Factory(list)

    def status(self) -> dict[str, Any] | None:
        """As the host tells it, if it is there."""
        return told(self.address)

    def kill(self, victim: Started) -> None:
        victim.kill()
        self.killed.append(victim)


Harm = Callable[[Scene, Random], None]


def kill_bots(scene: Scene, random: Random) -> None:
    """A process whose nodes only work."""
    hosts = set(scene.listening.values())
    scene.kill(random.choice([bot for bot in scene.bots if bot not in hosts]))


def kill_interior(scene: Scene, random: Random) -> None:
    """The process that hosts the most interior sessions."""
    hosts = interior_hosts(scene.status() or {})
    here = {address: hosts[address] for address in scene.listening if hosts[address]}
    address = max(here, key=here.__getitem__) if here else random.choice([*scene.listening])
    scene.kill(scene.listening[address])


def kill_root(scene: Scene, random: Random) -> None:
    """The host of the root; it is started again at once."""
    scene.kill(scene.host)
    scene.host = Started.tcp(*scene.host.options)


def interior_hosts(status: dict[str, Any]) -> Counter[str]:
    """How many of the root's child sessions, which are interior ones here, are at each address."""
    hosts: Counter[str] = Counter()
    for session in status.get("sessions", ()):
        if session["session"] == "0":
            hosts.update(session["children"].values())
    return hosts


HARMS: dict[str, Harm] = {
    "a bot process": kill_bots,
    "the host of interior sessions": kill_interior,
    "the root, started again": kill_root,
}


def killing(scale: int, runs: int) -> Outcome:
    """Each kind so many times, beside undisturbed runs of the same."""
    outcome, times = Outcome(), max(1, TIMES // scale)
    partitions = PARTITIONS // scale
    wanted = shares.whole(partitions)
    calm = [run(partitions, None, Random(SEED)) for _ in range(runs)]
    usual = median(each.seconds for each in calm)
    says = outcome.insist(_right(calm, wanted), "undisturbed")
    outcome.line("killing", "nobody is killed", f"{usual:.3f} s", "", f"{says}, {runs} runs")
    for name, harm in HARMS.items():
        drawn = [Random(f"{SEED} {name} {i}") for i in range(times)]
        found = [run(partitions, (harm, r.uniform(*MOMENTS) * usual), r) for r in drawn]
        says = outcome.insist(_right(found, wanted), name)
        lost = sorted(each.seconds - usual for each in found)
        figure = f"{median(lost):.3f} s lost, {lost[0]:.3f} to {lost[-1]:.3f}"
        right = sum(each.result == wanted for each in found)
        behind = sum(each.left_behind for each in found)
        proof = f"{right} of {times} results {says}, {behind} processes left behind, seed {SEED}"
        print(f"  {name}: {figure}", file=sys.stderr, flush=True)  # all of it takes minutes
        outcome.line("killing", name, figure, "right every time", proof)
    return outcome


@attrs.frozen
class Ran:
    """What came of one run."""

    result: Any
    failure: Any
    seconds: float
    left_behind: int


def _right(found: Sequence[Ran], wanted: Any) -> bool:
    return all(each.result == wanted and not each.failure for each in found)


def run(partitions: int, plan: tuple[Harm, float] | None, random: Random) -> Ran:
    """One computation; with a plan, that happens so many seconds after it began."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        scene = _begun(partitions, f"{folder}/store", stack)
        if plan is not None:
            harm, seconds = plan
            time.sleep(max(0.0, scene.began + seconds - time.monotonic()))
            if scene.host.running:
                harm(scene, random)
                stack.enter_context(all_ended([scene.host]))
        report = scene.host.first(LIMIT_SECONDS)
        took = time.monotonic() - scene.began
        left = sum(not each.vanished(ENDING_SECONDS) for each in (*scene.bots, scene.host))
        return Ran(report["result"], report.get("failure"), took, left)


def _begun(partitions: int, store: str, stack: ExitStack) -> Scene:
    """A computation that has just begun."""
    file = str(HERE / "shares.py")
    tree = ("--partitions", str(partitions), "--fanout", str(FANOUT))
    job = ("--job", file, "--delay", str(DELAY_SECONDS), "--store", store)
    address = free_address()
    wait = ("--wait-nodes", str(NODES), "--json")
    host = Started.tcp("host", "--listen", address, *tree, *job, *wait)
    stack.enter_context(all_ended([host]))
    wait_for(host, address)
    scene = Scene(address, host, [], {})
    stack.enter_context(all_ended(scene.bots))
    for number in range(PROCESSES):
        join = ["join", address, "--nodes", str(NODES // PROCESSES), "--allow", file]
        own = free_address() if number < LISTENING else None
        bot = Started.tcp(*join, *(("--listen", own) if own else ()))
        scene.bots.append(bot)
        if own:
            scene.listening[own] = bot
    _await_beginning(scene)
    return scene


def _await_beginning(scene: Scene) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end and scene.host.running:
        status = scene.status()
        if status and status.get("sessions"):
            scene.began = time.monotonic()
            return
        time.sleep(0.01)
    raise SystemExit(f"{scene.host.line}: has not begun\n{scene.host.words}")
