"""The search takes every branch of the core in the first worlds that it draws, but some.

Of those it is told why not, as `file: the line that decides -> where it leads`. Branches of what is
never called in a session that computes are not among them.

A few worlds are drawn first that take them all between them, as `python -m
tests.sim.search.reaching` has found. Where the core has changed, and they do not, all are drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from coverage import Coverage

import core
from sim.search.trial import draw, run

FIRST = (
    120, 375, 371, 10, 488, 439, 127, 456, 460, 490, 171, 52, 246, 268, 335, 289, 292, 323,
    49, 264, 234, 197, 106, 236, 467, 83, 232, 293, 428, 287, 169, 478, 328, 301, 454, 237,
)  # fmt: skip
SEEDS, AT_ONCE = 500, 100
CORE = Path(core.__file__).parent

UNTAKEN = """
# Whoever uses the core as its authors did not mean it
cutting.py: if fanout < 2: -> raise ValueError(f"fanout must be at least 2, not {fanout}")
cutting.py: if partitions < 1: -> raise ValueError(f"partitions must be at least 1, not {partitions}")
sessions/chain.py: if follows is None: -> seq = self.seat.state.seq if self.seat else 0
sessions/digest.py: case bytes() | bytearray(): -> case _:
sessions/replica.py: if seq != state.seq + 1: -> raise ValueError(f"session {state.name}: message {seq} came after {state.seq}")
sessions/replica.py: if seq <= state.seq: -> return
worker.py: if len(inputs) == wanted: -> self.raised(session, None, f"prepare returned {len(inputs)} inputs for {wanted} slots")

# A lie that the liars of the search do not tell, or that is found out before
rights.py: if finished.lost is not None and not _may_lose(model, finished.lost, *numbers): -> return OFFENCE
rights.py: if not (0 < len(numbers) == len(finished.outputs) and 0 <= finished.seconds < SECONDS_MAX): -> return OFFENCE
sessions/participant.py: if self.port.is_end(command.ended): -> the end
sessions/session.py: if moved.node != self.leader: -> return
sessions/repair.py: if (state.name, state.epoch) != (before.name, before.epoch) or state.seq > before.seq: -> return
sessions/repair.py: if state.seq != before.seq or state.people.keys() != reflector.members.keys(): -> return  # it is too old; or no replica of this session: the host knows who is here
sessions/roles.py: if not 0 <= child < model.children or list(opening.plan) != model.child_plan(child): -> return OFFENCE
sessions/roles.py: if not kept.session.startswith(session + "-"): -> return OFFENCE
sessions/roles.py: if place.address != host.address: -> return OFFENCE
sessions/roles.py: if up is None or above is None: -> return OFFENCE if up is None else PASSED_OVER
steps.py: if not self.collected: -> the end

# The simulated network never does it: all votes arrive, nothing is said to who has gone
sessions/host.py: elif reflector is not None: -> self.wait(link, session, call)
sessions/session.py: if self.moved is not None: -> pass  # nobody is here any more
sessions/repair.py: if len(self.ballots) > BALLOTS_MAX:  # somebody left without a vote -> del self.ballots[next(iter(self.ballots))]
sessions/repair.py: if state.seq % carrier.vote_every == 0: -> the end
sessions/repair.py: if self._mender != NOBODY: -> the end
sessions/repair.py: elif outvoted == HOST: -> for outvoted, fields in wrong.items():
slots.py: if node not in self.idle: -> the end

# Simulated values are in the messages, so none is lost with a process (tests/core/test_recovery.py)
sessions/recovery.py: if arrival.past.epoch in self.lacking:  # one of each process is enough -> self.lacking[arrival.past.epoch].add(self.reflector.carrier.party(arrival.node))
sessions/recovery.py: if state.model.facts().keys() - reflector.state.model.facts(): -> brought = self.lacking.setdefault(state.epoch, set())

