"""Greetings: who is let in, who is not, and what both ends say about it."""

from __future__ import annotations

import msgspec
import pytest
import trio
from msgspec.structs import replace
from trio.testing import memory_stream_pair

from tests.transports.talking import HERE, THERE, Stranger, said
from transports.net import wire
from transports.net.errors import NotGreeted
from transports.net.frames import HEADER
from transports.net.greeting import GREETING_BYTES_MAX, Greeting, Me
from transports.net.wire import VERSION, Hello, Ping, Proof

TOKEN, OTHER = b"a token of all", b"another token"
DIALS, LISTENS = Me(1, None, nodes=5), Me(2, HERE)

Outcome = str | Hello


async def greet(
    stream: trio.abc.HalfCloseableStream, me: Me, token: bytes | None, dials: bool
) -> Outcome:
    """One end; what it says of the other, or who it is."""
    greeting = Greeting(stream, me, token, dials)
    try:
        hello = await greeting.hear()
        await greeting.prove()
    except NotGreeted as error:
        return str(error)
    finally:
        await stream.send_eof()
    return hello


async def both(
    dials: Me = DIALS,
    listens: Me = LISTENS,
    tokens: tuple[bytes | None, bytes | None] = (None, None),
) -> tuple[Outcome, Outcome]:
    """What both ends say, first the one that dials."""
    one, other = memory_stream_pair()
    outcomes: dict[bool, Outcome] = {}

    async def end(
        stream: trio.abc.HalfCloseableStream, me: Me, token: bytes | None, dials: bool
    ) -> None:
        outcomes[dials] = await greet(stream, me, token, dials)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end, one, dials, tokens[0], True)
            nursery.start_soon(end, other, listens, tokens[1], False)
    return outcomes[True], outcomes[False]


@pytest.mark.parametrize("token", [None, TOKEN], ids=["no token", "token"])
async def test_each_learns_who_the_other_is(token: bytes | None) -> None:
    there, here = await both(tokens=(token, token))
    assert isinstance(there, Hello)
    assert isinstance(here, Hello)
    assert (there.number, there.address, there.nodes) == (2, HERE, 0)
    assert (here.number, here.address, here.nodes) == (1, None, 5)
    assert here.nonce != there.nonce


async def test_no_two_greetings_are_alike() -> None:
    nonces = {DIALS.hello(False).nonce for _ in range(100)}
    assert len(nonces) == 100


@pytest.mark.parametrize(
    ("tokens", "complaints"),
    [
        ((TOKEN, OTHER), ("does not know the token", "does not know the token")),
        ((TOKEN, None), ("has no token, this process requires one", "this process has none")),
        ((None, TOKEN), ("this process has none: give --token-file", "has no token")),
    ],
    ids=["mismatch", "missing there", "missing here"],
)
async def test_tokens_that_differ(
    tokens: tuple[bytes | None, bytes | None], complaints: tuple[str, str]
) -> None:
    for outcome, complaint in zip(await both(tokens=tokens), complaints, strict=True):
        assert complaint in str(outcome)


async def test_a_process_is_not_greeted_by_itself() -> None:
    assert await both(LISTENS, LISTENS) == ("it is this process itself",) * 2


async def test_nobody_may_have_the_address_of_this_process() -> None:
    complaint = f"it calls itself {HERE}, as this process does"
    assert await both(Me(1, HERE), Me(2, HERE)) == (complaint, complaint)


@pytest.mark.parametrize("nodes", [-1, 2**20 + 1])
async def test_nobody_has_so_many_nodes(nodes: int) -> None:
    _, here = await both(Me(1, None, nodes))
    assert here == f"it cannot have {nodes} nodes"


# -- other versions ------------------------------------------------------------------------


def frame(content: object) -> bytes:
    data = msgspec.msgpack.encode(content)
    return HEADER.pack(len(data)) + data


async def refused(*frames: bytes, dials: bool = False, token: bytes | None = None) -> str:
    """What is said of who sends these frames, and then waits."""
    one, other = memory_stream_pair()
    await one.send_all(b"".join(frames))
    with trio.fail_after(5):
        outcome = await greet(other, LISTENS, token, dials)
    assert isinstance(outcome, str)
    return outcome


@pytest.mark.parametrize("dials", [False, True])
@pytest.mark.parametrize(
    "fields", [(), (1, None), ("x", {"key": [1]}, 2.5, b"", -1, None, True), ([[[]]],)], ids=str
)
async def test_another_version_is_known_by_whatever_fields(
    fields: tuple[object, ...], dials: bool
) -> None:
    outcome = await refused(frame(["Hello", VERSION + 1, *fields]), dials=dials)
    assert outcome == f"it speaks version {VERSION + 1}, this process speaks version {VERSION}"


async def test_another_version_is_told_which_one_is_spoken_here() -> None:
    one, other = memory_stream_pair()
    await one.send_all(frame(["Hello", 99]))
    await greet(other, LISTENS, None, dials=False)
    hello = await Stranger(one).hear()
    assert isinstance(hello, Hello)
    assert hello.version == VERSION


# -- what else may come --------------------------------------------------------------------


