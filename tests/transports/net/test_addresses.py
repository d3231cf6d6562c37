"""Addresses as people write them: one spelling each, and what is none."""

from __future__ import annotations

import pytest

from transports.net import addresses
from transports.net.addresses import Address


@pytest.mark.parametrize(
    ("text", "host", "shown"),
    [
        ("127.0.0.1:80", "127.0.0.1", "127.0.0.1:80"),
        ("[::1]:80", "::1", "[::1]:80"),
        ("[0:0:0:0:0:0:0:1]:80", "::1", "[::1]:80"),
        ("[2001:DB8::A]:80", "2001:db8::a", "[2001:db8::a]:80"),
        ("Host-1.Example.ORG:80", "host-1.example.org", "host-1.example.org:80"),
        ("a_b:80", "a_b", "a_b:80"),
    ],
)
def test_an_address_has_one_spelling(text: str, host: str, shown: str) -> None:
    address = addresses.parse(text)
    assert address == Address(host, 80)
    assert str(address) == shown
    assert addresses.parse(shown) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h",
        "80",
        ":80",
        "h:",
        "h:x",
        "h:-1",
        "h:65536",
        "h:１",  # noqa: RUF001  a digit, if not one of ours
        "h:0000080",
        "::1:80",
        "[::1]",
        "[::1:80",
        "[h]:80",
        "[127.0.0.1]:80",
        "[fe80::1%eth0]:80",
        "1.2.3:80",
        "1.2.3.256:80",
        "a b:80",
        "-a:80",
        "a..b:80/x",
        "http://h:80",
        "ä:80",
        "a" * 254 + ":80",
    ],
)
def test_what_is_no_address_is_named_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"give|write|as in") as error:
        addresses.parse(text)
    assert repr(text)[:50] in str(error.value)
    assert "\n" not in str(error.value)


def test_wildcards_and_loopback() -> None:
    for text in ("0.0.0.0:1", "[::]:1"):
        assert addresses.parse(text).is_wildcard
        assert not addresses.parse(text).is_loopback
    for text in ("127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"):
        assert addresses.parse(text).is_loopback
        assert not addresses.parse(text).is_wildcard
    for text in ("10.0.0.1:1", "example.org:1", "localhost.example.org:1", "[fe80::1]:1"):
        assert not addresses.parse(text).is_loopback
        assert not addresses.parse(text).is_wildcard
