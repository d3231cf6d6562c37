"""One connection for each pair of processes, on which all sessions pass.

Rules it keeps:
- What is sent to one process arrives in order, or the connection is lost as a whole.
- Who has something to say dials. Where two processes dial each other at the same moment both
  connections stand; each end writes to the first that it had, and reads from both.
- A process dials another only while it is not connected to it. So one that dials again has lost
  the connection before, or is a new one at the old address: the old one is lost first.
- A process is called by the address at which it listens, or by its number if it does not.
- What a peer does wrong costs its own connection, and one line in the log. Those who have not
  greeted yet are bounded in number, time and bytes.
- A connection has one task that reads (`reading.py`). One that writes is there only while something
  waits (`writing.py`): most connections are idle. Who is silent is cut (`heartbeat.py`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable

import trio

from transports.logs import event, sum_up
from transports.net.dialling import ConnectError, dial, origin, parsed
from transports.net.directory import Directory
from transports.net.errors import RemoteProtocolError
from transports.net.greeting import Me, name_of
from transports.net.heartbeat import HEARTBEAT_SECONDS, Heartbeat
from transports.net.meeting import Meeting
from transports.net.peer import Link, Peer
from transports.net.reading import Reading
from transports.net.security import Security
from transports.net.wire import Envelope, Hello, Ping, encode
from transports.net.writing import Writing

__all__ = ["ConnectError", "Connections", "Me", "Peer"]

CLOSING_SECONDS = 2.0
PARTING_SECONDS = 10.0  # to say what is left to a process that is not needed
BEGUN_ANEW = "it has begun anew"
NO_MEMORY = "no memory is left here for what it says"


def _ignore(peer: Peer) -> None:
    pass


def _nothing_is_known() -> float:
    return math.inf


def _ignore_age(peer: Peer, seconds: float) -> None:
    pass


class Connections:
    """All other processes. `receive` is given what they say, and on which of the connections;
    `lost` who is not there any more.

    `root_age` says how many seconds ago the root was there, as far as that is known here, which is
    told to others; `aged` is given who says so, and what.

    `met` is given each that has greeted, before anything it says is received. `lost` is given
    each that was in `peers`, once, also if it was never reached.
    """

    def __init__(
        self,
        me: Me,
        security: Security,
        nursery: trio.Nursery,
        receive: Callable[[Peer, Envelope, Link], Awaitable[None]],
        lost: Callable[[Peer], None],
        met: Callable[[Peer], None] = _ignore,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        dial: Callable[[str], Awaitable[trio.abc.Stream]] = dial,
        root_age: Callable[[], float] = _nothing_is_known,
        aged: Callable[[Peer, float], None] = _ignore_age,
    ) -> None:
        self.me = me
        self.security = security
        self._directory = Directory()
        self.peers = self._directory.peers  # by name
        self._nursery = nursery
        self._lost, self._met, self._root_age = lost, met, root_age
        self._writing = writing = Writing(nursery, self.peers, self.cut, self._forget)
        self._reading = Reading(receive, aged, writing.bound_kept)
        self._meeting = Meeting(me, security, dial)
        self._links: dict[Link, None] = {}
        self._change = trio.lowlevel.ParkingLot()  # somebody has greeted, or is gone
        self._heartbeat = Heartbeat(heartbeat_seconds, nursery, self.cut, writing.write_soon)
        nursery.start_soon(self._heartbeat.run, self._sweep)

    # -- sending ---------------------------------------------------------------------------

    def send(self, name: str, frame: bytes) -> None:
        """Send to the process `name`, dialling it where it is not connected."""
        self._writing.push(self._directory.found(name) or self._begin(name), frame)

    def send_back(self, name: str, frame: bytes) -> bool:
        """Send to the process `name` if it is connected; says whether it is."""
        peer = self._directory.found(name)
        if peer is not None:
            self._writing.push(peer, frame)
        return peer is not None

    @property
    def frames_sent(self) -> int:
        """How many were, but for pings."""
        return self._writing.frames_sent

    @property
    def bytes_sent(self) -> int:
        """Of these frames."""
        return self._writing.bytes_sent

    @property
    def frames_received(self) -> int:
        """How many were, but for pings."""
        return self._reading.frames_received

    def reaches(self, name: str) -> bool:
        """Whether the process `name` is connected."""
        peer = self._directory.found(name)
        return peer is not None and peer.greeted

    # -- receiving -------------------------------------------------------------------------

    async def _serve(self, peer: Peer, link: Link) -> None:
        """Read from one connection for as long as it lasts."""
        reason = "it closed the connection"
        try:
            with link.scope:
                await self._reading.read(peer, link)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            reason = "the connection broke"
        except RemoteProtocolError as error:
            self.cut(peer, str(error))
        except MemoryError:
            self.cut(peer, NO_MEMORY)
        finally:
            del self._links[link]
            self._forget(peer, reason)
            self._change.unpark_all()
            await trio.aclose_forcefully(link.stream)

    # -- the end of a connection -----------------------------------------------------------

    def cut(self, peer: Peer, reason: str) -> None:
        """Close the connection at once; `lost` follows."""
        if not peer.gone and not peer.reason:
            peer.reason, peer.refused = reason, True
            event(logging.WARNING, "cut", **_who(peer), reason=reason)
        peer.cancel()

    def part(self, peer: Peer) -> None:
        """Close the connection when everything is said; `lost` follows then."""
        if peer.parting or peer.gone:
            return
        peer.parting = True
        for link in peer.links:
            link.scope.deadline = trio.current_time() + PARTING_SECONDS
        if peer.links:
            self._writing.write_soon(peer)
        elif not peer.waiting:
            peer.cancel()

    async def close(self) -> None:
        """Say what is left to say, and wait for the others to close, but not for long."""
        self._meeting.closed = True
        self._meeting.strangers.dismiss_all()
        with trio.move_on_after(CLOSING_SECONDS):
            for peer in list(self.peers.values()):
                self.part(peer)
            while self.peers or self._links:
                await self._change.park()
        for peer in list(self.peers.values()):
            self._forget(peer, "this process ends")
        for link in self._links:
            link.scope.cancel()

    def _forget(self, peer: Peer, reason: str, level: int = logging.INFO) -> None:
        """It is lost, unless it was before."""
        if peer.gone:
            return
        if not peer.reason:
            peer.reason = reason
            event(level, "lost", **_who(peer), reason=reason)
        self._leave_out(peer)
        self._lost(peer)

    def _leave_out(self, peer: Peer) -> None:
        peer.gone = True
        peer.drop()
        self._directory.remove(peer)
        if not peer.parting:  # if it is, the other end is to close, or is late
            peer.cancel()
        self._change.unpark_all()

    # -- silence ---------------------------------------------------------------------------

    def _sweep(self) -> None:
        sum_up()
        self._meeting.backoff.tidy_up()
        ping = encode(Ping(self._root_age()))
        for peer in list(self.peers.values()):
            self._heartbeat.look_at(peer, ping)

    # -- beginning -------------------------------------------------------------------------

    async def accept(self, stream: trio.abc.Stream) -> None:
        """Serve one who has dialled this process."""
        if greeted := await self._meeting.welcomed(stream):
            hello, link = greeted
            peer = self._joined(self._directory.named(name_of(hello)), hello, link)
            del greeted, hello, stream
            await self._serve(peer, link)

    async def connect(self, address: str) -> Peer:
        """The process that listens at `address`, when it has greeted. Raises ConnectError."""
        parsed(address)
        while (peer := self._directory.found(address)) and (peer.parting or peer.reason):
            await self._change.park()
        peer = peer or self._begin(address, at_once=True)
        while not peer.greeted and not peer.gone:
            await self._change.park()
        found = self._directory.found(address)
        if found is None or not found.greeted:
            raise ConnectError(peer.reason, peer.final)
        return found

    def _begin(self, address: str, at_once: bool = False) -> Peer:
        peer = self._directory.named(address)
        peer.dialling = trio.CancelScope()
        self._nursery.start_soon(self._dial, peer, peer.dialling, at_once)
        return peer

    async def _dial(self, peer: Peer, scope: trio.CancelScope, at_once: bool) -> None:
        """Reach it and serve it, or have it lost."""
        address, greeted, level = peer.name, None, logging.INFO
        reason, known = f"{address}: it is not dialled any more", list[Peer]()

        def meant(hello: Hello) -> bool:
            there = self.peers.get(name_of(hello))
            if there and there.greeted and there.number == hello.number:
                known.append(there)
            return not known

        try:
            with scope:
                if self._meeting.closed and not peer.parting:
                    raise ConnectError(f"{address}: this process ends")
                greeted = await self._meeting.reached(address, meant, at_once)
        except ConnectError as error:
            reason, peer.final = str(error), error.final
            level = logging.WARNING if error.final else logging.INFO
        except trio.Cancelled:  # with all tasks: nobody is to wait for it
            self._forget(peer, reason)
            raise
        if greeted is not None:
            hello, link = greeted
            peer = self._joined(self._dialled(peer, hello), hello, link)
            del greeted, hello, meant
            await self._serve(peer, link)
        elif known and known[0].greeted:
            self._merge(peer, known[0])
        elif not peer.links:
            self._forget(peer, reason, level)

    def _dialled(self, peer: Peer, hello: Hello) -> Peer:
        """The peer that has answered where `peer` was dialled, perhaps by another name."""
        name = name_of(hello)
        if name == peer.name or peer.links or peer.gone:
            return self._directory.named(name)
        event(logging.INFO, "alias", dialled=peer.name, peer=name)
        there = self.peers.get(name)
        if there and there.number in (-1, hello.number):
            self._merge(peer, there)
            return there
        if there:
            self._forget(there, BEGUN_ANEW)
        self._directory.rename(peer, name)
        return peer

    def _merge(self, peer: Peer, there: Peer) -> None:
        """What was to be said to `peer` is said to the same process under its own name."""
        if peer is there or peer.gone:
            return
        waiting = peer.waiting or ()
        self._leave_out(peer)
        self._directory.add_alias(there, peer.name)
        for frame in waiting:
            there.keep(frame)
        if there.links:
            self._writing.write_soon(there)

    def _joined(self, peer: Peer, hello: Hello, link: Link) -> Peer:
        """The peer with one connection more, or the one that takes its place."""
        if peer.reason or (peer.hello and not _goes_with(link, hello, peer)):
            self._forget(peer, BEGUN_ANEW)
            peer = self._directory.named(peer.name)
        first = not peer.links
        peer.links.append(link)
        self._links[link] = None
        if first:
            peer.hello = hello
            for address in (peer.name, *peer.aliases):
                self._meeting.backoff.forget(address)
            event(logging.INFO, "met", **_who(peer), number=f"{hello.number:x}", nodes=hello.nodes)
            self._met(peer)
            if peer.waiting or peer.parting:
                self._writing.write_soon(peer)
        self._change.unpark_all()
        return peer


def _goes_with(link: Link, hello: Hello, peer: Peer) -> bool:
    """Whether it is one of two connections of processes that dialled each other."""
    if peer.number != hello.number or peer.parting:
        return False
    return all((other.dialled is None) != (link.dialled is None) for other in peer.links)


def _who(peer: Peer) -> dict[str, str]:
    return {"peer": peer.name} | ({"at": origin(peer.links[0].stream)} if peer.links else {})
