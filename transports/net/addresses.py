"""Addresses of processes, as people write them: HOST:PORT."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

import attrs

PORT_MAX = 2**16 - 1
NAME_LENGTH_MAX = 253
LABEL_LENGTH_MAX = 63  # of what stands between two dots
EXAMPLE = "127.0.0.1:7411"

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?")


@attrs.frozen
class Address:
    """A name, an IPv4 or an IPv6 address, the last without its brackets; and a port.

    Port 0 is for listening: any that is free.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of a machine, and so for none that others know."""
        ip = _ip(self.host)
        return ip is not None and ip.is_unspecified

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        ip = _ip(self.host)
        return ip.is_loopback if ip else self.host == "localhost"


def parse(text: str, port_min: int = 0) -> Address:
    """The address. Raises ValueError with one line that names the text and what would be right."""
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(f"{text!r:.60} has no port, give HOST:PORT, such as {EXAMPLE}")
    bracketed = host.startswith("[") and host.endswith("]")
    if ":" in host and not bracketed:
        raise ValueError(f"{text!r:.60} needs brackets, write an IPv6 address as in [::1]:7411")
    good = port.isascii() and port.isdigit() and len(port) <= 5
    if not good or not port_min <= int(port) <= PORT_MAX:
        raise ValueError(f"{text!r:.60} has no good port, give one from {port_min} to {PORT_MAX}")
    return Address(_host(host[1:-1] if bracketed else host, bracketed, text), int(port))


def _host(host: str, bracketed: bool, text: str) -> str:
    """In one spelling, as the address of a process is also its name."""
    ip = _ip(host)
    if bracketed:
        if isinstance(ip, IPv6Address) and ip.scope_id is None:
            return str(ip)
        raise ValueError(f"{text!r:.60} has no IPv6 address in its brackets, as in [::1]:7411")
    if ip is not None:
        return str(ip)
    looks_like_ip = re.fullmatch(r"[0-9.]+", host)
    long = len(host) > NAME_LENGTH_MAX or any(len(s) > LABEL_LENGTH_MAX for s in host.split("."))
    if looks_like_ip or long or not _NAME.fullmatch(host) or ".." in host:
        raise ValueError(
            f"{text!r:.60} names no host, give a name, an IPv4 address or an [IPv6] address, "
            f"as in {EXAMPLE}"
        )
    return host.lower()


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
