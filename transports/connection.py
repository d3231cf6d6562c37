"""One connection for each pair of processes, on which all sessions pass.

Rules it keeps:
- What is sent to one process arrives in order, or the connection is lost as a whole.
- Sending never waits: what cannot go out yet is kept, up to a limit; a process that does not
  read for so long is treated as gone.
- Who has something to say dials. Where two processes dial each other at the same moment both
  connections stand; each end writes to the first that it had, and reads from both.
- A process is called by the address at which it listens.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Awaitable, Callable

import attrs
import trio

from core.messages import Node
from transports.wire import VERSION, Envelope, Frames, Hello, RemoteProtocolError, encode

BUFFER_BYTES_MAX = 2**27  # to one process
SEND_BYTES = 2**16  # are put together into one send, where there is as much
RECEIVE_BYTES = 2**16
HELLO_SECONDS = 5.0
CLOSING_SECONDS = 2.0


@attrs.define(eq=False)
class Peer:
    """Another process, for as long as it is connected, or being dialled."""

    address: str
    nodes: dict[Node, None] = attrs.Factory(dict)  # that spoke from there
    streams: list[trio.SocketStream] = attrs.Factory(list)
    waiting: deque[bytes] = attrs.Factory(deque)
    waiting_bytes: int = 0
    more: trio.lowlevel.ParkingLot = attrs.Factory(trio.lowlevel.ParkingLot)
    closing: bool = False  # everything was said
    gone: bool = False  # nothing more is heard

    def keep(self, frame: bytes) -> None:
        """Have `frame` sent, after those before it."""
        self.waiting.append(frame)
        self.waiting_bytes += len(frame)
        self.more.unpark()
        if self.waiting_bytes > BUFFER_BYTES_MAX:
            self.cut()

    def batch(self) -> bytes:
        """What one send is to carry."""
        frames = [self.waiting.popleft()]
        size = len(frames[0])
        while self.waiting and size < SEND_BYTES:
            frames.append(frame := self.waiting.popleft())
            size += len(frame)
        self.waiting_bytes -= size
        return b"".join(frames)

    def cut(self) -> None:
        """Close the connection at once; whoever reads from it notices."""
        self.waiting.clear()
        self.waiting_bytes = 0
        for stream in self.streams:
            stream.socket.close()


class Connections:
    """All other processes. `receive` is given what they say, `lost` who is not there any more."""

    def __init__(
        self,
        address: str,
        nursery: trio.Nursery,
        receive: Callable[[Peer, Envelope], Awaitable[None]],
        lost: Callable[[Peer], None],
    ) -> None:
        self.address = address
        self.peers: dict[str, Peer] = {}
        self.frames_sent = 0
        self.bytes_sent = 0
        self._nursery = nursery
        self._receive = receive
        self._lost = lost

    def send(self, address: str, frame: bytes) -> None:
        """Send to the process at `address`, dialling it where it is not connected."""
        if not self.send_back(address, frame):
            self.peers[address] = peer = Peer(address)
            self._nursery.start_soon(self._dial, peer)
            self.send_back(address, frame)

    def send_back(self, address: str, frame: bytes) -> bool:
        """Send to the process at `address` if it is connected; says whether it is."""
        peer = self.peers.get(address)
        if peer is None:
            return False
        self.frames_sent += 1
        self.bytes_sent += len(frame)
        peer.keep(frame)
        return True

    async def close(self) -> None:
        """Say what is left to say, and wait for the others to close, but not for long."""
        with trio.move_on_after(CLOSING_SECONDS):
            for peer in list(self.peers.values()):
                peer.closing = True
                peer.more.unpark()
            while self.peers:
                await next(iter(self.peers.values())).more.park()

    # -- one connection --------------------------------------------------------------------

    async def accept(self, stream: trio.SocketStream) -> None:
        """Serve one who has dialled this process."""
        frames, said = Frames(), list[Envelope]()
        try:
            with trio.move_on_after(HELLO_SECONDS):
                while not said:
                    if not (data := await stream.receive_some(RECEIVE_BYTES)):
                        break
                    said += frames.feed(data)
        except (trio.BrokenResourceError, RemoteProtocolError):
            said.clear()
        match said:
            case [Hello(version=version, address=address), *early] if version == VERSION:
                peer = self.peers.setdefault(address, Peer(address))
                for envelope in early:
                    await self._receive(peer, envelope)
                await self._run(peer, stream, frames)
            case _:
                await trio.aclose_forcefully(stream)

    async def _dial(self, peer: Peer) -> None:
        host, _, port = peer.address.rpartition(":")
        try:
            stream = await trio.open_tcp_stream(host, int(port))
        except OSError:
            if not peer.streams:
                self._forget(peer)
            return
        if peer.streams:  # the other was quicker
            await stream.aclose()
            return
        peer.waiting.appendleft(encode(Hello(VERSION, self.address)))
        await self._run(peer, stream, Frames())

    async def _run(self, peer: Peer, stream: trio.SocketStream, frames: Frames) -> None:
        peer.streams.append(stream)
        try:
            async with trio.open_nursery() as nursery:
                if len(peer.streams) == 1:
                    nursery.start_soon(self._write, peer, stream)
                await self._read(peer, stream, frames)
                nursery.cancel_scope.cancel()
        finally:
            peer.cut()
            self._forget(peer)

    async def _write(self, peer: Peer, stream: trio.SocketStream) -> None:
        try:
            while True:
                if peer.waiting:
                    await stream.send_all(peer.batch())
                elif peer.closing:
                    return await stream.send_eof()
                else:
                    await peer.more.park()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return None  # the reader notices as well

    async def _read(self, peer: Peer, stream: trio.SocketStream, frames: Frames) -> None:
        try:
            while data := await stream.receive_some(RECEIVE_BYTES):
                for envelope in frames.feed(data):
                    await self._receive(peer, envelope)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except RemoteProtocolError as error:
            self.complain(peer, error)

    def complain(self, peer: Peer, error: RemoteProtocolError) -> None:
        """Nothing more is heard from `peer`."""
        print(f"process at {peer.address} was cut off: {error}", file=sys.stderr)
        peer.cut()

    def _forget(self, peer: Peer) -> None:
        if self.peers.get(peer.address) is peer:
            del self.peers[peer.address]
            peer.gone = True
            self._lost(peer)
            peer.more.unpark_all()
