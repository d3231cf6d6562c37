"""Which job is given a core: by priority, by weight, and never is a core idle that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.work.shares import KEPT_SECONDS_MAX, SLICE_SECONDS, Claim, Hold, Shares

LIKELY = 0.02  # what is thought of a piece of which nothing is known


@attrs.define(eq=False)
class Job:
    """Pieces of so many seconds, one after the other; at most `nodes` of them are asked for."""

    claim: Claim
    seconds: Callable[[int], float]
    pieces: int = 10**6
    likely: float = LIKELY
    nodes: int = 100
    absent: float = 0.0  # seconds from the end of a piece to when the next one is asked for
    begun: int = 0
    away: int = 0  # nodes that have yet to ask
    had: float = 0.0
    ended: float | None = None

    def asked(self) -> bool:
        """Whether there is something to begin."""
        at_work = len(self.claim.holds) + self.away
        return at_work < self.nodes and self.begun < self.pieces


class Machine:
    """Cores, and jobs that are computed on them."""

    def __init__(self, cores: int) -> None:
        self.shares, self.now, self.idle = Shares(cores), 0.0, 0.0
        self.jobs: dict[Claim, Job] = {}
        self._order, self._events = count(), list[tuple[float, int, Callable[[], None]]]()

    def job(
        self,
        seconds: float | Callable[[int], float],
        priority: int = 0,
        weight: float = 1,
        **more: float,
    ) -> Job:
        claim = self.shares.enter(priority, weight)
        length = seconds if callable(seconds) else lambda i, fixed=seconds: fixed
        self.jobs[claim] = job = Job(claim, length, **more)  # type: ignore[arg-type]
        return job

    def at(self, when: float, action: Callable[[], None]) -> None:
        heappush(self._events, (when, next(self._order), action))

    def run(self, until: float) -> None:
        """So long, or until all is done."""
        self._fill()
        while self._events and self._events[0][0] <= until:
            when, _, action = heappop(self._events)
            if self.shares.free and any(job.claim.wants for job in self.jobs.values()):
                self.idle += (when - self.now) * self.shares.free
            self.now = when
            action()
            self._fill()

    def _fill(self) -> None:
        for job in self.jobs.values():
            self.shares.want(job.claim, job.asked(), self.now)
        while (claim := self.shares.upcoming(self.now)) is not None:
            job = self.jobs[claim]
            hold, seconds = self.shares.take(claim, job.likely, self.now), job.seconds(job.begun)
            job.begun += 1
            self.at(self.now + seconds, lambda job=job, hold=hold: self._end(job, hold))
            self.shares.want(claim, job.asked(), self.now)
        if (kept := self.shares.kept_until(self.now)) is not None:
            self.at(kept, lambda: None)

    def _end(self, job: Job, hold: Hold) -> None:
        job.had += self.now - hold.began
        job.away += 1
        self.shares.want(job.claim, job.asked(), self.now)
        self.shares.give_back(hold, self.now)
        if job.begun == job.pieces and not job.claim.holds:
            job.ended = self.now
        if job.absent:
            self.at(self.now + job.absent, lambda: self._ask(job))
        else:
            self._ask(job)

    def _ask(self, job: Job) -> None:
        job.away -= 1


WEIGHTS = st.sampled_from([0.5, 1.0, 2.0, 3.0])
SECONDS = st.floats(0.5, 5.0)
LENGTHS = st.lists(SECONDS, min_size=1, max_size=5)


@settings(max_examples=30)
@given(st.integers(1, 4), st.lists(st.tuples(LENGTHS, WEIGHTS), min_size=2, max_size=4))
def test_jobs_share_by_weight_whatever_their_pieces_take(
    cores: int, drawn: list[tuple[list[float], float]]
) -> None:
    """Each has what is its own, but for what is under way: a piece a core of the longest."""
    machine = Machine(cores)
    jobs = [machine.job(lambda i, s=s: s[i % len(s)], weight=weight) for s, weight in drawn]
    longest = max(max(lengths) for lengths, _ in drawn)
    machine.run(until=20 * longest)
    all_seconds = sum(job.claim.had(machine.now) * job.claim.weight for job in jobs)
    weights = sum(job.claim.weight for job in jobs)
    for job in jobs:
        own = all_seconds * job.claim.weight / weights
        assert job.claim.had(machine.now) * job.claim.weight == pytest.approx(
            own, abs=longest * cores
        )
    assert machine.idle == 0


@pytest.mark.parametrize("cores", [1, 2, 3, 8])
@pytest.mark.parametrize("seconds", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("nodes", [1, 2, 50])
def test_two_equal_jobs_have_a_half_each_over_twenty_pieces_a_node(
    cores: int, seconds: float, nodes: int
) -> None:
    machine = Machine(cores)
    jobs = [machine.job(seconds, nodes=max(nodes, cores), absent=0.0001) for _ in range(2)]
    machine.run(until=20 * seconds)
    one, other = (job.claim.had(machine.now) for job in jobs)
    assert one / (one + other) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("nodes", [1, 50])
def test_weights_of_three_to_one(nodes: int) -> None:
    """Also where a node asks for its next piece only when it has done with the last."""
    machine = Machine(1)
    heavy = machine.job(1.0, weight=3, nodes=nodes, absent=0.01)
    light = machine.job(1.0, nodes=nodes, absent=0.01)
    machine.run(until=80)
    assert heavy.had / (heavy.had + light.had) == pytest.approx(0.75, abs=0.02)


def test_a_short_job_is_not_held_up_by_a_long_one() -> None:
    """It has its half from when it comes: the long one has no claim for what it was before."""
    machine = Machine(2)
    machine.job(1.0)
    machine.run(until=100)
    short = machine.job(0.1, pieces=100)
    machine.run(until=200)
    assert short.ended is not None
    assert short.ended - 100 < 10.0 / 2 * 2 + 2  # 10 s of work, on a half of two cores


def test_who_wanted_nothing_for_long_gets_no_more_than_its_share_later() -> None:
    machine = Machine(1)
    early, late = machine.job(0.5), machine.job(0.5, nodes=0)
    machine.run(until=100)
    late.nodes = 100
    machine.run(until=120)
    assert late.had == pytest.approx(10.0, abs=1.0)
    assert early.had == pytest.approx(110.0, abs=1.0)


def test_a_lower_priority_has_what_is_left_over() -> None:
    machine = Machine(4)
    high, low = machine.job(1.0, priority=1, nodes=3), machine.job(1.0)
    machine.run(until=100.5)
    assert (high.had, low.had) == (300.0, 100.0)


def test_the_next_piece_of_a_higher_priority_is_waited_for_a_moment() -> None:
    """Else a long one of a lower priority would begin before each."""
    machine = Machine(1)
    high = machine.job(1.0, priority=1, nodes=1, absent=0.01, pieces=50)
    low = machine.job(60.0)
    machine.run(until=200)
    assert high.ended is not None
    assert high.ended < 52
    assert low.had > 0
    assert machine.idle < 50 * KEPT_SECONDS_MAX + 1


@settings(max_examples=30)
@given(
    st.integers(1, 5),
    st.lists(st.tuples(SECONDS, st.integers(-2, 2), WEIGHTS, st.integers(0, 4)), max_size=6),
    st.floats(0, 0.5),
)
def test_no_core_is_idle_that_is_wanted_but_for_moments(
    cores: int, drawn: list[tuple[float, int, float, int]], absent: float
) -> None:
    machine = Machine(cores)
    for seconds, priority, weight, nodes in drawn:
        machine.job(seconds, priority, weight, nodes=nodes, absent=absent)
    machine.run(until=50)
    begun = sum(job.begun for job in machine.jobs.values())
    assert machine.idle <= begun * KEPT_SECONDS_MAX
    if absent == 0:
        assert machine.idle == 0


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(2, 4), st.data())
def test_whatever_happens_no_more_cores_are_held_than_there_are(
    cores: int, count_: int, data: st.DataObject
) -> None:
    shares, now, holds = Shares(cores), 0.0, list[Hold]()
    claims = [shares.enter(0, 1.0) for _ in range(count_)]
    for _ in range(30):
        now += data.draw(st.sampled_from([0.0, 0.01, 5.0]))
        claim = data.draw(st.sampled_from(claims))
        match data.draw(st.integers(0, 4)):
            case 0:
                shares.want(claim, data.draw(st.booleans()), now)
            case 1 if holds:
                shares.give_back(holds.pop(data.draw(st.integers(0, len(holds) - 1))), now)
            case 2:
                shares.weigh(claim, data.draw(st.integers(-1, 1)), data.draw(WEIGHTS), now)
            case 3 if len(claims) > 1:
                claims.remove(claim)
                shares.leave(claim)
                holds = [hold for hold in holds if hold.claim is not claim]
            case _:
                while (first := shares.upcoming(now)) is not None:
                    assert first.wants
                    assert all(other.priority <= first.priority for other in claims if other.wants)
                    holds.append(shares.take(first, 1.0, now))
        assert shares.free == cores - len(holds) >= 0
        assert all(claim.had(now) >= 0 for claim in claims)


def test_who_begins_short_ones_one_after_the_other_stops_a_slice_ahead() -> None:
    shares = Shares(1)
    one, other = shares.enter(0, 1.0), shares.enter(0, 1.0)
    shares.want(one, True, 0.0)
    shares.take(one, 0.001, 0.0)
    assert shares.goes_on(one, 1000.0)  # nobody waits
    other.spent = 1000.0
    shares.want(other, True, 1000.0)
    assert shares.goes_on(one, 1000.0 + SLICE_SECONDS)
    assert not shares.goes_on(one, 1000.01 + SLICE_SECONDS)
    shares.weigh(one, 1, 1.0, 1001.0)
    assert shares.goes_on(one, 2000.0)
    shares.weigh(other, 2, 1.0, 2000.0)
    assert not shares.goes_on(one, 2000.0)


def test_a_short_piece_is_waited_for_as_long_as_a_long_one_of_others_makes_it_worth() -> None:
    """Else who has pieces of 50 ms waits for a second after each."""
    machine = Machine(1)
    machine.job(1.0, likely=1.0)
    machine.run(until=10)
    short = machine.job(0.05, pieces=100, nodes=1, absent=0.02)
    machine.run(until=40)
    assert short.ended is not None
    assert short.ended - 10 < 2 * 100 * 0.07 + 2


def test_what_a_process_takes_to_start_counts_neither_way() -> None:
    shares = Shares(2)
    one, other = shares.enter(0, 1.0), shares.enter(0, 1.0)
    for claim in (one, other):
        shares.want(claim, True, 0.0)
    shares.take(one, 1.0, 0.0)
    hold = shares.take(other, 1.0, 0.0)
    shares.started(hold, 3.0)
    assert one.had(3.0) == other.had(3.0) == 3.0
    assert (one.had(4.0), other.had(4.0)) == (4.0, 4.0)
    shares.give_back(hold, 5.0)
    assert other.had(9.0) == 5.0


def test_weights_can_be_changed_while_a_piece_goes_on() -> None:
    machine = Machine(1)
    one, other = machine.job(1.0), machine.job(1.0)
    machine.run(until=40.5)
    machine.shares.weigh(one.claim, 0, 3.0, machine.now)
    machine.run(until=80.5)
    assert (one.had, other.had) == (pytest.approx(50, abs=2), pytest.approx(30, abs=2))
    machine.shares.weigh(other.claim, 5, 1.0, machine.now)
    machine.run(until=100.5)
    assert one.had == pytest.approx(50, abs=2)


# -- what is given back unfinished ---------------------------------------------------------


def test_only_for_a_higher_priority_and_only_in_time_a_piece_is_given_back() -> None:
    shares = Shares(2)
    low, lower, high = (shares.enter(priority, 1.0) for priority in (1, 0, 1))
    for claim in (low, lower):
        shares.want(claim, True, 0.0)
    holds = [shares.take(low, 1.0, 0.0), shares.take(lower, 1.0, 1.0)]
    shares.want(high, True, 5.0)
    assert shares.to_give_back(30.0, 100.0) is None  # one core is an equal's, and that will end
    shares.weigh(high, 2, 1.0, 6.0)
    assert shares.to_give_back(30.0, 34.9) is None
    assert shares.to_give_back(30.0, 35.0) is holds[1]
    holds[1].asked_back = True
    assert shares.to_give_back(30.0, 40.0) is None  # one is enough
    shares.want(lower, False, 41.0)
    shares.give_back(holds[1], 41.0)
    assert shares.upcoming(41.0) is high
