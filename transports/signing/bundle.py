"""The modules of a job on their way: a job's file and what it imports from its own folder.

A bundle is a zip file of sources, the same for the same sources. Rules it keeps:
- Only modules travel: no file whose name begins with a dot, none in which there is a private key,
  nothing that is large.
- What comes is taken for what anybody could have made: names that lead out of the folder, links,
  names of our own modules and contents that are too large, or not those of the document, are
  refused, each by its name.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from plugins.jobs.loading import OURS, is_path, sources_beside
from transports.net.figures import BUNDLE_BYTES_MAX
from transports.signing.files import SigningError

SOURCE_BYTES_MAX = 2**22  # of all modules together
FILES_MAX = 400
PRIVATE = b"PRIVATE KEY-----"

_PART = re.compile(r"[\w\- ][\w\-. ]*")
_TIME = (1980, 1, 1, 0, 0, 0)
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, RuntimeError, ValueError, OSError),
)


# -- what is sent --------------------------------------------------------------------------


def collected(files: Iterable[str]) -> dict[str, bytes]:
    """The sources of the job in these files, which are in one folder, by name in it.

    Raises SigningError where they are not to travel, or cannot be read.
    """
    paths = sorted({os.path.realpath(file) for file in files})
    folders = {os.path.dirname(path) for path in paths}
    if len(folders) > 1:
        raise SigningError(f"{' and '.join(paths)} are to travel together: put them in one folder")
    found: dict[str, bytes] = {}
    try:
        for path in paths:
            found[os.path.basename(path)] = Path(path).read_bytes()
            found |= sources_beside(path)
    except OSError as error:
        raise SigningError(f"{error.filename!r} cannot be read: {error.strerror}") from error
    for name, source in found.items():
        if why := _unfit(name, source):
            raise SigningError(f"{name!r:.200} is not to be sent: {why}")
    return dict(sorted(found.items()))


def _unfit(name: str, source: bytes) -> str:
    if any(part.startswith(".") for part in name.split("/")):
        return "its name begins with a dot"
    if PRIVATE in source:
        return "there is a private key in it: keep that in a file of its own"
    if not _is_name(name):
        return "rename it: letters, digits, '_', '-' and spaces, and '.py' at the end"
    return ""


def packed(sources: Mapping[str, bytes]) -> bytes:
    """Raises SigningError for what is too large."""
    size = sum(map(len, sources.values()))
    if size > SOURCE_BYTES_MAX or len(sources) > FILES_MAX:
        raise SigningError(
            f"{len(sources)} files with {size:,} bytes are to be sent, {FILES_MAX} with "
            f"{SOURCE_BYTES_MAX:,} at most can be: have them installed where the nodes are"
        )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, source in sorted(sources.items()):
            file.writestr(zipfile.ZipInfo(name, _TIME), source, zipfile.ZIP_DEFLATED)
    data = made.getvalue()
    if len(data) > BUNDLE_BYTES_MAX:
        raise SigningError(
            f"the modules have {len(data):,} bytes when they are packed, {BUNDLE_BYTES_MAX:,} at "
            "most can be sent: have them installed where the nodes are"
        )
    return data


def hashes(sources: Mapping[str, bytes]) -> dict[str, str]:
    """As they stand in a document."""
    return {name: hashlib.sha256(source).hexdigest() for name, source in sources.items()}


def files_of(named: Iterable[str]) -> list[str]:
    """Of jobs and parts of them, without names of functions, those that are files."""
    return [name for name in named if is_path(name)]


# -- what has come -------------------------------------------------------------------------


def unpack(data: bytes, modules: Mapping[str, str], folder: Path) -> None:
    """Write the modules into a folder, if they are those, and nothing else is there.

    Raises SigningError, in a line; OSError where they cannot be written.
    """
    for name, source in _checked(data, modules).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(source)


def _checked(data: bytes, modules: Mapping[str, str]) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            found = _sources(file)
    except SigningError:
        raise
    except _BROKEN as error:
        raise SigningError(f"the modules of the job cannot be unpacked: {error}") from error
    got = hashes(found)
    for name in sorted(got.keys() | modules.keys()):
        if got.get(name) != modules.get(name):
            raise SigningError(f"{name!r:.200} is not among the modules that were signed as it is")
    return found


def _sources(file: zipfile.ZipFile) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    left = SOURCE_BYTES_MAX
    for info in file.infolist():
        name = info.filename
        kind = stat.S_IFMT(info.external_attr >> 16)
        plain = kind in (0, stat.S_IFREG) and info.compress_type in _PACKINGS
        if not (plain and _is_name(name)):
            raise SigningError(f"{name!r:.200} is no name of a module that may be unpacked")
        if name in found or len(found) >= FILES_MAX:
            raise SigningError(f"{name!r:.200} is one too many of the modules of the job")
        with file.open(info) as source:
            found[name] = source.read(left + 1)  # whatever it is said to have
        left -= len(found[name])
        if left < 0:
            raise SigningError(f"the modules of the job have more than {SOURCE_BYTES_MAX:,} bytes")
    return found


def _is_name(name: str) -> bool:
    """Whether it is that of a module below the folder, and none of ours."""
    parts = name.split("/")
    plain = name.endswith(".py") and all(map(_PART.fullmatch, parts))
    return plain and parts[0].removesuffix(".py") not in OURS
