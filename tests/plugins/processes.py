"""What the tests of launchers need: commands of stand-ins, and waiting for them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from plugins.launching import HERE, PYTHON, Command
from tests import TOP

STANDIN = Path(__file__).with_name("standin.py")
SECONDS_MAX = 60.0


def command(folder: Path, word: str = "") -> Command:
    return lambda i, n: [PYTHON, str(STANDIN), str(folder), str(i), word, f"{i} of {n}", HERE]


async def until(true: Callable[[], bool]) -> None:
    """Other processes tell nobody when something is so."""
    with trio.fail_after(SECONDS_MAX):
        while not true():  # noqa: ASYNC110
            await trio.sleep(0.02)


async def standing(folder: Path, number: int) -> list[dict[str, Any]]:
    """What so many stand-ins say of themselves, when all are there."""
    paths = [folder / str(i) for i in range(number)]
    await until(lambda: all(path.exists() for path in paths))
    return [json.loads(path.read_text()) for path in paths]


def ended_kindly(folder: Path, number: int) -> bool:
    return all((folder / f"{i}.end").exists() for i in range(number))


HOLDER = """
import sys
from pathlib import Path
import trio
from plugins.launching import launcher
from tests.plugins.processes import command

async def hold(name, where, folder):
    async with launcher(name)(where, 2, command(Path(folder)), {}):
        await trio.sleep_forever()

trio.run(hold, *sys.argv[1:])
"""


def holder(name: str, where: str, folder: Path) -> subprocess.Popen[bytes]:
    """A process that has two bots until it is killed."""
    words = [sys.executable, "-c", HOLDER, name, where, str(folder)]
    return subprocess.Popen(words, cwd=TOP)
