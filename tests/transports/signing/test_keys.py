"""Keys: made once, read by their owner alone, and told as a line."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.processes import printed
from transports.command.clients_wanted import KeyOptions
from transports.command.keys import run
from transports.signing import keys
from transports.signing.files import SigningError
from transports.signing.keys import Key, default_file, is_signed, make, public_of, text_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "key"


def test_a_key_signs_what_its_public_half_confirms(path: Path) -> None:
    made = make(path)
    key = Key.read(path)
    assert key.public == made.public
    signature = key.sign(b"this")
    assert is_signed(key.public, signature, b"this")
    assert not is_signed(key.public, signature, b"that")
    assert not is_signed(key.public, bytes(64), b"this")
    assert not is_signed(bytes(32), signature, b"this")
    assert "private" not in repr(key)


def test_only_its_owner_can_read_it_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        make(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_file_is_written_over(path: Path) -> None:
    made = make(path)
    with pytest.raises(SigningError, match="is there already"):
        make(path)
    assert Key.read(path).public == made.public
    elsewhere = path.with_name("link")
    elsewhere.symlink_to(path.with_name("nothing"))
    path.with_name("nothing").touch()
    with pytest.raises(SigningError, match="is there already"):
        make(elsewhere)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_one_that_others_can_use_is_refused(path: Path, mode: int) -> None:
    make(path)
    path.chmod(mode)
    with pytest.raises(SigningError, match=f"{path}.*chmod 600"):
        Key.read(path)


@pytest.mark.parametrize("mode", [0o770, 0o703, 0o1777])
def test_one_that_others_could_exchange_is_refused(path: Path, mode: int) -> None:
    make(path)
    path.parent.chmod(mode)
    with pytest.raises(SigningError, match=f"chmod go-w '{path.parent}'"):
        Key.read(path)


def test_the_folder_of_a_link_is_that_of_the_file(path: Path, tmp_path: Path) -> None:
    make(path)
    open_to_all = tmp_path / "all"
    open_to_all.mkdir()
    (open_to_all / "key").symlink_to(path)
    assert Key.read(open_to_all / "key")
    (tmp_path / "also").mkdir()
    inside = tmp_path / "also" / "key"
    make(inside)
    inside.parent.chmod(0o777)
    (tmp_path / "link").symlink_to(inside)
    with pytest.raises(SigningError, match="chmod go-w"):
        Key.read(tmp_path / "link")


def test_what_is_no_key_is_refused_in_a_line(path: Path) -> None:
    with pytest.raises(SigningError, match=rf"is not there: .*'key new {path}'"):
        Key.read(path)
    with pytest.raises(SigningError, match="is no file"):
        Key.read(path.parent)
    for content in (b"", b"\xff", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(SigningError, match="is no key"):
            Key.read(path)


def test_a_key_of_another_kind_is_refused(path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import x25519

    pem = x25519.X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(pem)
    path.chmod(0o600)
    with pytest.raises(SigningError, match="not of Ed25519"):
        Key.read(path)


def test_without_the_library_it_is_said_how_to_get_it() -> None:
    script = "import sys; sys.modules['cryptography'] = None; from transports.signing import keys\n"
    script += "try: keys.require()\nexcept ValueError as error: print(error)"
    assert printed(script, "0") == {f"{keys.MISSING}\n"}


@pytest.mark.parametrize("text", ["", "a", "AAAA", "é", 43 * "A", 43 * "A" + "B", 44 * "A"])
def test_what_is_no_public_half(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  which one is for who calls it
        public_of(text)


def test_a_public_half_has_one_text() -> None:
    assert public_of(text_of(bytes(range(32)))) == bytes(range(32))


def test_by_default_it_is_where_settings_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/settings")
    assert default_file() == Path("/settings/million-nodes/key")
    for unusable in ("", "relative"):
        monkeypatch.setenv("XDG_CONFIG_HOME", unusable)
        monkeypatch.setenv("HOME", "/home/me")
        assert default_file() == Path("/home/me/.config/million-nodes/key")


def test_the_folder_of_the_default_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    assert run(KeyOptions("new", default_file())) == 0
    line = capsys.readouterr().out
    assert run(KeyOptions("show", default_file())) == 0
    assert capsys.readouterr().out == line
    kind, text, name = line.split()
    assert (kind, len(public_of(text))) == ("ed25519", 32)
    assert name
    assert stat.S_IMODE(default_file().parent.stat().st_mode) == 0o700
