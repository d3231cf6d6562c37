"""A key, and a document that it has signed, for tests."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from transports.signing.document import Kind, encoded, sha_of
from transports.signing.keys import Key

NOW = 1_800_000_000
FLEET = "f" * 32
BUNDLE = b"what travels"


@cache
def key_of(seed: int) -> Key:
    """The same for the same number."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return Key(private, private.public_key().public_bytes_raw())


def fields(**other: Any) -> dict[str, Any]:
    """Of a document that is valid, but for what is other."""
    said: dict[str, Any] = {
        "fleet": FLEET,
        "signer": key_of(1).public,
        "key": bytes(range(16)),
        "issued": NOW,
        "expires": NOW + 100,
        "kind": Kind.SOURCE,
        "job": "my.py",
        "parts": {"compute": "other.py:f"},
        "modules": {"my.py": 64 * "a", "other.py": 64 * "b"},
        "bundle": sha_of(BUNDLE),
        "input": sha_of(b"input"),
        "python": platform.python_version(),
        "cloudpickle": metadata.version("cloudpickle"),
        "partitions": 10,
        "fanout": None,
        "delay": None,
        "seed": 0,
        "piece_timeout": 2.5,
        "keep_going": False,
    }
    return {**said, **other}


def document(**other: Any) -> bytes:
    return encoded(**fields(**other))
