"""How a job or a fleet stands, asked by a test itself: it starts no process for each question. And
what commands show on a terminal."""

from __future__ import annotations

import os
import pty
import select
from typing import Any

import trio

from tests.processes import SECONDS_MAX
from transports.command.status import tree
from transports.fleet.client import connected
from transports.net.security import Security


def status(address: str, token: str = "") -> dict[str, Any]:
    """What `status ADDRESS --json` prints. Raises ConnectError."""
    return trio.run(tree, address, _security(token))


def rows(address: str, token: str = "") -> list[dict[str, Any]]:
    """The jobs of a fleet, as `jobs ADDRESS --json` has them. Raises ConnectError."""
    found: list[dict[str, Any]] = trio.run(_fleet, address, _security(token))["jobs"]
    return found


def nodes(address: str, token: str = "") -> int:
    """How many are connected to a fleet. Raises ConnectError."""
    return int(trio.run(_fleet, address, _security(token))["nodes"])


async def _fleet(address: str, security: Security) -> dict[str, Any]:
    async with connected(address, security) as client:
        return await client.status()


def _security(token: str) -> Security:
    return Security(token.encode() or None)


class Terminal:
    """What a program shows on one."""

    def __init__(self) -> None:
        self._ours, self.end = pty.openpty()
        self.shown = ""

    def shows(self, text: str) -> None:
        """Wait until it has."""
        while text not in self.shown:
            (ready, _, _) = select.select([self._ours], [], [], SECONDS_MAX)
            assert ready, f"{text!r} is not shown: {self.shown}"
            self.shown += os.read(self._ours, 2**16).decode()

    def close(self) -> None:
        os.close(self._ours)
        os.close(self.end)