HELLO = wire.encode(Me(3, THERE).hello(token=False))


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        ([said("early")], "it says Told where it is to say Hello"),
        ([wire.encode(Ping())], "it says Ping where it is to say Hello"),
        ([wire.encode(Proof(b""))], "it says Proof where it is to say Hello"),
        ([HELLO, said("early")], "it says Told where it is to say Proof"),
        ([HELLO, HELLO], "it says Hello where it is to say Proof"),
        ([HEADER.pack(GREETING_BYTES_MAX + 1)], "4097 bytes, above the limit of 4096"),
        ([HELLO, HEADER.pack(GREETING_BYTES_MAX + 1)], "4097 bytes, above the limit of 4096"),
        ([HEADER.pack(5) + b"\xc1\xc1\xc1\xc1\xc1"], "malformed frame of 5 bytes"),
        ([HEADER.pack(0)], "malformed frame of 0 bytes"),
        ([frame(["Hello"])], "malformed frame"),
        ([frame(["Hello", True])], "malformed frame"),
        ([frame(["Hello", VERSION, 1, "no address", 0, False, bytes(32)])], "malformed frame"),
        ([frame(["Hello", VERSION, 1, None, 0, False, b"short"])], "malformed frame"),
        ([HEADER.pack(4000) + b"\x91" * 4000], "malformed frame"),
        ([b"GET / HTTP/1.1\r\n\r\n"], "it speaks HTTP"),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], "it speaks TLS"),
    ],
    ids=range(16),
)
async def test_whatever_else_comes_is_refused(frames: list[bytes], complaint: str) -> None:
    assert complaint in await refused(*frames)


async def test_who_merely_connects_and_closes_is_no_reason_for_a_warning() -> None:
    one, other = memory_stream_pair()
    await one.send_eof()
    with pytest.raises(NotGreeted) as error:
        await Greeting(other, LISTENS, None, dials=False).hear()
    assert error.value.quiet
    assert not error.value.final


async def test_who_is_dialled_says_nothing_first() -> None:
    one, other = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(greet, other, LISTENS, TOKEN, False)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0) as nothing:
            await one.receive_some()
        assert nothing.cancelled_caught
        nursery.cancel_scope.cancel()


async def test_what_comes_after_the_proof_is_kept_and_may_be_long() -> None:
    one, other = memory_stream_pair()
    long = said("x" * 2 * GREETING_BYTES_MAX)
    await one.send_all(HELLO + wire.encode(Proof(b"")) + long)
    greeting, listening = Greeting(other, LISTENS, None, dials=False), Stranger(other)
    with trio.fail_after(5):
        await greeting.hear()
        await greeting.prove()
        listening.frames = greeting.frames
        assert wire.encode(await listening.hear()) == long


# -- attacks -------------------------------------------------------------------------------


class Victim:
    """One end of a greeting, whose other end is the attacker's."""

    def __init__(self, nursery: trio.Nursery, me: Me, dials: bool) -> None:
        mine, its = memory_stream_pair()
        self.attacker = Stranger(mine)
        self.outcome: Outcome | None = None
        nursery.start_soon(self._greet, its, me, dials)

    async def _greet(self, stream: trio.abc.HalfCloseableStream, me: Me, dials: bool) -> None:
        self.outcome = await greet(stream, me, TOKEN, dials)

    async def hello(self) -> Hello:
        """What it says first."""
        hello = await self.attacker.hear()
        assert isinstance(hello, Hello)
        return hello

    async def proof(self) -> Proof:
        """What it says second."""
        proof = await self.attacker.hear()
        assert isinstance(proof, Proof)
        return proof

    async def say(self, envelope: Hello | Proof) -> None:
        """As its other end."""
        await self.attacker.say(wire.encode(envelope))


def masked(hello: Hello) -> Hello:
    """With the same nonce, as another process."""
    return replace(hello, number=hello.number + 10, address=THERE)


async def test_a_reflected_proof_is_none() -> None:
    """Whoever dials is answered with what it says itself."""
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            victim = Victim(nursery, DIALS, dials=True)
            await victim.say(masked(await victim.hello()))
            await victim.say(await victim.proof())
    assert victim.outcome == "it does not know the token of this process"


async def test_a_proof_of_one_greeting_is_none_in_another_with_the_same_process() -> None:
    """Two greetings of one listener, of which each is to give the proof for the other."""
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            dialling = Victim(nursery, DIALS, dials=True)
            listening = Victim(nursery, LISTENS, dials=False)
            await listening.say(masked(await dialling.hello()))  # not as it was said
            await dialling.say(await listening.hello())
            await listening.say(await dialling.proof())
            await dialling.say(await listening.proof())
    assert dialling.outcome == listening.outcome == "it does not know the token of this process"


async def test_a_recorded_proof_is_none() -> None:
    """What was said in a good greeting is said again, word for word."""
    recorded: list[Hello | Proof] = []
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            dialling = Victim(nursery, DIALS, dials=True)
            listening = Victim(nursery, LISTENS, dials=False)
            recorded.append(await dialling.hello())
            await listening.say(recorded[0])  # type: ignore[arg-type]  # the last two, in turn
            await dialling.say(await listening.hello())
            recorded.append(await dialling.proof())
            await listening.say(recorded[1])
            await dialling.say(await listening.proof())
        assert isinstance(dialling.outcome, Hello)  # it was a good one
        assert isinstance(listening.outcome, Hello)
        async with trio.open_nursery() as nursery:
            again = Victim(nursery, LISTENS, dials=False)
            for envelope in recorded:
                await again.say(envelope)
    assert again.outcome == "it does not know the token of this process"


async def test_who_does_not_know_the_token_learns_no_proof() -> None:
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            victim = Victim(nursery, LISTENS, dials=False)
            await victim.say(Me(3, None).hello(token=True))
            await victim.hello()
            await victim.say(Proof(bytes(32)))
            assert len((await victim.proof()).mac) < 32
    assert victim.outcome == "it does not know the token of this process"
