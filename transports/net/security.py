"""Who may take part, and what others may read on the way.

Rules it keeps:
- A token, the same for all, decides who may take part. It is proven in the greeting and never
  travels. Nobody listens beyond this machine without one.
- TLS hides what is said, and shows who dials that it reached the one it meant. It replaces no
  token: whoever dials shows no certificate. Without TLS somebody between two processes who can
  change what passes can also take over a connection that was greeted well.
- What is wrong with a file is said in one line that names the file and what to do.
"""

from __future__ import annotations

import logging
import os
import ssl
import stat
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

import attrs

from transports.logs import event
from transports.net.figures import TOKEN_BYTES_MAX, TOKEN_BYTES_MIN, TOKEN_VARIABLE

MAKE_TOKEN = "python -c 'import secrets; print(secrets.token_hex())' > FILE; chmod 600 FILE"


class SecurityError(ValueError):
    """It would not be safe, or cannot be. The message is one line that says what to do."""


@attrs.frozen
class Security:
    """What a process knows and shows. `server` is for who dials here, `client` for dialling."""

    token: bytes | None = attrs.field(default=None, repr=False)
    server: ssl.SSLContext | None = None
    client: ssl.SSLContext | None = None

    @classmethod
    def read(
        cls,
        token_file: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        tls_ca: Path | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> Security:
        """From files; without a token file, with the token of the environment. Raises
        SecurityError.

        With a certificate, or with certificates of those who sign, this process dials by TLS.
        """
        if (tls_cert is None) != (tls_key is None):
            raise SecurityError("a certificate needs its key: give both --tls-cert and --tls-key")
        return cls(
            _token(token_file, environment),
            _server(tls_cert, tls_key) if tls_cert and tls_key else None,
            _client(tls_ca) if tls_cert or tls_ca else None,
        )


def check_listen(host: str, security: Security) -> None:
    """Raises SecurityError if nobody should listen there without more security."""
    if security.client and not security.server:
        raise SecurityError(
            f"listening on {host}: others will dial it by TLS, which needs a certificate of its "
            "own: give --tls-cert and --tls-key, or do not listen"
        )
    if not security.token and not is_loopback(host):
        raise SecurityError(
            f"listening on {host}: beyond 127.0.0.1 this needs a token that all have, as anybody "
            f"could take part: make one by {MAKE_TOKEN} and give --token-file FILE"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


# -- the token -----------------------------------------------------------------------------


def _token(path: Path | None, environment: Mapping[str, str]) -> bytes | None:
    if path is not None:
        return _checked(_content(path), f"token file {path}")
    text = environment.get(TOKEN_VARIABLE, "")
    return _checked(os.fsencode(text), TOKEN_VARIABLE) if text else None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IROTH:
                remedy = f"chmod 600 {path}"
                event(logging.WARNING, "token", file=path, reason="all can read it", remedy=remedy)
            return file.read(TOKEN_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or error
        raise SecurityError(f"token file {path}: {reason}: make one by {MAKE_TOKEN}") from error


def _checked(content: bytes, where: str) -> bytes:
    token = content.strip()
    if len(token) < TOKEN_BYTES_MIN:
        raise SecurityError(
            f"{where}: {len(token)} bytes are too few, {TOKEN_BYTES_MIN} is the least: make "
            f"a token by {MAKE_TOKEN}"
        )
    try:
        good = len(content) <= TOKEN_BYTES_MAX and token.decode().isprintable()
    except UnicodeDecodeError:
        good = False
    if not good:  # it is handed on to bots in the environment
        raise SecurityError(f"{where} is not one line of text: make a token by {MAKE_TOKEN}")
    return token


# -- TLS -----------------------------------------------------------------------------------


def _server(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(cert, key, password=_refused(key))
    except OSError as error:
        raise _unusable(f"certificate {cert} with key {key}", error) from error
    return context


def _client(ca: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    except OSError as error:
        raise _unusable(f"certificates {ca}", error) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _refused(key: Path) -> Callable[[], str]:
    def ask() -> NoReturn:
        raise SecurityError(f"key {key} is encrypted, nobody is there to ask: give a plain one")

    return ask


def _unusable(what: str, error: OSError) -> SecurityError:
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return SecurityError(f"{what} cannot be used ({reason}): give PEM files that belong together")
