"""Who is met, and who is refused: what both ends say of it, and that nobody takes too long."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from tests.transports.logged import warnings
from tests.transports.talking import HELLO, HERE, THERE, Net, Stranger, settled
from transports.net import wire
from transports.net.connection import ConnectError
from transports.net.security import Security


@pytest.mark.parametrize(
    ("tokens", "complaint"),
    [
        ((b"one" * 8, b"two" * 8), "it does not know the token of this process"),
        ((None, b"two" * 8), "it requires a token, this process has none: give --token-file"),
        ((b"one" * 8, None), "it has no token, this process requires one"),
    ],
    ids=["mismatch", "missing here", "missing there"],
)
async def test_tokens_that_differ_end_it_at_both_ends(
    net: Net,
    clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    tokens: tuple[bytes | None, bytes | None],
    complaint: str,
) -> None:
    one, other = net.party(HERE, Security(tokens[0])), net.party(THERE, Security(tokens[1]))
    with pytest.raises(ConnectError, match=f"^{THERE}: {complaint}$") as error:
        await one.connections.connect(THERE)
    await settled()
    assert error.value.final
    assert (one.log, other.log) == ([f"lost {THERE}"], [])
    assert len(warnings(caplog)) == 2  # one at each end


async def test_another_version_is_a_line_at_both_ends(
    net: Net, clock: MockClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second speaks the next version, and all that this process has said is known to it."""
    net.party(HERE)
    stranger = Stranger(net.connect(net.parties[HERE]))
    ours, theirs = wire.VERSION, wire.VERSION + 1
    data = HELLO.replace(b"Hello%c" % ours, b"Hello%c" % theirs)
    await stranger.say(data)
    assert isinstance(await stranger.hear(), wire.Hello)
    assert await stranger.hear() is None
    (line,) = warnings(caplog)
    assert f'reason="it speaks version {theirs}, this process speaks version {ours}"' in line


async def test_who_is_dialled_and_says_nothing_is_lost(net: Net, clock: MockClock) -> None:
    one = net.party(HERE)
    streams = []

    async def dial(address: str) -> trio.abc.Stream:
        mine, its = memory_stream_pair()
        streams.append(its)
        return mine

    one.connections._meeting._dial = dial
    with pytest.raises(ConnectError, match="did not greet within 5 s"):
        await one.connections.connect(THERE)
    await Stranger(streams[0]).is_left_alone()
