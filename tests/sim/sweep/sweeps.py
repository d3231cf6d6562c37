"""Sweeps in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import TOP


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """A real sweep."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "sim.sweep", *map(str, arguments)]
    return subprocess.run(command, **options, cwd=TOP, text=True, timeout=60, check=False)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
