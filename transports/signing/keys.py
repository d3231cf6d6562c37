"""Keys that sign: Ed25519, by the library cryptography.

A key is a file, PEM as other tools write it, without a passphrase: so it is a secret, and only its
owner can read it. Whoever is to trust it has a line with its public half, which is no secret.
"""

from __future__ import annotations

import base64
import binascii
import getpass
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from transports.signing.files import SigningError, read_private, write_private

if TYPE_CHECKING:  # it takes a while to load, and need not be there
    from cryptography.hazmat.primitives.asymmetric import ed25519

KIND = "ed25519"
PUBLIC_BYTES = 32
WHAT = "the key"
MISSING = "keys need the library cryptography, which is not here: pip install 'million-nodes[keys]'"


def default_file() -> Path:
    """Where the key of this user is, unless another is named."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    base = home if os.path.isabs(home) else os.path.expanduser("~/.config")
    return Path(base, "million-nodes", "key")


@attrs.frozen
class Key:
    """A key that signs. `public` is by what others know it."""

    _private: ed25519.Ed25519PrivateKey = attrs.field(repr=False)
    public: bytes

    @classmethod
    def read(cls, path: Path) -> Key:
        """Raises SigningError."""
        serialization, ed25519 = _library()
        data = read_private(str(path), WHAT, f"make it: 'key new {path}'")
        try:
            private = serialization.load_pem_private_key(data, None)
        except (ValueError, TypeError) as error:
            raise SigningError(
                f"{WHAT} {str(path)!r} is no key without a passphrase: make one by 'key new'"
            ) from error
        if not isinstance(private, ed25519.Ed25519PrivateKey):
            raise SigningError(f"{WHAT} {str(path)!r} is not of Ed25519: make one by 'key new'")
        return cls(private, private.public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        """Its signature."""
        return bytes(self._private.sign(data))


def make(path: Path) -> Key:
    """A new key in a new file; the default one's folder is made, too. Raises SigningError."""
    serialization, ed25519 = _library()
    if path == default_file():
        try:
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SigningError(f"no folder {str(path.parent)!r}: {error.strerror}") from error
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(str(path), pem, WHAT)
    return Key.read(path)


def is_signed(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the owner of that key has signed it. Raises SigningError without the library."""
    from_bytes = _library()[1].Ed25519PublicKey.from_public_bytes
    from cryptography.exceptions import InvalidSignature

    try:
        from_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def require() -> None:
    """Raises SigningError where there is nothing to check signatures with."""
    _library()


# -- as text -------------------------------------------------------------------------------


def text_of(public: bytes) -> str:
    """As it stands in a line."""
    return base64.b64encode(public).decode()


def public_of(text: str) -> bytes:
    """The key of that text. Raises ValueError."""
    try:
        found = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if len(found) != PUBLIC_BYTES or text_of(found) != text:
        raise ValueError(f"not {PUBLIC_BYTES} bytes in base64")
    return found


def line_of(public: bytes) -> str:
    """For the file of whoever is to trust it; the name is for people."""
    try:
        name = f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # of a user without a name
        name = "somebody"
    return f"{KIND} {text_of(public)} {'_'.join(name.split()) or 'somebody'}"


def _library() -> tuple[Any, Any]:
    """Its modules. Raises SigningError."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise SigningError(MISSING) from None
    return serialization, ed25519
