"""The modules of a job: which are sent, and what of all that may come is unpacked."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.net.figures import BUNDLE_BYTES_MAX
from transports.signing import bundle
from transports.signing.bundle import collected, hashes, packed, unpack
from transports.signing.files import SigningError


def written(folder: Path, **sources: str) -> Path:
    """Modules, by name with '__' for '/'; returns the path of the first."""
    paths = [folder / f"{name.replace('__', '/')}.py" for name in sources]
    for path, source in zip(paths, sources.values(), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    return paths[0]


# -- what is sent --------------------------------------------------------------------------


def test_what_a_job_imports_from_its_folder_travels_and_nothing_else(tmp_path: Path) -> None:
    job = written(
        tmp_path,
        my="import helper, os\nfrom pkg import deep\nimport numpy\n",
        helper="import json, deeper",
        deeper="",
        other="",
        pkg__deep="1",
        pkg__beside="2",
    )
    (tmp_path / "pkg" / "__init__.py").touch()
    (tmp_path / "pkg" / ".hidden.py").touch()
    (tmp_path / "data.csv").touch()
    found = collected([str(job)])
    names = ["deeper", "helper", "my", "pkg/__init__", "pkg/beside", "pkg/deep"]
    assert list(found) == [f"{name}.py" for name in names]
    assert collected([str(job), str(tmp_path / "other.py")]).keys() - found.keys() == {"other.py"}
    again = tmp_path / "again"
    again.mkdir()
    unpack(packed(found), hashes(found), again)
    assert {name: (again / name).read_bytes() for name in found} == found
    assert packed(found) == packed(dict(reversed(found.items())))


def test_what_is_not_to_be_sent_is_named(tmp_path: Path) -> None:
    secret = "-----BEGIN OPENSSH PRIVATE KEY-----"
    job = written(tmp_path, my="import mine", mine=f"KEY = '''{secret}'''")
    for path, said in (
        (job, "'mine.py' is not to be sent: there is a private key in it"),
        (written(tmp_path, **{".my": ""}), "'.my.py' is not to be sent: its name begins with"),
        (written(tmp_path, core="1"), "'core.py' is not to be sent: rename it"),
        (tmp_path / "nothing.py", "nothing.py' cannot be read"),
    ):
        with pytest.raises(SigningError, match=said):
            collected([str(path)])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(SigningError, match="put them in one folder"):
        collected([str(job), str(written(elsewhere, other=""))])


def test_what_is_too_large_is_not_sent() -> None:
    noise = b"".join(sha256(i.to_bytes(4)).digest() for i in range(2**14))
    for sources in (
        {"a.py": bytes(bundle.SOURCE_BYTES_MAX + 1)},
        {f"a{i}.py": b"" for i in range(bundle.FILES_MAX + 1)},
        {"a.py": noise},
    ):
        with pytest.raises(SigningError, match="installed where the nodes are"):
            packed(sources)


# -- what has come -------------------------------------------------------------------------


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two of one name
        for name, data in entries:
            file.writestr(name, data)
    return made.getvalue()


def link(name: str, to: bytes) -> bytes:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped((info, to))


@pytest.mark.parametrize(
    "name",
    [
        "../a.py",
        "a/../../b.py",
        "/tmp/a.py",
        "//a.py",
        "a//b.py",
        "./a.py",
        ".a.py",
        "a/.b.py",
        "a\\b.py",
        "c:a.py",
        "a.py/",
        "a.so",
        "a.pth",
        "core.py",
        "core/a.py",
        "plugins/a.py",
        "transports/__init__.py",
        "sim.py",
        "a\n.py",
        "",
    ],
)
def test_a_name_that_is_none_of_a_module_below_is_refused(tmp_path: Path, name: str) -> None:
    data = zipped((zipfile.ZipInfo(name), b"1"))
    with pytest.raises(SigningError):
        unpack(data, hashes({name: b"1"}), tmp_path / "in")
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    "data",
    [
        link("a.py", b"/etc/passwd"),
        zipped(("a.py", b"1"), ("a.py", b"1")),
        zipped(("a.py", bytes(bundle.SOURCE_BYTES_MAX + 1))),
        zipped(("a.py", b"2")),
        zipped(("a.py", b"1"), ("b.py", b"")),
        zipped(),
        b"",
        zipped(("a.py", b"1"))[:-5],
    ],
)
def test_what_is_not_just_what_was_signed_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SigningError):
        unpack(data, hashes({"a.py": b"1"}), tmp_path / "in")
    assert not list(tmp_path.rglob("*"))


def test_what_grows_beyond_all_bounds_is_not_read_to_its_end(tmp_path: Path) -> None:
    bomb = zipped(*((f"a{i}.py", bytes(2**24)) for i in range(3)))
    assert len(bomb) < BUNDLE_BYTES_MAX
    with pytest.raises(SigningError, match="have more than"):
        unpack(bomb, {}, tmp_path)


def test_a_size_that_is_a_lie_helps_nobody(tmp_path: Path) -> None:
    data = bytearray(zipped(("a.py", bytes(2**23))))
    size = (2**23).to_bytes(4, "little")
    while size in data:
        at = data.index(size)
        data[at : at + 4] = (1).to_bytes(4, "little")
    with pytest.raises(SigningError):
        unpack(bytes(data), hashes({"a.py": bytes(2**23)}), tmp_path)
    assert not list(tmp_path.rglob("*"))


WHOLE = zipped(("a.py", b"1 + 1"), ("b/c.py", b"2"))


@settings(max_examples=300)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_whatever_comes_is_unpacked_as_it_was_signed_or_refused(at: int, byte: int) -> None:
    data = WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    signed = {"a.py": b"1 + 1", "b/c.py": b"2"}
    with suppress(SigningError):
        assert bundle._checked(data, hashes(signed)) == signed
