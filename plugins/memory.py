"""How much memory this process has needed at most."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


def peak_rss_bytes() -> int:
    """The most that was resident at any time, in bytes.

    On Linux from /proc: `ru_maxrss` begins there with what the process had needed that started
    this one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        status = ""
    if found := re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M):
        return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
