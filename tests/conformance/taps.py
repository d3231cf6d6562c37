"""The accepting end of a connection on a real socket, on which a case has a hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from transports.net.frames import Frames
from transports.net.wire import Hello, decode


class Tap(trio.abc.HalfCloseableStream):
    """What comes and goes may be lost, or wait; `far` is the number of the process that dialled."""

    def __init__(
        self, stream: trio.SocketStream, far: int, first: bytes, passes: Callable[[], trio.Event]
    ) -> None:
        self.far = far
        self.lose_sent = self.lose_received = False
        self._stream = stream
        self._first = first
        self._passes = passes

    @classmethod
    async def on(cls, stream: trio.SocketStream, passes: Callable[[int], trio.Event]) -> Tap | None:
        """None where it closes before it says who it is."""
        first, frames = b"", Frames()
        while data := await stream.receive_some():
            first += data
            frames.keep(data)
            if (frame := frames.take()) is not None:
                hello = decode(frame)
                assert isinstance(hello, Hello)
                return cls(stream, hello.number, first, partial(passes, hello.number))
        return None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._passes().wait()
        if self.lose_sent:
            await self._break()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._first:
            first, self._first = self._first, b""
            await trio.lowlevel.checkpoint()
            return first
        data = await self._stream.receive_some(max_bytes)
        await self._passes().wait()
        if data and self.lose_received:
            await self._break()
        return data

    async def _break(self) -> None:
        await trio.aclose_forcefully(self._stream)
        raise trio.BrokenResourceError("it is lost, as the case wants it")

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()
