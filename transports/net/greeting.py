"""What passes before anything else: who is there, and whether it may take part.

    who dials            who is dialled
    Hello       ->
                <-       Hello
    Proof       ->
                <-       Proof

Rules it keeps:
- Who is dialled says nothing before it has heard a Hello, and proves nothing before it has seen a
  proof. So whoever connects without the token learns nothing by which to guess it.
- A proof is HMAC-SHA256 of both Hellos, keyed with the token. Both have a nonce, so a recorded
  proof is of no use; the end that speaks is in it, so one sent back is of none either.
- Without a token proofs are empty, and sent as well. Until its proof who dials may still change
  its mind, as it does when the other has dialled it meanwhile. After that the connection stands.
- A frame is at most 4 KB, and only the one that is due is read at all.
- Whoever can be told why it is refused is told, if it takes part in this protocol or in TLS. To
  others nothing is said.
"""

from __future__ import annotations

import hmac
import secrets

import attrs
import msgspec
import trio

from core.sessions.messages import NODE_BITS
from transports.net.errors import NotGreeted, RemoteProtocolError
from transports.net.frames import HEADER, Frames
from transports.net.tls import broken
from transports.net.wire import (
    NONCE_BYTES,
    NUMBER_BITS,
    REFUSAL,
    VERSION,
    Hello,
    Proof,
    decode,
    encode,
)

GREETING_BYTES_MAX = 4096  # of one frame
UNKNOWN_TOKEN = "it does not know the token of this process"
HTTP = (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"DELE", b"CONN", b"PRI ", b"HTTP")
TLS = (b"\x16\x03",)


@attrs.frozen
class Me:
    """This process, as it presents itself. `nodes`: that it has, or is about to have."""

    number: int
    address: str | None
    nodes: int = 0

    @property
    def name(self) -> str:
        """By which others know it."""
        return name_of(self)

    def hello(self, token: bool) -> Hello:
        """For one greeting, and no other."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return Hello(VERSION, self.number, self.address, self.nodes, token, nonce)


def name_of(process: Me | Hello) -> str:
    """The address at which it listens, or a name at which nobody can dial it."""
    return process.address or f"#{process.number:x}"


class Greeting:
    """One end's part of it, on a fresh connection: `hear`, then `prove`.

    Both raise NotGreeted. What has come after the greeting is left in `frames`.
    """

    def __init__(self, stream: trio.abc.Stream, me: Me, token: bytes | None, dials: bool) -> None:
        self.frames = Frames(GREETING_BYTES_MAX)
        self._stream = stream
        self._me = me
        self._token = token
        self._dials = dials
        self._said = encode(me.hello(token is not None))
        self._heard = b""

    async def hear(self) -> Hello:
        """Exchange Hellos; returns the other's."""
        if self._dials:
            await self._say(self._said)
        payload = await self._next(first=True)
        self._heard = HEADER.pack(len(payload)) + payload
        version = version_of(payload)
        if not self._dials and version is not None:
            await self._say(self._said)  # also to those who are refused: they see why
        return self._checked(payload, version)

    async def prove(self) -> None:
        """Exchange proofs."""
        if self._dials:
            await self._say(encode(Proof(self._mac(by_who_dials=True))))
            if not hmac.compare_digest(await self._proof(), self._mac(by_who_dials=False)):
                raise NotGreeted(UNKNOWN_TOKEN)
        else:
            mac = await self._proof()
            if not hmac.compare_digest(mac, self._mac(by_who_dials=True)):
                await self._say(REFUSAL)
                raise NotGreeted(UNKNOWN_TOKEN)
            await self._say(encode(Proof(self._mac(by_who_dials=False))))
        self.frames.limit = Frames().limit

    # -- what is said --------------------------------------------------------------------------

    def _mac(self, by_who_dials: bool) -> bytes:
        if self._token is None:
            return b""
        both = (self._said, self._heard) if self._dials else (self._heard, self._said)
        role = b"who dials" if by_who_dials else b"who is dialled"
        return hmac.digest(self._token, b"million nodes, %s:" % role + b"".join(both), "sha256")

    async def _say(self, frame: bytes) -> None:
        try:
            await self._stream.send_all(frame)
        except trio.BrokenResourceError as error:
            raise broken(error, self._dials) from error

    # -- what is heard -------------------------------------------------------------------------

    def _checked(self, payload: bytes, version: int | None) -> Hello:
        if version not in (None, VERSION):
            raise NotGreeted(f"it speaks version {version}, this process speaks version {VERSION}")
        if self._dials and is_refusal(payload):
            raise NotGreeted("it refuses: it may accept TLS only, which --tls-ca is for")
        hello = decoded(payload)
        if not isinstance(hello, Hello):
            raise NotGreeted(f"it says {type(hello).__name__} where it is to say Hello")
        if hello.number == self._me.number:
            raise NotGreeted("it is this process itself")
        if name_of(hello) == self._me.name:
            raise NotGreeted(f"it calls itself {name_of(hello)}, as this process does")
        if not 0 <= hello.nodes <= 2**NODE_BITS or not 0 <= hello.number < 2**NUMBER_BITS:
            raise NotGreeted(f"it cannot have {hello.nodes} nodes")
        if self._token and not hello.token:
            raise NotGreeted("it has no token, this process requires one")
        if hello.token and not self._token:
            raise NotGreeted("it requires a token, this process has none: give --token-file")
        return hello

    async def _proof(self) -> bytes:
        proof = decoded(await self._next())
        if not isinstance(proof, Proof):
            raise NotGreeted(f"it says {type(proof).__name__} where it is to say Proof")
        return proof.mac

    async def _next(self, first: bool = False) -> bytes:
        """The next frame's content."""
        while True:
            try:
                if (payload := self.frames.take()) is not None:
                    return payload
                data = await self._stream.receive_some(GREETING_BYTES_MAX)
            except trio.BrokenResourceError as error:
                raise broken(error, self._dials) from error
            except RemoteProtocolError as error:
                raise NotGreeted(str(error)) from error
            if not data:
                raise NotGreeted("it closed the connection", final=False, quiet=True)
            if first:
                await self._insist_on_our_kind(bytes(data[:4]))
                first = False
            self.frames.keep(data)

    async def _insist_on_our_kind(self, beginning: bytes) -> None:
        if beginning.startswith(HTTP):
            raise NotGreeted("it speaks HTTP")
        if beginning.startswith(TLS):
            if not self._dials:
                await self._say(REFUSAL)  # no TLS, which is what it notices
            raise NotGreeted("it speaks TLS, this process has no certificate")


def decoded(payload: bytes) -> object:
    """What a frame says. Raises NotGreeted."""
    try:
        return decode(payload)
    except RemoteProtocolError as error:
        raise NotGreeted(str(error)) from error


def version_of(payload: bytes) -> int | None:
    """The version that a Hello says it is of, whatever else is in it; None if it is no Hello."""
    try:
        match msgspec.msgpack.decode(payload):
            case ["Hello", version, *_] if type(version) is int:  # of which bool is a kind
                return version
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        pass
    return None


def is_refusal(payload: bytes) -> bool:
    """Whether a frame is what is sent in place of a proof."""
    return payload == REFUSAL[HEADER.size :]
