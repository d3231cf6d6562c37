"""Security: tokens, certificates, and where nobody may listen without them."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import pytest
import trustme

from transports.net.security import Security, SecurityError, check_listen

TOKEN = "0123456789abcdef"


def token_file(folder: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def refusal(**options: object) -> str:
    """The one line by which reading these options is refused."""
    with pytest.raises(SecurityError) as error:
        Security.read(environment={}, **options)  # type: ignore[arg-type]  # named as there
    assert "\n" not in str(error.value)
    return str(error.value)


# -- the token -----------------------------------------------------------------------------


def test_a_token_is_read_without_the_space_around_it(tmp_path: Path) -> None:
    path = token_file(tmp_path, f" {TOKEN}\n")
    assert Security.read(path, environment={}).token == TOKEN.encode()


def test_the_file_goes_before_the_environment(tmp_path: Path) -> None:
    environment = {"MILLION_NODES_TOKEN": "from the environment"}
    assert Security.read(environment=environment).token == b"from the environment"
    path = token_file(tmp_path, TOKEN)
    assert Security.read(path, environment=environment).token == TOKEN.encode()


@pytest.mark.parametrize("environment", [{}, {"MILLION_NODES_TOKEN": ""}], ids=str)
def test_there_may_be_none(environment: dict[str, str]) -> None:
    assert Security.read(environment=environment) == Security()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("short", "5 bytes are too few, 16 is the least: make a token by python -c"),
        (" " * 30, "0 bytes are too few"),
        ("x" * 5000, "not one line of text"),
        ("two lines\nof some length", "not one line of text"),
        (b"\xff" * 20, "not one line of text"),
        (b"\0" * 20, "not one line of text"),
    ],
    ids=range(6),
)
def test_what_is_no_token(tmp_path: Path, content: str | bytes, complaint: str) -> None:
    assert complaint in refusal(token_file=token_file(tmp_path, content))


def test_a_short_one_in_the_environment_is_refused_too() -> None:
    with pytest.raises(SecurityError, match="MILLION_NODES_TOKEN: 5 bytes are too few"):
        Security.read(environment={"MILLION_NODES_TOKEN": "short"})


def test_a_token_file_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in refusal(token_file=tmp_path / "token")


@pytest.mark.parametrize(("mode", "lines"), [(0o604, 1), (0o600, 0), (0o640, 0)])
def test_a_token_file_that_all_can_read_is_warned_of(
    tmp_path: Path, mode: int, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "million_nodes.tcp")
    Security.read(token_file(tmp_path, TOKEN, mode), environment={})
    assert len(caplog.messages) == lines
    assert all("chmod 600" in message for message in caplog.messages)


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(Security(TOKEN.encode()))


# -- listening -----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_on_this_machine_nothing_is_needed(host: str) -> None:
    check_listen(host, Security())


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.0.2.1", "example.org", "127.0.0.1.nip.io"]
)
def test_beyond_it_a_token_is(host: str) -> None:
    with pytest.raises(ValueError, match=r"needs a token.*--token-file FILE") as error:
        check_listen(host, Security())
    assert "\n" not in str(error.value)
    check_listen(host, Security(TOKEN.encode()))


def test_who_dials_by_tls_listens_by_tls() -> None:
    client = ssl.create_default_context()
    with pytest.raises(SecurityError, match="--tls-cert and --tls-key"):
        check_listen("127.0.0.1", Security(client=client))
    check_listen("127.0.0.1", Security(client=client, server=client))


# -- TLS -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, ca = tmp_path_factory.mktemp("pems"), trustme.CA()
    one, other = ca.issue_cert("localhost"), ca.issue_cert("localhost")
    pems = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key", "other", "text")}
    ca.cert_pem.write_to_path(pems["ca"])
    one.cert_chain_pems[0].write_to_path(pems["cert"])
    one.private_key_pem.write_to_path(pems["key"])
    other.private_key_pem.write_to_path(pems["other"])
    pems["text"].write_text("this is no certificate")
    return pems


def test_both_contexts(pems: dict[str, Path]) -> None:
    both = Security.read(None, pems["cert"], pems["key"], pems["ca"], environment={})
    assert both.server is not None
    assert both.client is not None
    assert both.client.check_hostname
    assert both.client.verify_mode == ssl.CERT_REQUIRED
    assert {both.server.minimum_version, both.client.minimum_version} == {ssl.TLSVersion.TLSv1_3}


def test_who_does_not_listen_needs_no_certificate(pems: dict[str, Path]) -> None:
    joins = Security.read(tls_ca=pems["ca"], environment={})
    assert joins.client is not None
    assert joins.server is None


def test_who_has_a_certificate_never_dials_without_tls(pems: dict[str, Path]) -> None:
    assert Security.read(tls_cert=pems["cert"], tls_key=pems["key"], environment={}).client


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ({"tls_cert": "cert"}, "give both --tls-cert and --tls-key"),
        ({"tls_key": "key"}, "give both --tls-cert and --tls-key"),
        ({"tls_cert": "cert", "tls_key": "other"}, "KEY_VALUES_MISMATCH"),
        ({"tls_cert": "text", "tls_key": "key"}, "cannot be used"),
        ({"tls_ca": "text"}, "cannot be used"),
        ({"tls_ca": "none"}, "No such file"),
    ],
    ids=str,
)
def test_files_that_do_not_do(pems: dict[str, Path], names: dict[str, str], complaint: str) -> None:
    paths = {option: pems.get(name, Path(name)) for option, name in names.items()}
    assert complaint in refusal(**paths)
