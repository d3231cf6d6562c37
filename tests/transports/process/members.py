"""Somebody who takes part in a job by hand, on a real socket; and what it may forge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from core import Reflector
from core import messages as m
from core.messages import Place, Value
from core.sessions.messages import NODE_BITS
from tests.transports.living import HELPER_NUMBER, HOST, Life
from tests.transports.process.intruding import NUMBER
from tests.transports.talking import Stranger, serve
from transports.net import wire
from transports.net.connection import Me
from transports.process.process import Process

SECONDS_MAX = 60  # before something is called hung
OTHER = HELPER_NUMBER << NODE_BITS
KEY = bytes(16)
LEAF, INTERIOR = (16, 16), (225, 15)  # partitions and fanout: twelve nodes leave room for more


class Member(Stranger):
    """Somebody who takes part in a session, by hand."""

    def __init__(
        self, stream: trio.SocketStream, target: Process, number: int, address: str | None
    ) -> None:
        super().__init__(stream)
        self.target = target
        self.me = Me(number, address, 5)
        self.node = number << NODE_BITS
        self.heard: list[wire.Envelope] = []

    async def arrive(self, session: str = "0", past: m.Past | None = None) -> None:
        await self.call(m.Arrive(self.node, None, None, past), session)

    async def join(self) -> None:
        """Be seated in the root."""
        await self.arrive()
        while self.node not in self.reflector.members:
            assert await self.next() is not None

    async def call(self, call: Any, session: str = "0", node: int | None = None) -> None:
        said = wire.Call(session, self.node if node is None else node, call)
        await self.say(wire.encode(said))

    async def next(self) -> wire.Envelope | None:
        envelope = await self.hear()
        if envelope is not None:
            self.heard.append(envelope)
        return envelope

    async def is_cut(self) -> bool:
        """Whether all that it has said led to that; else all of it has been heard."""
        with suppress(trio.BrokenResourceError):
            await self.say(wire.encode(wire.Ask()))
        while (envelope := await self.next()) is not None:
            if isinstance(envelope, wire.Told):
                return False
        return True

    def replies(self) -> list[m.Reply]:
        return [said.reply for said in self.heard if isinstance(said, wire.Answer)]

    @property
    def reflector(self) -> Reflector:
        return self.target.host.reflectors["0"]

    @property
    def slot(self) -> int:
        """That which it was given."""
        return int(self.reflector.model.slots.worker.index(self.node))


@asynccontextmanager
async def connected(
    lived: Life, target: Process, number: int = NUMBER, address: str | None = None
) -> AsyncIterator[Member]:
    host, _, port = (await serve(lived.nursery, target.connections.accept)).rpartition(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        member = Member(stream, target, number, address)
        await member.greet(member.me)
        yield member


def place(session: str) -> Place:
    return Place(session, (HOST,) * (session.count("-") + 1))


def forged(member: Member, **changes: Any) -> dict[str, Value]:
    """A replica that its host has not."""
    return {**member.reflector.state.snapshot(), **changes}
