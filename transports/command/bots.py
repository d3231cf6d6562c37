"""Bots of a host: what starts them, and what each of their processes is told."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio

from plugins.launching import HERE, PYTHON, Bots, launcher
from transports.command.wanted import CORES, BotsOptions, SecurityOptions
from transports.net.figures import TOKEN_VARIABLE
from transports.process.station import Station
from transports.work import jobs

BOT_PATIENCE_SECONDS = 30.0
AWAITED_SECONDS = 30.0  # until a fleet begins without those that are late


def started(
    wanted: BotsOptions,
    station: Station,
    security: SecurityOptions,
    heartbeat: float,
    more: Sequence[str],
) -> AbstractAsyncContextManager[Bots]:
    """Bots that join the root at `station`, for as long as the context lasts.

    `more`: what else they are told. Raises BotsError.
    """

    def command(number: int, processes: int) -> list[str]:
        nodes = share(wanted.nodes, number, processes)
        words = [PYTHON, "-m", "transports.tcp", "join", station.me.name]
        words += ["--nodes", str(nodes), "--cores", str(max(1, CORES // processes))]
        words += ["--heartbeat", str(heartbeat)]
        words += ["--patience", str(BOT_PATIENCE_SECONDS), "--while-stdin"]
        for option, path in (("--tls-cert", security.tls_cert), ("--tls-key", security.tls_key)):
            words += [option, os.path.abspath(path)] if path else []
        words += ["--tls-ca", os.path.abspath(security.tls_ca)] if security.tls_ca else []
        return [*words, *more, "--listen", f"{HERE}:0"]

    token = station.connections.security.token
    environment = {TOKEN_VARIABLE: token.decode()} if token else {}
    bots = launcher(wanted.module)
    return bots(wanted.where, wanted.processes or 0, command, environment)


class Awaited:
    """Bots that were started a moment ago: a job is cut for those who are there when it begins."""

    def __init__(self, nodes: int, launched: Bots) -> None:
        self._nodes = nodes
        self._launched = launched
        self._until = trio.current_time() + AWAITED_SECONDS

    def seconds(self, nodes: int) -> float:
        """For how long they may be waited for yet, where so many nodes are there; 0.0: not any
        more, as all have been there, one has ended, or too long ago."""
        left = self._until - trio.current_time()
        if nodes >= self._nodes or self._launched.running < self._launched.processes or left <= 0:
            self._until = -math.inf
        return max(0.0, self._until - trio.current_time())


def share(nodes: int, number: int, processes: int) -> int:
    """How many of the nodes the `number`-th process has."""
    return nodes * (number + 1) // processes - nodes * number // processes


def computing(allow: Sequence[str], any_job: bool, trust: Path | None) -> list[str]:
    """What they are told to compute, with whose code."""
    words = ["--any-job"] if any_job else []
    for name in allow:
        words += ["--allow", allowed(name)]
    return [*words, "--trust", os.path.abspath(trust)] if trust else words


def allowed(name: str) -> str:
    """What a process of ours is told to allow, for a job or a part of one that the user named."""
    place = jobs.place(name)
    return os.path.abspath(place) if place.endswith(".py") else place
