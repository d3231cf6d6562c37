"""The folder that a process has for its blobs: its own for as long as it lives.

Rules it keeps:
- A folder belongs to one process, which holds a lock on it, and to its computing processes, which
  read and write in it.
- A temporary folder goes with its process. After kill -9 it stays, with its blobs; the next process
  that makes one here removes those that nobody has locked.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import weakref
from pathlib import Path

from transports.values.files import BlobError

TEMPORARY = "million-nodes-"


class OwnFolder:
    """`folder`, made where it is missing, or a temporary one. Raises BlobError."""

    def __init__(self, folder: Path | None) -> None:
        try:
            self.path = _temporary() if folder is None else folder
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _locked(self.path, folder is None)
        except OSError as error:
            place = folder or tempfile.gettempdir()
            raise BlobError(f"no folder for blobs at {place}: {_why(error)}") from error
        if folder is not None:  # nobody writes them any more
            for draft in folder.glob("*.part"):
                draft.unlink(missing_ok=True)
        self._close = weakref.finalize(self, _leave, self.path, lock, folder is None, os.getpid())

    def close(self) -> None:
        """It is not used any more. A temporary one goes, with all that is in it."""
        self._close()


def values_folder(store: Path) -> Path:
    """Where the large values of a store are, beside it."""
    return store.with_name(f"{store.name}.blobs")


def _temporary() -> Path:
    _sweep(Path(tempfile.gettempdir()))
    return Path(tempfile.mkdtemp(prefix=TEMPORARY))


def _locked(folder: Path, temporary: bool) -> int:
    """Lock `folder` for this process. A temporary one has no lock file before it is locked."""
    path = folder / "lock"
    fd = os.open(folder / "lock.new" if temporary else path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if temporary:
            os.rename(folder / "lock.new", path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _leave(folder: Path, lock: int, temporary: bool, pid: int) -> None:
    if os.getpid() != pid:
        return  # a fork of the process that it belongs to
    if temporary:
        shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove the temporary folders of processes of this user that are no more."""
    for folder in parent.glob(TEMPORARY + "*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            fd = os.open(folder / "lock", os.O_RDWR)
        except OSError:
            continue  # just made, or just removed
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # its process lives
        finally:
            os.close(fd)


def _why(error: OSError) -> str:
    if error.errno in (errno.EWOULDBLOCK, errno.EACCES) and error.filename is None:
        return "another process has it open"
    return error.strerror or str(error)
