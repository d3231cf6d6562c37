"""How much memory this process has needed at most, and how much it may have."""

from __future__ import annotations

import os
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


def memory_bytes() -> int:
    """How much it may have: what the machine has, or what limits leave of it, in bytes."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min([machine, *(limit for limit in limits if limit != resource.RLIM_INFINITY)])
