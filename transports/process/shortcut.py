"""Sessions that take only a moment are not opened: their leader has all of it computed at once.

To open a session, have its input cut, its pieces computed and their outputs combined takes a dozen
messages and three calls of functions. Where the functions take less than that, they are one call
(`Whole`), and what comes of it is said in the session above, as by any leader.

Rules it keeps:
- Only who was alone in the sessions that it led before, whose pieces were short, does so. A team
  goes with its leader, and while the tree forms all sessions are opened.
- What goes wrong is not told: the session is opened, and what is wrong with it is seen there. The
  same where nothing comes of it for a while: a piece may hang.
- Nobody waits in vain for a session that is not opened. Who asked for it is sent back one level,
  and what is led in this process in the next seconds is opened, so that there is a place.
- What is under way is bounded: a quarter of a second of work.
- A traced run has all its sessions, and so has one whose calls are made to take their time.
"""

from __future__ import annotations

from math import inf

from core import Host, Shape, Worker
from core import messages as m
from core.messages import Place, Value
from core.sessions.chain import View
from core.sessions.states import LEADING
from core.slots import BATCH_SECONDS
from transports.process.member import Member
from transports.process.queue import Queue
from transports.work.calls import Whole
from transports.work.functions import Work

UNDER_WAY_SECONDS = 0.25
LATE_SECONDS = 1.0  # until a session of which nothing has come is opened
LOOK_SECONDS = 1.0  # from one look at what is late, and at who waits, to the next
OPEN_SECONDS = 5.0  # for which all sessions are opened
PACE_KEPT = 0.75  # of what was measured before, where it is less by now


class Shortcut:
    """That of all nodes of a process."""

    def __init__(self, member: Member, queue: Queue, host: Host, work: Work) -> None:
        self._member = member
        self._queue = queue
        self._host = host
        self._work = work
        self._under_way: dict[Whole, None] = {}
        self._seconds = 0.0  # that these are likely to take
        self._pace = 0.0  # seconds a piece, with all that is done once for a session
        self._opens_until = -inf
        self._done: set[str] = set()  # sessions that were computed so since the last look
        self._done_before: set[str] = set()
        self._looks = False

    def take(self, view: Worker, lead: m.Lead) -> bool:
        """Whether that session is computed at once; `view` says what comes of it."""
        if lead.first is None or not view.takes_part or not self._was_alone(view):
            return False
        shape = Shape(*view.model.child_plan(lead.child))
        if shape.partitions * _pace(view) > BATCH_SECONDS or not self._may(shape.session):
            return False
        seconds = self._likely(shape, _pace(view))
        if seconds > BATCH_SECONDS or self._seconds + seconds > UNDER_WAY_SECONDS:
            self._pace *= PACE_KEPT  # or one that was slow would be the last
            return False
        session, now = view.place.session, self._queue.now
        whole = Whole(view, session, lead, shape, now, seconds, self._returned, self._failed)
        self._under_way[whole] = None
        self._seconds += seconds
        self._work.compute_whole(whole)
        self._look_later()
        return True

    # -- whether it is right ---------------------------------------------------------------

    def _was_alone(self, view: View) -> bool:
        """In what it has led so far, which is over."""
        below = view.below
        if below is None:
            return False  # nothing yet
        while below is not None:
            seat, reflector = below.seat, self._host.reflectors.get(below.place.session)
            if below.state is not LEADING or below.outcome is None or seat is None:
                return False
            if reflector is None or reflector.state is not seat.state:  # it is elsewhere
                return False
            if len(seat.state.people) > 1 or reflector.admission.waiting():
                return False
            below = below.below
        return True

    def _may(self, session: str) -> bool:
        """Whether nobody is to see it opened."""
        if not self._work.at_once or self._member.trace is not None:
            return False
        return self._queue.now >= self._opens_until and session not in self._host.waiting

    def _likely(self, shape: Shape, pace: float) -> float:
        """The seconds that it takes."""
        steps = 2 * (1 + shape.partitions // shape.fanout) * self._work.step_seconds
        return max(shape.partitions * pace + steps, shape.partitions * self._pace)

    # -- what comes of it ------------------------------------------------------------------

    def _returned(self, whole: Whole, output: Value, seconds: float) -> None:
        if not self._is_over(whole):
            return
        pace = seconds / whole.shape.partitions
        self._pace = max(pace, PACE_KEPT * self._pace)
        if whole.wanted:
            view = whole.worker
            view.say(m.Finished(view.node, (whole.lead.child,), [output], 0.0))
        session = whole.shape.session
        self._done.add(session)
        if session in self._host.waiting:
            self._send_back(session)

    def _failed(self, whole: Whole) -> None:
        """It cannot be computed so, or takes too long."""
        if not self._is_over(whole):
            return
        if whole.wanted:
            self._opens_until = self._queue.now + OPEN_SECONDS
            Worker.lead_on(whole.worker, whole.lead)
        whole.given_up = True

    def _is_over(self, whole: Whole) -> bool:
        """Whether that comes for the first time."""
        if whole not in self._under_way:
            return False
        del self._under_way[whole]
        self._seconds = self._seconds - whole.seconds if self._under_way else 0.0
        return True

    # -- who waits -------------------------------------------------------------------------

    def _look_later(self) -> None:
        if not self._looks:
            self._looks = True
            self._queue.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """See to what is late, and to who asks for what is done."""
        self._looks = False
        late = self._queue.now - LATE_SECONDS
        for whole in [whole for whole in self._under_way if whole.began <= late]:
            self._failed(whole)
        for session in [*self._host.waiting]:
            if session in self._done or session in self._done_before:
                self._send_back(session)
        self._done_before, self._done = self._done, set()
        if self._under_way or self._done_before:
            self._look_later()

    def _send_back(self, session: str) -> None:
        """Who waits for that session to be opened asks one level up."""
        self._opens_until = self._queue.now + OPEN_SECONDS
        host = self._host
        place = Place(session, (host.address,))
        for link, _ in host.waiting.pop(session, {}).values():
            host.carrier.reply(host, link, place, m.Absent())


def _pace(view: View) -> float:
    """The seconds that a piece took lately, in the session furthest down."""
    while view.below is not None:
        view = view.below
    return inf if view.about is None else float(view.about)
