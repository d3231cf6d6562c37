"""A fleet of one's own: a root with bots on this machine, as one process that ends with this one.

Rules it keeps:
- Nobody else can submit to it, or join it: it listens to this machine only, and its token is drawn
  for it and known to it and to this process alone.
- It computes any job that is installed here, as who submits and who computes are the same user. It
  finds modules where this process finds them.
- Ctrl-C is for this process. That one ends when its standard input does, however this one ended;
  a process that was forked from this one does not keep it open.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path

from transports.net.figures import TOKEN_VARIABLE

TOP = Path(__file__).parents[2]
STOP_SECONDS = 10.0  # for it to end by itself
ANY_PORT = "127.0.0.1:0"


class NotStarted(Exception):
    """It could not be started. The message is one line."""


class Own:
    """Its root. `address` is where it listens. Raises NotStarted."""

    def __init__(self, nodes: int, processes: int | None) -> None:
        self.token = secrets.token_hex().encode()
        try:
            self._root = subprocess.Popen(
                _command(nodes, processes),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **_path(), TOKEN_VARIABLE: self.token.decode()},
                start_new_session=True,
            )
        except OSError as error:
            raise NotStarted(f"the fleet cannot be started: {error.strerror or error}") from error
        _ALL.add(self)
        try:
            self.address = self._where()
        except BaseException:
            self._root.kill()
            self.close()
            raise

    def _where(self) -> str:
        """It says so when it listens."""
        assert self._root.stdout is not None
        with self._root.stdout as said:
            line = said.readline()
        try:
            return str(json.loads(line)["address"])
        except (ValueError, KeyError, TypeError):
            code = self._root.wait()
            raise NotStarted(
                f"the fleet could not be started, exit code {code}: standard error says why"
            ) from None

    def part(self) -> None:
        """In a process that was forked: this is none of its own."""
        assert self._root.stdin is not None
        with suppress(OSError):
            self._root.stdin.close()

    def close(self) -> None:
        """It is not needed any more; wait until it has ended."""
        assert self._root.stdin is not None
        with suppress(OSError):
            self._root.stdin.close()
        try:
            self._root.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._root.kill()  # its bots end with it
            self._root.wait()


_ALL: weakref.WeakSet[Own] = weakref.WeakSet()


def _part_with_all() -> None:
    for own in list(_ALL):
        own.part()


os.register_at_fork(after_in_child=_part_with_all)


def _command(nodes: int, processes: int | None) -> list[str]:
    words = [sys.executable, "-m", "transports.tcp", "serve", "--bots", "plugins.bots_local"]
    words += ["--nodes", str(nodes), "--listen", ANY_PORT, "--json", "--while-stdin", "--any-job"]
    return words if processes is None else [*words, "--processes", str(processes)]


def _path() -> dict[str, str]:
    """Where modules are found there: not first in the folder where this program was started, which
    may have something that is called like one of ours."""
    places = [str(TOP), *(os.path.abspath(place) for place in sys.path)]
    path = os.pathsep.join(place for place in places if os.pathsep not in place)
    return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
