"""The file of keys that are trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from transports.signing.files import SigningError
from transports.signing.keys import text_of
from transports.signing.trusted import Trusted

ANNA, BEN = bytes(range(32)), bytes(range(1, 33))


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o644)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    lines = "# who may", "", f"ed25519 {text_of(ANNA)} Anna of the lab", f" ed25519 {text_of(BEN)}"
    return written(tmp_path / "keys", *lines)


def test_each_line_is_a_key_with_a_name(path: Path) -> None:
    trusted = Trusted(path)
    assert dict(trusted.names) == {ANNA: "Anna of the lab", BEN: text_of(BEN)[:8]}
    assert ANNA in trusted
    assert bytes(32) not in trusted


def test_a_key_that_is_removed_counts_no_more_once_it_is_read_again(path: Path) -> None:
    trusted = Trusted(path)
    written(path, f"ed25519 {text_of(BEN)} Ben")
    assert ANNA in trusted
    trusted.read()
    assert ANNA not in trusted
    assert BEN in trusted


def test_an_empty_file_trusts_nobody(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert not Trusted(written(tmp_path / "keys", "")).names


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ssh-ed25519 AAAA me", "line 2 of .* is no key: 'ssh-ed25519 AAAA me'"),
        ("ed25519", "line 2 of .* is no key"),
        ("ed25519 AAAA me", "line 2 of .* has no key: 'AAAA'"),
        ("ed25519 \N{SNOWMAN} me", "line 2 of .* has no key"),
    ],
)
def test_a_line_that_is_none_is_named_and_all_stays_as_it_was(
    path: Path, line: str, said: str
) -> None:
    trusted = Trusted(path)
    written(path, f"ed25519 {text_of(BEN)} Ben", line)
    with pytest.raises(SigningError, match=said):
        trusted.read()
    assert ANNA in trusted


def test_a_file_that_others_can_change_is_refused(path: Path) -> None:
    path.chmod(0o664)
    with pytest.raises(SigningError, match=f"'{path}' can be written by others: chmod go-w it"):
        Trusted(path)


def test_what_is_no_such_file_is_refused(path: Path) -> None:
    for data, said in ((b"\xff", "no text"), (bytes(2**20 + 1), "too large")):
        path.write_bytes(data)
        with pytest.raises(SigningError, match=said):
            Trusted(path)
    path.unlink()
    with pytest.raises(SigningError, match=r"is not there: .*'key show'"):
        Trusted(path)
