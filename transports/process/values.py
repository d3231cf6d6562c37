"""The large values of this process: how they come, who may have them, what here names them.

`transports/values` brings and keeps bytes; what these are to the sessions here is known here.
"""

from __future__ import annotations

import logging

import msgspec
import trio

from core import Host, Session
from core.messages import Value
from transports.logs import event
from transports.net import wire
from transports.net.peer import Link, Peer
from transports.process.carrier import Carrier
from transports.process.following import Following
from transports.process.needed import names, of_fact
from transports.process.outgoing import Outgoing
from transports.process.views import Views
from transports.values.blobs import Blobs
from transports.values.handles import KEY
from transports.values.transfer import Transfers


class Values:
    """`me`: the name of this process; `tree`: the number of the computation."""

    def __init__(
        self,
        me: str,
        nursery: trio.Nursery,
        blobs: Blobs,
        outgoing: Outgoing,
        host: Host,
        carrier: Carrier,
        following: Following,
        views: Views,
        tree: int,
    ) -> None:
        self.blobs = blobs
        blobs.on_trouble = self._tell_room
        said_of = self._up, self.near, self.names
        self.transfers = Transfers(blobs, nursery, outgoing.say, *said_of, tree)
        self._me = me
        self._nursery = nursery
        self._host = host
        self._carrier = carrier
        self._following = following
        self._views = views
        self._settles = False

    def said(self, peer: Peer, said: wire.Fetch | wire.Chunk | wire.Missing, link: Link) -> None:
        """`peer` asks for bytes, or answers."""
        self.transfers.received(peer.name, said)

    async def fetch(self, handle: Value, session: str) -> Value:
        """Have the bytes here. Returns the handle if they are in a file, else what they mean.

        Raises BlobMissing, or NoRoom.
        """
        sources = [*self._up(session, ""), *self.near(session)]
        await self.transfers.fetch(handle, session, sources)
        content = self.blobs.memory.get(handle[KEY])
        return handle if content is None else msgspec.msgpack.decode(content)

    # -- who may have them -----------------------------------------------------------------

    def _up(self, session: str, asker: str) -> list[str]:
        """Who may have what `session` is about, nearer to the root: the nearest first."""
        reflector = self._host.reflectors.get(session)
        places = [reflector.place] if reflector else []
        views = [*self._views.of(session)]
        places += [view.place for view in views]
        route = places[0].route if places else ()
        # What another one has collected is on the host of the session below, which hands it up.
        below = [view.below.place.address for view in views if view.below is not None]
        nearest = dict.fromkeys([*reversed(route), *below])
        return [name for name in nearest if name not in (asker, self._me)]

    def near(self, session: str) -> list[str]:
        """All processes that follow `session` here."""
        reflector = self._host.reflectors.get(session)
        return list(self._carrier.followers(reflector)) if reflector else []

    # -- what names them -------------------------------------------------------------------

    def names(self, session: str, sha: str) -> bool:
        """Whether what is known here of `session`, or of one above it, names that value."""
        while session:
            reflector = self._host.reflectors.get(session)
            states = [reflector.state] if reflector else []
            states += self._followed(session)
            if any(names(state, sha) for state in states):
                return True
            session = session.rpartition("-")[0]
        return False

    def _followed(self, session: str) -> list[Session]:
        replicas = self._following.replicas.items()
        return [replica.state for (_, name), replica in replicas if name == session]

    def names_anywhere(self, sha: str) -> bool:
        """Whether anything that is known or kept here names that value."""
        states = [reflector.state for reflector in self._host.reflectors.values()]
        states += [replica.state for replica in self._following.replicas.values()]
        return any(names(state, sha) for state in states) or self._is_kept(sha)

    def _is_kept(self, sha: str) -> bool:
        kept = self._host.backups.facts.values()
        named = (handle for facts in kept for fact in facts.values() for handle in of_fact(fact))
        return any(handle[KEY] == sha for handle in named)

    # -- a disk that is full ---------------------------------------------------------------

    def _tell_room(self, trouble: str) -> None:
        if trouble:
            event(logging.ERROR, "no_room", reason=trouble)
        else:
            event(logging.WARNING, "room_again", folder=self.blobs.folder)

    def tidy_up(self) -> None:
        """Write what could not be written before."""
        if self.blobs.trouble and not self._settles:
            self._nursery.start_soon(self._settle)

    async def _settle(self) -> None:
        self._settles = True
        try:
            await trio.to_thread.run_sync(self.blobs.settle, abandon_on_cancel=True)
        finally:
            self._settles = False
