"""Other processes, in which Python's hashes are others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[1]


def printed(code: str, *hash_seeds: str) -> set[str]:
    """What `code` prints, in a process for each of `hash_seeds`."""
    return {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=TOP,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in hash_seeds
    }
