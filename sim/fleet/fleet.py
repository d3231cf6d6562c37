"""A simulated fleet: standing nodes, a root with a queue, and jobs that come and go."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Any

from core import Host
from core import messages as m
from core.messages import Node, Place
from plugins.console.telling import Lost
from plugins.jobs import values
from sim.deployment import Deployment
from sim.faults.injection import Faults
from sim.faults.plans import LEVELS
from sim.fleet.job import OPTIONS, Job, Plan, State
from sim.fleet.jobs import Jobs
from sim.fleet.members import Members, What
from sim.fleet.report import FleetReport, plain, row
from sim.fleet.trees import TREES, EachTree, Standing, Tree
from sim.options import AT_MAX, FleetOptions, WorldOptions, asked_for
from sim.record import Record

LOST = "the root came back without its queue: restart it with memory"


class Fleet(Deployment):
    """A simulated fleet, of the options that `sim.options` explains, each by its name. Those that
    say what is computed hold for every job that is submitted without them.

    Raises ValueError with one clear line for what cannot be.
    """

    collects = True  # what is left of jobs refers to itself
    network: Standing

    @asked_for(FleetOptions)
    def __init__(self, options: FleetOptions) -> None:
        super().__init__(options)
        self._usual = {name: getattr(options, name) for name in (*OPTIONS, "seed", "tick")}
        self._kind = TREES[options.replicas]
        self.jobs: list[Job] = []  # all that were submitted, in order
        self.queue = Jobs(options.at_once, lambda: self.clock.now)
        self.members = Members(
            self.network, self.blueprint.listens, self.queue.running, self._begin_jobs
        )
        self.network.alive[self.submitter] = 1
        # Drawn faults cost no queue: few jobs would end.
        self._stores = isinstance(options.faults, str) and options.faults in LEVELS
        self._unheard: list[Callable[[], None]] = []  # what was said while the root was away
        self._comes = 0  # what clients are still to say
        self._ordered_before = 0  # in jobs that have ended
        if self.blueprint.lifetimes is not None:
            self.network.count_repeated()
        self._begin()

    def _network(self) -> Standing:
        blueprint, clock = self.blueprint, self.clock
        lines, seconds = blueprint.lines(clock), blueprint.options.service_time
        return Standing(self.nodes, clock, lines, seconds, self.work, self.record)

    # -- what clients say ------------------------------------------------------------------

    def submit(
        self,
        job: Any = None,
        *,
        at: float | None = None,
        priority: int = 0,
        name: str | None = None,
        **options: Any,
    ) -> Job:
        """Have a job computed, from now on or from that second. Of those that wait, the highest
        priority goes first. `options` are those that say what is computed, as of a world.

        Raises ValueError with one clear line for what cannot be.
        """
        if unknown := options.keys() - {*OPTIONS}:
            raise ValueError(f"a job has no option {min(unknown)!r}: give some of {OPTIONS[1:]}")
        if type(priority) is not int:
            raise ValueError(f"priority must be a whole number, not {priority!r}")
        given = options if job is None else {**options, "job": job}
        plan, moment = Plan(WorldOptions(**{**self._usual, **given})), self._moment(at)
        one = Job(name or f"{plan.loaded.name:.80}", moment, priority, plan, self.cancel)
        self.jobs.append(one)
        self._at(moment, partial(self._accept, one))
        return one

    def cancel(self, job: Job, at: float | None = None) -> None:
        """As `Job.cancel`."""
        moment = self._moment(at)
        if moment < job.at:
            raise ValueError(f"at must not be before {job.at:g}, when it is submitted, not {at!r}")
        self._at(moment, partial(self._cancel, job))

    def _moment(self, at: float | None) -> float:
        if at is None:
            return self.now
        if type(at) not in (int, float) or not self.now <= at <= AT_MAX:
            wanted = f"seconds from {self.now:g}, as the time is by now, to {AT_MAX:g}"
            raise ValueError(f"at must be {wanted}, not {at!r}")
        return float(at)

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        self._comes += 1
        tick = max(self.clock.tick, round(moment / self.clock.tick_seconds))
        self.clock.at(tick, (self._say, action, None, None))

    def _say(self, action: Callable[[], None], _b: None, _c: None) -> None:
        """A client says it to the root: again and again, until that is there."""
        self._comes -= 1
        if self.network.alive[self.submitter]:
            action()
        else:
            self._unheard.append(action)

    # -- the root --------------------------------------------------------------------------

    def _accept(self, job: Job) -> None:
        self.queue.accept(job)
        self._begin_jobs()

    def _cancel(self, job: Job) -> None:
        if not job.over:
            self._end(job, State.CANCELLED)

    def _begin_jobs(self) -> None:
        """As many as may run, if somebody is there to compute them."""
        while self.members.there and (job := self.queue.upcoming()):
            number = self.queue.begin(job)
            if job.shape is None:
                job.shape = job.plan.shape(number, len(self.members.there))
            self._open(job, number)
            self.members.tell(What.BEGINS, number)

    def _open(self, job: Job, number: int) -> None:
        """The root session, on the root's own host."""
        assert job.shape is not None
        network, root = self.network, self.submitter
        place = Place(str(number), (root,))
        tree = network.trees.get(place.session) or self._planted(job, place, number)
        tree.on_outcome = partial(self._hear_outcome, job)
        key = blake2b(f"{self.seed}/{number}/{job.begun}/key".encode(), digest_size=16).digest()
        tree.hosts[root] = host = Host(root, tree, tree.kind, None, key)
        host.open(root, m.Open(place, (self.clock.tick + 1,), job.shape.plain()))
        view = tree.arrive(root, place, listens=True, observes=True)
        tree.port.send(view, place, m.Given(job.plan.input))

    def _planted(self, job: Job, place: Place, number: int) -> Tree | EachTree:
        assert job.shape is not None
        if self._tracing is not None and self.trace_error is None:
            self._tracing.begun(job.shape)
        record = Record(self.nodes, job.shape, self.clock)
        return self.network.plant(self._kind, place, job.plan.work(number, self.clock), record)

    def _hear_outcome(self, job: Job, ended: m.Ended) -> None:
        job.result = values.given(ended.result)
        job.failure, job.lost = m.Failure.of(ended.failure), Lost.of(ended.lost)
        self._end(job, State.DONE if job.failure is None else State.FAILED)

    def _end(self, job: Job, state: State) -> None:
        """It is over, which everyone is told who may take part in it."""
        number = self.queue.end(job, state)
        tree = self.network.trees.get(str(number))
        if tree is not None:
            self._count(job, tree.record)
            tree.over(self.submitter)
            self.members.tell(What.OVER, number)
        self._begin_jobs()
        self._stop_if_over()

    def _count(self, job: Job, record: Record) -> None:
        job.digest = record.digest()
        job.accepted, job.repeated = record.accepted, record.repeated
        self._ordered_before += record.ordered_count
        self.record.connections_max = max(self.record.connections_max, record.connections_max)

    # -- who comes and goes ----------------------------------------------------------------

    def _arrive(self, node: Node) -> None:
        self.members.come(node)

    def _restart(self, node: Node, memory: bool) -> None:
        self.network.forget(node)
        if node != self.submitter:
            self.members.come(node)
            return
        self.network.alive[node] = 1
        self.members.begin_anew()
        waiting = self.queue.begin_anew()
        for job in [] if memory or self._stores else waiting:
            job.failure = m.Failure(str(job.number), None, LOST)
            self._end(job, State.FAILED)
        unheard, self._unheard = self._unheard, []
        for action in unheard:
            action()

    def _begin_faults(self) -> Faults:
        faults = super()._begin_faults()
        self.network.equip()  # with lines that may fail
        return faults

    def _is_working(self) -> bool:
        works = any(tree.work.running for tree in self.network.trees.values())
        return self._comes > 0 or works

    def _ordered(self) -> int:
        now = [tree.record.ordered_count for tree in self.network.trees.values()]
        return self._ordered_before + sum(now)

    # -- running and looking ---------------------------------------------------------------

    def run(self, until: float | None = None) -> FleetReport:
        """Go on until all jobs are over, or nothing more can happen; or up to `until` seconds.

        Returns how things stand then; submit more, and run again to go on.
        """
        self.clock.stopped = False
        self._ends_with_jobs = until is None
        self._stop_if_over()
        self._run(until)
        report = self.report()
        if self._tracing is not None:
            self._tracing.conclude(plain(report))
        return report

    _ends_with_jobs = True

    def _stop_if_over(self) -> None:
        if self._ends_with_jobs and not self._comes and all(job.over for job in self.jobs):
            self.clock.stopped = True

    def report(self) -> FleetReport:
        """How things stand now."""
        rows = [row(job) for job in self.jobs]
        told = repr([(one.number, one.state, one.digest, one.ended) for one in rows])
        names = ("arrived", "left", "crashed", "connections_max")
        return FleetReport(
            jobs=rows,
            seconds=self.now,
            digest=blake2b(told.encode(), digest_size=16).hexdigest(),
            **self._figures(),
            **{name: getattr(self.record, name) for name in names},
        )
