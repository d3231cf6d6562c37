"""One connection for each pair of processes, on which all sessions pass.

Rules it keeps:
- What is sent to one process arrives in order, or the connection is lost as a whole.
- Sending never waits: what cannot go out yet is kept, up to a limit; a process that does not read
  for so long is treated as gone. So is one that is silent for longer than the heartbeat.
- What is kept for all of them together has a limit that follows the memory of this process: above
  it, whoever has most of that kept goes.
- Who has something to say dials. Where two processes dial each other at the same moment both
  connections stand; each end writes to the first that it had, and reads from both.
- A process dials another only while it is not connected to it. So one that dials again has lost
  the connection before, or is a new one at the old address: the old one is lost first.
- Each process tells all others every third of the heartbeat that it lives, and what it knows of the
  root (`transports.process.member` says what that is good for).
- A process is called by the address at which it listens, or by its number if it does not.
- What a peer does wrong costs its own connection, and one line in the log. Those who have not
  greeted yet are bounded in number, time and bytes.
- A long frame is taken apart in a thread, one at a time: the loop goes on meanwhile, and only one
  of them takes memory.
- A connection has one task that reads. One that writes is there only while something waits, and
  no bytes are kept where nothing is under way: most connections are idle.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable

import trio

from plugins.console.memory import memory_bytes
from transports.logs import event, sum_up
from transports.net.dialling import ConnectError, dial, end_sending, origin, parsed
from transports.net.errors import RemoteProtocolError
from transports.net.greeting import Me, name_of
from transports.net.limits import SHORT_BYTES
from transports.net.meeting import Meeting
from transports.net.peer import Link, Peer
from transports.net.security import Security
from transports.net.wire import Envelope, Hello, Ping, Proof, decode, encode, heard

__all__ = ["ConnectError", "Connections", "Me", "Peer"]

WAITING_BYTES_MAX = 2**26  # for one process
KEPT_SHARE = 4  # for all of them, of the memory that there is, one part of so many
KEPT_STEP_BYTES = 2**20  # whenever so much more is kept of one, all are looked at
RECEIVE_BYTES = 2**16
LONG_BYTES = 2**21  # a frame that takes so long that nobody is to wait for it meanwhile
SWEEPS = 12  # looks for the silent within one heartbeat
CLOSING_SECONDS = 2.0
PARTING_SECONDS = 10.0  # to say what is left to a process that is not needed

PING_SWEEPS = SWEEPS // 3  # from one time that it says that it lives to the next
BEGUN_ANEW = "it has begun anew"
NO_MEMORY = "no memory is left here for what it says"

_PING = encode(Ping())


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
        heartbeat_seconds: float = 15.0,
        dial: Callable[[str], Awaitable[trio.abc.Stream]] = dial,
        root_age: Callable[[], float] = _nothing_is_known,
        aged: Callable[[Peer, float], None] = _ignore_age,
    ) -> None:
        self.me = me
        self.security = security
        self.heartbeat_seconds = heartbeat_seconds
        self.peers: dict[str, Peer] = {}  # by name
        self.frames_sent = self.frames_received = self.bytes_sent = 0
        self.kept_bytes_max = memory_bytes() // KEPT_SHARE
        self._nursery = nursery
        self._receive, self._lost, self._met = receive, lost, met
        self._root_age, self._aged = root_age, aged
        self._meeting = Meeting(me, security, dial)
        self._aliases: dict[str, Peer] = {}  # by other addresses that were dialled
        self._links: dict[Link, None] = {}
        self._sweeps = 0
        self._apart = trio.CapacityLimiter(1)
        self._change = trio.lowlevel.ParkingLot()  # somebody has greeted, or is gone
        nursery.start_soon(self._sweep)

    # -- sending ---------------------------------------------------------------------------

    def send(self, name: str, frame: bytes) -> None:
        """Send to the process `name`, dialling it where it is not connected."""
        self._push(self._found(name) or self._begin(name), frame)

    def send_back(self, name: str, frame: bytes) -> bool:
        """Send to the process `name` if it is connected; says whether it is."""
        peer = self._found(name)
        if peer is not None:
            self._push(peer, frame)
        return peer is not None

    def reaches(self, name: str) -> bool:
        """Whether the process `name` is connected."""
        peer = self._found(name)
        return peer is not None and peer.greeted

    def _found(self, name: str) -> Peer | None:
        return self.peers.get(name) or self._aliases.get(name)

    def _push(self, peer: Peer, frame: bytes) -> None:
        self.frames_sent += 1
        self.bytes_sent += len(frame)
        before = peer.waiting_bytes
        peer.keep(frame)
        if peer.waiting_bytes > WAITING_BYTES_MAX:
            self.cut(peer, f"it does not read, {peer.waiting_bytes} bytes wait for it")
        elif peer.links and not peer.writing:
            self._write_soon(peer)
        if peer.waiting_bytes // KEPT_STEP_BYTES > before // KEPT_STEP_BYTES:
            self._bound_kept()

    def _bound_kept(self) -> None:
        """Where too much is kept for all, whoever has most of it goes."""
        peers = [peer for peer in self.peers.values() if not peer.reason]
        if sum([peer.bytes_kept for peer in peers]) > self.kept_bytes_max:
            most = max(peers, key=lambda peer: peer.bytes_kept)
            size = f"{most.bytes_kept} of {self.kept_bytes_max} bytes"
            self.cut(most, f"{size} that may be kept for all wait for it, or for the rest of it")

    def _write_soon(self, peer: Peer) -> None:
        peer.writing = True
        self._nursery.start_soon(self._write, peer)

    async def _write(self, peer: Peer) -> None:
        """Send what waits."""
        try:
            while peer.waiting:
                await peer.links[0].stream.send_all(peer.batch())
            if peer.parting and not peer.gone:
                for link in peer.links:
                    await end_sending(link.stream)
                self._forget(peer, "nothing is left to say")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._forget(peer, "the connection broke")
        except MemoryError:
            self.cut(peer, "no memory is left here for what it is to be told")
        finally:
            peer.writing = False
            if not peer.waiting:
                peer.waiting = None

    # -- receiving -------------------------------------------------------------------------

    async def _serve(self, peer: Peer, link: Link) -> None:
        """Read from one connection for as long as it lasts."""
        reason = "it closed the connection"
        try:
            with link.scope:
                await self._take(peer, link, b"")  # what came with the greeting
                while await self._read(peer, link):
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            reason = "the connection broke"
        except RemoteProtocolError as error:
            self.complain(peer, error)
        except MemoryError:
            self.cut(peer, NO_MEMORY)
        finally:
            del self._links[link]
            self._forget(peer, reason)
            self._change.unpark_all()
            await trio.aclose_forcefully(link.stream)

    async def _read(self, peer: Peer, link: Link) -> bool:
        """Get more, and hand it on; says whether there was any. Nothing of it is kept here."""
        data = await link.stream.receive_some(RECEIVE_BYTES)
        await self._take(peer, link, data)
        return bool(data)

    async def _take(self, peer: Peer, link: Link, data: bytes | bytearray) -> None:
        link.busy = True
        if not peer.reason:  # else nothing of it is heard
            link.frames.keep(data)
        while not peer.reason and (frame := link.frames.take()) is not None:
            short = len(frame) <= SHORT_BYTES
            envelope = decode(frame) if short else await self._heard_at_length(frame)
            match envelope:
                case Ping(seconds):
                    self._aged(peer, seconds)
                    continue
                case Hello() | Proof():
                    raise RemoteProtocolError(f"{type(envelope).__name__} after the greeting")
            self.frames_received += 1
            await self._receive(peer, envelope, link)
        steps = link.frames.bytes_kept // KEPT_STEP_BYTES
        if steps > link.kept_steps:
            self._bound_kept()
        link.kept_steps = steps
        link.busy, link.silent = False, 0

    async def _heard_at_length(self, frame: bytes) -> Envelope:
        """What a long frame says; the longest are taken apart in a thread, one at a time."""
        if len(frame) < LONG_BYTES:
            return heard(frame)
        try:
            return await trio.to_thread.run_sync(heard, frame, limiter=self._apart)
        except RuntimeError:
            raise MemoryError from None  # for a thread

    # -- the end of a connection -----------------------------------------------------------

    def cut(self, peer: Peer, reason: str) -> None:
        """Close the connection at once; `lost` follows."""
        if not peer.gone and not peer.reason:
            peer.reason, peer.refused = reason, True
            event(logging.WARNING, "cut", **_who(peer), reason=reason)
        peer.cancel()

    def complain(self, peer: Peer, error: RemoteProtocolError) -> None:
        """What `peer` has said is wrong: nothing more is heard from it."""
        self.cut(peer, str(error))

    def part(self, peer: Peer) -> None:
        """Close the connection when everything is said; `lost` follows then."""
        if peer.parting or peer.gone:
            return
        peer.parting = True
        for link in peer.links:
            link.scope.deadline = trio.current_time() + PARTING_SECONDS
        if peer.links and not peer.writing:
            self._write_soon(peer)
        elif not peer.links and not peer.waiting:
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
        for name in (peer.name, *peer.aliases):
            for names in (self.peers, self._aliases):
                if names.get(name) is peer:
                    del names[name]
        if not peer.parting:  # if it is, the other end is to close, or is late
            peer.cancel()
        self._change.unpark_all()

    # -- silence ---------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """Look for those who are silent, and tell all that this process lives.

        Sweeps are counted, not seconds: if this process stood still, the others did not.
        """
        while True:
            await trio.sleep(self.heartbeat_seconds / SWEEPS)
            self._sweeps += 1
            sum_up()
            self._meeting.backoff.tidy_up()
            ping = encode(Ping(self._root_age()))
            for peer in list(self.peers.values()):
                self._look_at(peer, ping)

    def _look_at(self, peer: Peer, ping: bytes) -> None:
        for link in peer.links:
            link.silent += not link.busy
            if link.silent > SWEEPS:
                return self.cut(peer, f"it said nothing for {self.heartbeat_seconds:g} s")
        peer.unpinged += 1
        if peer.unpinged >= PING_SWEEPS and peer.links and not peer.parting:
            peer.unpinged = 0
            peer.keep(ping)
            if not peer.writing:
                self._write_soon(peer)
        for link in peer.links[1:]:  # to which nothing else is written
            if self._sweeps % PING_SWEEPS == 0 and not link.pinging:
                link.pinging = True
                self._nursery.start_soon(self._ping, link)

    async def _ping(self, link: Link) -> None:
        try:
            await link.stream.send_all(_PING)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            link.scope.cancel()
        link.pinging = False

    # -- beginning -------------------------------------------------------------------------

    async def accept(self, stream: trio.abc.Stream) -> None:
        """Serve one who has dialled this process."""
        if greeted := await self._meeting.welcomed(stream):
            hello, link = greeted
            peer = self._joined(self._named(name_of(hello)), hello, link)
            del greeted, hello, stream
            await self._serve(peer, link)

    async def connect(self, address: str) -> Peer:
        """The process that listens at `address`, when it has greeted. Raises ConnectError."""
        parsed(address)
        while (peer := self._found(address)) and (peer.parting or peer.reason):
            await self._change.park()
        peer = peer or self._begin(address, at_once=True)
        while not peer.greeted and not peer.gone:
            await self._change.park()
        found = self._found(address)
        if found is None or not found.greeted:
            raise ConnectError(peer.reason, peer.final)
        return found

    def _named(self, name: str) -> Peer:
        if name not in self.peers:
            self.peers[name] = Peer(name)
        return self.peers[name]

    def _begin(self, address: str, at_once: bool = False) -> Peer:
        peer = self._named(address)
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

        with scope:
            try:
                if self._meeting.closed and not peer.parting:
                    raise ConnectError(f"{address}: this process ends")
                greeted = await self._meeting.reached(address, meant, at_once)
            except ConnectError as error:
                reason, peer.final = str(error), error.final
                level = logging.WARNING if error.final else logging.INFO
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
            return self._named(name)
        event(logging.INFO, "alias", dialled=peer.name, peer=name)
        there = self.peers.get(name)
        if there and there.number in (-1, hello.number):
            self._merge(peer, there)
            return there
        if there:
            self._forget(there, BEGUN_ANEW)
        del self.peers[peer.name]
        self._add_alias(peer, peer.name)
        peer.name = name
        self.peers[name] = peer
        return peer

    def _merge(self, peer: Peer, there: Peer) -> None:
        """What was to be said to `peer` is said to the same process under its own name."""
        if peer is there or peer.gone:
            return
        waiting = peer.waiting or ()
        self._leave_out(peer)
        self._add_alias(there, peer.name)
        for frame in waiting:
            there.keep(frame)
        if there.links and not there.writing:
            self._write_soon(there)

    def _add_alias(self, peer: Peer, address: str) -> None:
        self._aliases[address] = peer
        peer.aliases = (*peer.aliases, address)

    def _joined(self, peer: Peer, hello: Hello, link: Link) -> Peer:
        """The peer with one connection more, or the one that takes its place."""
        if peer.reason or (peer.hello and not _goes_with(link, hello, peer)):
            self._forget(peer, BEGUN_ANEW)
            peer = self._named(peer.name)
        first = not peer.links
        peer.links.append(link)
        self._links[link] = None
        if first:
            peer.hello = hello
            for address in (peer.name, *peer.aliases):
                self._meeting.backoff.forget(address)
            event(logging.INFO, "met", **_who(peer), number=f"{hello.number:x}", nodes=hello.nodes)
            self._met(peer)
            if (peer.waiting or peer.parting) and not peer.writing:
                self._write_soon(peer)
        self._change.unpark_all()
        return peer


def _goes_with(link: Link, hello: Hello, peer: Peer) -> bool:
    """Whether it is one of two connections of processes that dialled each other."""
    if peer.number != hello.number or peer.parting:
        return False
    return all((other.dialled is None) != (link.dialled is None) for other in peer.links)


def _who(peer: Peer) -> dict[str, str]:
    return {"peer": peer.name} | ({"at": origin(peer.links[0].stream)} if peer.links else {})
