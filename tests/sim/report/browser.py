"""A headless browser that opens a page of ours, and what it finds there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory
from typing import Any

import pytest

SECONDS_MAX = 30.0  # of a slow machine
VIRTUAL_MILLISECONDS = 10_000
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
    "--hide-scrollbars", "--window-size=1300,1000",
)  # fmt: skip
FOUND = re.compile(r'<script id="found" type="application/json">(.*?)</script>', re.DOTALL)
LISTEN = """
<script>
window.complaints = [];
for (const kind of ["error", "warn"]) {
  console[kind] = (...what) => window.complaints.push(kind + ": " + what.map(String).join(" "));
}
window.addEventListener("error", (event) => window.complaints.push("raised: " + event.message));
window.addEventListener("unhandledrejection", (event) =>
  window.complaints.push("rejected: " + event.reason));
</script>
"""
PROBE = """
<script>
(async () => {
  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const told = {};
  try {
    for (let i = 0; i < 400 && document.body.dataset.drawn !== "all"; i++) await wait(50);
    await (async (told, wait) => { SCRIPT })(told, wait);
  } catch (error) { told.error = String(error); }
  told.drawn = document.body.dataset.drawn;
  told.complaints = window.complaints;
  told.requested = performance.getEntriesByType("resource").map((entry) => entry.name);
  const element = document.createElement("script");
  element.id = "found";
  element.type = "application/json";
  element.textContent = JSON.stringify(told).replaceAll("<", "\\\\u003c");
  document.body.append(element);
})();
</script>
"""


def browser() -> str:
    """Where it is. Skips the test where there is none, but fails it where CI must have one."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("CI"):
        pytest.fail("there is no chromium: install it, or CI does not see whether pages are drawn")
    return found or pytest.skip("there is no chromium to draw pages with")


def probed(page: Path, folder: Path, script: str = "") -> dict[str, Any]:
    """What `script` tells about a copy of the page when it is drawn, in JavaScript's `told`.

    Beside that: `drawn`, `complaints` of the console and of errors, and what was `requested`.
    """
    text = page.read_text(encoding="utf-8")
    copy = folder / f"probed-{page.name}"
    text = text.replace("<head>", f"<head>{LISTEN}", 1)
    before, _, after = text.rpartition("</body>")
    copy.write_text(f"{before}{PROBE.replace('SCRIPT', script)}</body>{after}", encoding="utf-8")
    out, err = _run(copy, folder, "--dump-dom")
    found = FOUND.search(out)
    assert found is not None, out[-2000:] + err[-2000:]
    told: dict[str, Any] = json.loads(found[1])
    told["said"] = [line for line in err.splitlines() if "CONSOLE" in line]
    return told


def screenshot(page: Path, folder: Path, to: Path, size: str = "1300,5200") -> None:
    """A picture of the page."""
    _run(page, folder, f"--screenshot={to}", f"--window-size={size}")


def _run(page: Path, folder: Path, *more: str) -> tuple[str, str]:
    """What it says, and what it complains of; in a profile of its own."""
    command = [browser(), *FLAGS, f"--virtual-time-budget={VIRTUAL_MILLISECONDS}", *more]
    with TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as profile:
        command += [f"--user-data-dir={profile}", page.as_uri()]
        with subprocess.Popen(
            command, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True
        ) as run:
            try:
                out, err = run.communicate(timeout=SECONDS_MAX)
            except subprocess.TimeoutExpired:
                pytest.fail(f"the browser has not ended after {SECONDS_MAX:g} s: {page}")
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)  # it has processes of its own
    assert run.returncode == 0, err[-2000:]
    return out, err
