"""TLS on a stream that is there already, and what it means where it fails, or a stream breaks."""

from __future__ import annotations

import ssl
from contextlib import suppress

import trio

from transports.net.errors import NotGreeted
from transports.net.wire import REFUSAL

_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")


async def shake_hands(
    stream: trio.abc.Stream, context: ssl.SSLContext, host: str | None
) -> trio.abc.Stream:
    """The stream with TLS on it; `host` is that which was dialled, None for who is dialled.

    Raises NotGreeted.
    """
    secured = trio.SSLStream(
        stream,
        context,
        server_hostname=host,
        server_side=host is None,
        https_compatible=True,  # frames say themselves whether one is cut off
    )
    try:
        await secured.do_handshake()
    except trio.BrokenResourceError as error:
        failure = broken(error, dials=host is not None)
        if host is None and is_plain(error):
            await _say_plainly(stream)
        raise failure from error
    return secured


async def _say_plainly(stream: trio.abc.Stream) -> None:
    with suppress(trio.BrokenResourceError):  # it will find out otherwise
        await stream.send_all(REFUSAL)


def is_plain(error: trio.BrokenResourceError) -> bool:
    """Whether it is because the other end does not speak TLS."""
    return getattr(error.__cause__, "reason", None) in _NO_TLS


def broken(error: trio.BrokenResourceError, dials: bool) -> NotGreeted:
    """What it means that a connection broke during the greeting."""
    cause = error.__cause__
    if not isinstance(cause, ssl.SSLError) or isinstance(cause, ssl.SSLEOFError):
        return NotGreeted("it closed the connection", final=False, quiet=True)
    if is_plain(error):
        remedy = "leave --tls-ca out here, or give it a certificate there" if dials else ""
        return NotGreeted(f"it does not speak TLS, this process does{remedy and ': '}{remedy}")
    if cause.reason == _UNTRUSTED:
        why = getattr(cause, "verify_message", "") or cause
        return NotGreeted(
            f"its certificate is not trusted ({why}): --tls-ca is to name who signed it, and the "
            "certificate is to name its host"
        )
    reason = (cause.reason or str(cause)).lower().replace("_", " ")
    return NotGreeted(f"TLS failed ({reason})")