# Who guides those who come is asked in lobbies alone (tests/sim/search/test_lobbies.py)
sessions/admission.py: if self.guide is not None: -> self.guide.ordered()
sessions/admission.py: elif self.guide is not None and not arrival.observes: -> return self._guided(self.guide, link, arrival, child)
sessions/reflector.py: elif kind is m.Vote: -> elif self.admission.guide is not None and node in self.members:

# Two things at the same time, of which the first leaves nothing to do for the second
stragglers.py: if node is None or worker is None or i in slots.helpers: -> return
sessions/admission.py: if child not in self._redirects: -> self._locate(child)
sessions/chain.py: if self.below: -> if self.above:
sessions/chain.py: if self.lead is not None and self.lead.child == supply.child: -> the end
sessions/recovery.py: for waiting in [*self.reflector.admission.standbys.values()]: -> self.reflector.admission.arrive(*waiting)
sessions/reflector.py: if self.closed: -> del self.members[node]

# Taken within 3,000 seeds, each at least once
computation.py: if one_at_a_time or node not in slots.worker: -> slots.claimed = True
sessions/participant.py: elif way is Way.OUTSIDE: -> self.step(states.SENT_OUTSIDE)
sessions/participant.py: if not above.place.leads_to(place.session): -> return Way.OUTSIDE
sessions/participant.py: if self.address is not None and place.leads_to(reply.session): -> the end
sessions/participant.py: if self.below.state is states.LEADING and self.hops > YIELD_TRIES: -> self.hops = 0
stragglers.py: if other is None: -> slots.rest(node)  # behind the other one, whose turn comes when it is late again
sessions/recovery.py: if node not in reflector.members: -> the end
sessions/recovery.py: if not reflector.state.moved:  # else it brings that there -> if node not in reflector.members:
sessions/reflector.py: if self.closed: -> return
sessions/session.py: if node in self.observers: -> self.observers = tuple([other for other in self.observers if other != node])
sessions/roles.py: if above is None: -> return PASSED_OVER
steps.py: if slots.done[i]: -> return True  # in vain: others have done it
"""  # noqa: E501 - lines of the core as they are


def test_every_branch_of_the_core_is_taken(tmp_path: Path) -> None:
    coverage, told = of_core(), {*_told()}
    rest = (range(first, first + AT_ONCE) for first in range(0, SEEDS, AT_ONCE))
    for seeds in (FIRST, *rest):
        _run(seeds, coverage)
        missed = {*_missed(coverage, tmp_path / "report.json")} - told
        if not missed:
            break
    assert missed == set()


def test_no_branch_is_told_of_that_is_not_there() -> None:
    for line in _told():
        name, branch = line.split(": ", 1)
        source = [text.strip() for text in (CORE / name).read_text("utf-8").splitlines()]
        assert {*branch.split(" -> ")} <= {"the end", *source}, line


def _told() -> list[str]:
    return [line for line in UNTAKEN.splitlines() if line and not line.startswith("#")]


def of_core() -> Coverage:
    """What notes the branches of the core that are taken."""
    return Coverage(branch=True, include=[f"{CORE}/*"], data_file=None, config_file=False)


def _run(seeds: Iterable[int], coverage: Coverage) -> None:
    with coverage.collect():
        for seed in seeds:
            assert run(draw(seed)).violation is None, seed


def _missed(coverage: Coverage, report: Path) -> Iterator[str]:
    """Each branch that no world takes: its file, the line that decides, and where it would lead."""
    coverage.json_report(outfile=str(report))
    for path, file in json.loads(report.read_text("utf-8"))["files"].items():
        lines = ["the end", *Path(path).read_text("utf-8").splitlines()]
        for decides, leads in file["missing_branches"]:
            if decides not in file["missing_lines"]:  # else what leads to it is told
                name = Path(path).resolve().relative_to(CORE)
                yield f"{name}: {lines[decides].strip()} -> {lines[max(leads, 0)].strip()}"
