"""What the nodes of this process say to hosts, here and elsewhere: the core's port.

What is said to the host here takes the same way as all else, by the queue, but without a frame.
What cannot be said to a host elsewhere is the loss of that host.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from core import Host, JobPort
from core import messages as m
from core.messages import Place
from core.sessions import Participant
from core.sessions.chain import View
from core.sessions.states import ASKING, END, LEADING, STANDBY
from transports.net import wire
from transports.process.backups import without_what_is_over
from transports.process.gathered import Gathered
from transports.process.member import Member
from transports.process.outgoing import Outgoing
from transports.process.queue import Queue
from transports.process.shortcut import Shortcut
from transports.process.views import Views
from transports.work.functions import Work


class Port(JobPort):
    """Of all views of this process. What runs the job's functions is known when that has begun."""

    def __init__(
        self, member: Member, queue: Queue, outgoing: Outgoing, views: Views, host: Host
    ) -> None:
        self._member = member
        self._queue = queue
        self._outgoing = outgoing
        self._views = views
        self._host = host
        self._name = member.me.name
        self._gathered = Gathered(queue, self._send)

    def begin(self, work: Work) -> None:
        """The functions of the job are run there."""
        self.compute, self.prepare, self.collect = work.compute, work.prepare, work.collect
        self.shortcut = Shortcut(self._member, self._queue, self._host, work)

    def send(self, view: View, place: Place, call: Any) -> None:
        if type(call) is m.Backup and place.address != self._name:
            self._gathered.tell(view, place, call)
        else:
            self._send(view, place, call)

    def _send(self, view: View, place: Place, call: Any) -> None:
        node, session = view.node, place.session
        if (trace := self._member.trace) is not None:
            trace.said(self._queue.now, session)
        if type(call) is m.Arrive:
            assert isinstance(view, Participant)
            self._views.asks(view, place)
        if place.address == self._name:
            self._queue.post(self._host.receive, (self._name, node), node, session, call)
        else:
            # Of the messages, a view says only those that are for views to say.
            self._outgoing.say(place.address, wire.Call(session, node, call))

    def open(self, view: View, opening: m.Open) -> None:
        self.send(view, opening.place, opening)

    def later(self, view: View, seconds: float, place: Place) -> None:
        self._queue.call_later(seconds, partial(view.retry, place))

    @property
    def end_key(self) -> bytes:
        return self._member.end_key

    def is_end(self, ended: m.Ended) -> bool:
        return self._member.is_end(ended)

    def ended(self, view: View, ended: m.Ended) -> None:
        self._views.living.pop(view.node, None)
        self._member.ended(ended, view.observes)

    def leave(self) -> None:
        """All nodes here leave: what is finished is handed on, what is held is free at once."""
        self._gathered.tell_all()
        for node, any_view in list(self._views.living.items()):
            if (trace := self._member.trace) is not None:
                trace.gone(self._queue.now, node)
            chain = any_view.chain()
            for view in chain:
                self._hand_up(view)
            for view in chain:
                if view.takes_part or view.state in (STANDBY, ASKING):
                    self.send(view, view.place, m.Leave())
                view.step(END)
        self._views.living.clear()

    def _hand_up(self, view: View) -> None:
        """What is known of sessions that end with this process goes to the host above them all."""
        reflector = self._host.reflectors.get(view.place.session)
        up = view.place.parent()
        if reflector is None or up is None or reflector.state.moved or view.state is not LEADING:
            return
        if up.address != self._name:
            for kept in without_what_is_over(self._host.backups.known(reflector.session)):
                self._send(view, up, kept)
