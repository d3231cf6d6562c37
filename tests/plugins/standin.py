"""Stands in for a process with nodes: `python standin.py FOLDER NUMBER [WORD]`.

It writes its process id into FOLDER/NUMBER, and into FOLDER/NUMBER.end how it was ended, once its
standard input ends. WORD: `ends` at once with exit code 3; `stays`, whatever happens to its input.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main(folder: str, number: str, word: str = "") -> int:
    """Returns the exit code."""
    path = Path(folder) / number
    told = {"pid": os.getpid(), "arguments": sys.argv[4:], "secret": os.environ.get("SECRET")}
    written = path.with_suffix(".new")
    written.write_text(json.dumps(told))
    written.rename(path)  # whoever sees it sees all of it
    if word == "ends":
        return 3
    sys.stdin.read()
    while word == "stays":
        time.sleep(60)
    path.with_suffix(".end").write_text("kindly")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
