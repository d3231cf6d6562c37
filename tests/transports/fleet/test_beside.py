"""A program whose folder has names of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[3]
PROGRAM = f"""
import sys
sys.path.append({str(TOP)!r})
from transports import Fleet

with Fleet(nodes=1) as fleet:
    print(fleet.run("plugins.primes", 100))
"""


def test_what_is_called_like_ours_in_the_folder_of_a_program_is_not_taken_for_it(
    tmp_path: Path,
) -> None:
    for name in ("transports", "core", "sim"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('not ours')\n")
    line = [sys.executable, "-P", "-c", PROGRAM]
    ran = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("25\n", 0), ran.stderr
