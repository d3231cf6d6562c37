"""What one peer says: how much of it is read before it is another one's turn."""

from __future__ import annotations

from pathlib import Path

import trio
from trio.testing import MockClock

from core import Shape
from core import messages as m
from tests.transports.living import Life, settled
from tests.transports.process.intruding import NODE
from tests.transports.talking import Stranger
from transports.net import wire
from transports.net.connection import Me
from transports.process import incoming


async def test_what_one_has_said_does_not_keep_others_waiting(
    nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path
) -> None:
    """However much it says: only so much of it is read before it is that one's turn again."""
    said = wire.encode(wire.Ask())
    large = wire.encode(wire.Call("0", NODE, m.Given(bytes(2**20))))
    lived = Life(nursery, tmp_path, Shape.root(1, 2))  # in which nothing is done
    loud, heavy, quiet = (Stranger(lived.stream(lived.host)) for _ in range(3))
    for number, one in enumerate((loud, heavy, quiet), 7):
        await one.greet(Me(number, None))
    await loud.say(*[said] * 10 * incoming.SHARE_MAX)
    await settled(lived.host)
    await quiet.say(said)
    await settled(lived.host)
    assert len(lived.host.queue) == incoming.SHARE_MAX + 1
    await heavy.say(*[large] * 10)
    await settled(lived.host)
    heard = len(lived.host.queue) - incoming.SHARE_MAX - 1
    assert incoming.QUEUE_BYTES_MAX <= heard * len(large) < incoming.QUEUE_BYTES_MAX + len(large)
    nursery.start_soon(lived.host.run)
    assert isinstance(await quiet.hear(), wire.Told)
    await settled(lived.host)
    assert lived.host.incoming.waiting_bytes == 0
    assert not lived.host.incoming.doing
