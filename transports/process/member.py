"""A process as a member of one computation: what has begun, where the root is, that all is over.

Rules it keeps:
- What begins is said by the root alone, on a connection that this process has dialled itself: who
  has dialled it may call itself what it likes. That all is over, by whoever shows the key.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from core import messages as m
from transports.net import wire
from transports.net.errors import RemoteProtocolError
from transports.net.peer import Link, Peer
from transports.process.incoming import not_meant
from transports.process.keys import Keys, shows
from transports.process.station import Station
from transports.process.trust import Trust
from transports.process.wellformed import check_failure
from transports.watching import Watcher


class Member:
    """What a process knows of the computation. `over` is set when it is not needed any more."""

    def __init__(self, station: Station, tree: int, keys: Keys) -> None:
        self.station = station
        self.me = station.me
        self.tree = tree  # the number of the computation: the name of its root
        self.begun: wire.Begin | None = None
        self.end_key = self.end_shown = keys.end  # of the submitter; and once it is known here
        self.outcome: m.Ended | None = None
        self.failure: m.Failure | None = None  # for which all is over, as far as it is known here
        self.over = trio.Event()
        self.trace: Watcher | None = None  # what is written down of it
        self.on_begin: Callable[[wire.Begin], None] | None = None  # of a process that joins
        self.on_doubt: Callable[[], None] | None = None  # of a process that joins
        self.on_declined: Callable[[Peer, str], None] | None = None  # of the root's process
        self._rules: Trust | None = None

    def take_part(self, begin: wire.Begin, rules: Trust) -> None:
        """From now on this is about that computation, with these rules for what others say."""
        self.begun, self._rules = begin, rules
        self.station.roots.add(begin.root.address)

    @property
    def rules(self) -> Trust:
        """For what others say. Raises RemoteProtocolError before anything has begun."""
        if self._rules is None:
            raise RemoteProtocolError("nothing has begun here yet")
        return self._rules

    # -- the beginning ---------------------------------------------------------------------

    def told_begin(self, peer: Peer, said: wire.Begin, link: Link) -> None:
        """`peer` says what begins."""
        if self.on_begin is None:
            return not_meant(peer, said, link)
        root = self.begun.root.address if self.begun else peer.name
        if not self.station.is_root(link) or {peer.name, root} != {*said.root.route}:
            raise RemoteProtocolError("Begin of what is not its own, or not ours")
        return self.on_begin(said)

    def told_declined(self, peer: Peer, said: wire.Declined, link: Link) -> None:
        """`peer` takes no part in it."""
        if self.on_declined is None:
            return not_meant(peer, said, link)
        return self.on_declined(peer, said.reason)

    # -- the end ---------------------------------------------------------------------------

    def is_end(self, ended: m.Ended) -> bool:
        """Whether it comes from the submitter."""
        return self._shows_end(ended.key)

    def _shows_end(self, key: bytes) -> bool:
        return bool(key) and self.begun is not None and shows(key, self.begun.end)

    def doubts(self, said: object) -> bool:
        """Whether it says that all is over, by another key than is known here.

        Who opened the root anew may have another one, and says so when it is asked.
        """
        ended = said.ended if isinstance(said, m.Stop) else said
        if self.on_doubt is None or type(ended) is not m.Ended or self.is_end(ended):
            return False
        self.on_doubt()
        return True

    def ended(self, ended: m.Ended, observed: bool) -> None:
        """A node here has heard that all is over; `observed` is what the submitter hears."""
        self.end_shown = ended.key
        self.failure = m.Failure.of(ended.failure)
        if observed:
            self.outcome = ended

    def told_over(self, peer: Peer, said: wire.Over, link: Link) -> None:
        """`peer` says that all is over."""
        if self.on_begin is None:
            return not_meant(peer, said, link)
        check_failure(said.failure)
        if self._shows_end(said.key):
            self.end_shown = said.key
        elif not self.station.is_root(link):
            if self.on_doubt is None:
                raise RemoteProtocolError("Over that is not the submitter's")
            return self.on_doubt()
        self.failure = self.failure or said.failure
        self.over.set()
        return None
