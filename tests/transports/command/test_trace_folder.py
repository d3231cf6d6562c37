"""The folder of a trace: when it is made, and what is refused."""

from __future__ import annotations

import pytest

from tests.processes import until
from tests.running import PROGRAM, Programs
from tests.transports.command.jobs_for_tests import SLEEPING


@pytest.mark.parametrize("command", [(), ("host",), ("join", "127.0.0.1:1")], ids=str)
def test_what_cannot_be_is_one_line(run: Programs, command: tuple[str, ...]) -> None:
    nowhere, file = run.folder / "none" / "trace", run.folder / "file"
    file.touch()
    for folder, why in (
        (nowhere, f"--trace: {nowhere} cannot be made (No such file or directory)"),
        (file, f"--trace: {file} is there already"),
    ):
        done = run.run(*command, "--trace", folder, code=2)
        assert done.stderr.startswith(f"{PROGRAM}: {why}")
        assert done.stderr.count("\n") == 1
    done = run.run(*command, "--trace", run.folder / "trace", "--sample", 0, code=2)
    assert done.stderr.startswith(f"{PROGRAM}: --sample: '0' is wrong, give a whole number")
    assert not (run.folder / "trace").exists()


def test_a_trace_is_never_written_over(run: Programs) -> None:
    trace = run.folder / "trace"
    run.run("--trace", trace, "--nodes", 2)
    before = sorted(trace.iterdir())
    done = run.run("--trace", trace, "--nodes", 2, code=2)
    assert done.stderr == (
        f"{PROGRAM}: --trace: {trace} is there already: give another name, or remove it first\n"
    )
    assert sorted(trace.iterdir()) == before


def test_what_has_not_begun_leaves_no_folder(run: Programs) -> None:
    trace = run.folder / "trace"
    run.run("host", "--listen", "127.0.0.1:0", "--bots", "nowhere", "--trace", trace, code=1)
    assert not trace.exists()


def test_who_has_no_trace_does_not_load_what_writes_it(run: Programs) -> None:
    modules = run.folder / "modules"
    job = run.job(
        SLEEPING + f"\nimport pathlib, sys\npathlib.Path({str(modules)!r}).write_text("
        "' '.join(sys.modules))\n"
    )
    host = run.host("--job", job, "--input", 0, "--partitions", 1)
    loaded = until(lambda: modules.exists() and modules.read_text().split())
    assert "plugins.jobs.loading" in loaded
    assert not {"polars", "transports.command.tracing"} & set(loaded)
    host.interrupt()
    host.ended(130)
