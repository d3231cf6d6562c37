"""One process that says what it likes in the middle of a job, in memory, and brings values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from core import messages as m
from core.sessions.messages import NODE_BITS
from tests.transports.living import Intruder, Life, settled
from tests.transports.talking import Stranger
from transports.net import wire
from transports.net.connection import Me
from transports.net.limits import CHUNK_BYTES
from transports.process.process import Process
from transports.values.blobs import Blobs
from transports.values.files import stored

NUMBER, EVIL = 77, "127.0.0.1:5009"
NODE = NUMBER << NODE_BITS
LARGE = {"\0blob": "ab" * 32, "size": 5000}


async def cut(lived: Life, target: Process, *said: wire.Envelope) -> bool:
    """Whether one who says that is."""
    intruder = Intruder(lived, target, NUMBER, EVIL)
    await intruder.say([wire.encode(envelope) for envelope in said])
    await settled(target)
    gone = EVIL not in target.connections.peers
    await intruder.leave()
    return gone


def finished(slot: int, value: Any = LARGE) -> wire.Call:
    return wire.Call("0", NODE, m.Finished(NODE, (slot,), [value], 1.0))


def take_part(lived: Life, *slots: int) -> None:
    """Have the intruder be in the root, and have been given these slots."""
    reflector = lived.host.host.reflectors["0"]
    reflector.members[NODE] = (EVIL, NODE)
    for slot in slots:
        reflector.model.slots.recall(slot, NODE)


class Bringer:
    """Takes part by hand, and has whatever values it is asked for."""

    def __init__(self, lived: Life, folder: Path) -> None:
        self.lived = lived
        self.stranger = Stranger(lived.stream(lived.host))
        self.blobs = Blobs(folder)
        self.sizes: Counter[str] = Counter()  # what was asked for
        self.replies: Counter[type] = Counter()

    def value(self, seed: int, size: int = 5000) -> Any:
        return stored(self.blobs.folder, Random(seed).randbytes(size))

    async def begin(self, *slots: int) -> None:
        await self.stranger.greet(Me(NUMBER, EVIL, 50))
        self.lived.nursery.start_soon(self._serve)
        await settled(self.lived.host)
        take_part(self.lived, *slots)

    async def say(self, *calls: wire.Envelope) -> None:
        await self.stranger.say(*map(wire.encode, calls))
        await settled(self.lived.host)

    async def _serve(self) -> None:
        while (heard := await self.stranger.hear()) is not None:
            if isinstance(heard, wire.Answer):
                self.replies[type(heard.reply)] += 1
            if isinstance(heard, wire.Fetch):
                self.sizes[heard.sha] += 1
                data = self.blobs.read(heard.sha, heard.offset, CHUNK_BYTES)
                size = self.blobs.size(heard.sha) or 0
                await self.stranger.say(
                    wire.encode(wire.Chunk(heard.sha, heard.offset, size, data))
                )


def blobs_of(process: Process) -> set[str]:
    return {path.name for path in process.blobs.folder.iterdir()} - {"lock"}
