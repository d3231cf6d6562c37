"""What only the submitter's process knows, by which others know it, and each other, again.

The key of the end is shown by whoever says that all is over; `Begin` has told its digest to all.
That of the root session is never sent: the seals of its replicas are made from it, and the keys of
the sessions below.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import blake2b

import attrs

from transports.net.wire import DIGEST_BYTES

KEY_BYTES = 16


@attrs.frozen
class Keys:
    """Those of one computation; without any, of a process that joins it."""

    end: bytes = attrs.field(default=b"", repr=False)
    root: bytes = attrs.field(default=b"", repr=False)

    @classmethod
    def drawn(cls) -> Keys:
        """New ones, which nobody can guess."""
        return cls(secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES))


NO_KEYS = Keys()


def digest_of(key: bytes) -> bytes:
    """By which that key is known when it is shown."""
    return blake2b(key, digest_size=DIGEST_BYTES).digest()


def shows(key: bytes, digest: bytes) -> bool:
    """Whether it is the key of that digest."""
    return hmac.compare_digest(digest_of(key), digest)
