"""A page of pictures of a run: `python -m sim.report --help` tells how."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from plugins.console import ending, exits, streams
from plugins.console.checks import FILE
from plugins.console.ending import Ended
from plugins.console.exits import Exit
from plugins.console.options import BadOption, Option
from plugins.console.parser import Parser, paragraphs

PROGRAM = "python -m sim.report"
TRACES_MAX = 4
TRACES = Option(
    "TRACE",
    str,
    f"the folder of a trace; up to {TRACES_MAX}",
    more={"nargs": "+"},
    name="traces",
)
OUT = Option(
    "FILE.html",
    FILE,
    "where the page is written; an older page is replaced",
    name="out",
    default=Path("report.html"),
)
MARK = b'content="Million Nodes"'  # at the beginning of each page


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page. Returns the exit code."""
    return ending.run(PROGRAM, _main, arguments)


def _main(arguments: Sequence[str]) -> int:
    began = time.perf_counter()
    interrupted = "interrupted, nothing was written"
    with ending.asking(interrupted):
        named = _parser().read(arguments)
        from plugins import tracing  # what reads tables takes a while to load
    with ending.asking(interrupted, (BadOption, tracing.TraceError)):
        out = named.get("out", OUT.default)
        folders = named["traces"]
        _require_apart(folders)
        traces = {_name(folder, folders): tracing.read(folder) for folder in folders}
        for name, trace in traces.items():
            _require_one_tree(name, len(trace.run.jobs))
        _require_writable(out)
        from plugins.tracing.page import page  # loads what draws, which takes a while

        text = page(traces)
    try:
        _write(out, text)
    except OSError as error:
        reason = error.strerror or error
        why = f"{out} cannot be written ({reason}): give another --out"
        raise Ended(Exit.FAILED, why) from None
    size = os.path.getsize(out) / 1e6
    seconds = time.perf_counter() - began
    return streams.answer(
        PROGRAM, f"{out}: {size:.1f} MB, in {seconds:.1f} s; open it in a browser"
    )


def _require_one_tree(name: str, jobs: int) -> None:
    if jobs:
        why = "each of its jobs has a tree of its own, and pages show one tree"
        raise BadOption(f"{name} is of a fleet: {why}; read its tables with plugins.tracing")


def _require_apart(folders: list[str]) -> None:
    if len(folders) > TRACES_MAX:
        raise BadOption(
            f"{len(folders)} traces are too many side by side: give {TRACES_MAX} at most"
        )
    if len({os.path.abspath(folder) for folder in folders}) < len(folders):
        raise BadOption(f"{' '.join(folders)}: one is named twice, give each once")


def _require_writable(out: Path) -> None:
    if not out.absolute().parent.is_dir():
        raise BadOption(f"--out {out}: there is no folder {out.parent}, make it first")
    if os.path.isdir(out):  # a name may be too long
        raise BadOption(f"--out {out} is a folder: give the name of a file")
    if os.path.exists(out) and not _is_page(out):
        raise BadOption(f"--out {out} is there and no page of a run: give another name")


def _write(out: Path, text: str) -> None:
    part = out.with_name(f"{out.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(out)


def _is_page(out: Path) -> bool:
    """Whether it is one that was written here: others are not to be overwritten."""
    try:
        with out.open("rb") as file:
            return MARK in file.read(1000)
    except OSError:
        return False


def _name(folder: str, folders: list[str]) -> str:
    """Short, where that tells them apart."""
    short = [Path(other).name for other in folders]
    return Path(folder).name if short.count(Path(folder).name) == 1 else folder


def _parser() -> Parser:
    parser = Parser(
        PROGRAM,
        "TRACE [TRACE ...] [--out FILE.html]",
        description=paragraphs(
            "Draws what a trace tells: the tree as it forms, who does what when, messages, "
            "connections, stragglers, recovery. One file that opens in any browser, without a "
            "network. Several traces are drawn side by side. A trace is what --trace wrote, of "
            "'python -m sim' or 'python -m transports.tcp', also of a run that still goes on, or "
            "was killed."
        ),
        epilog=paragraphs(
            exits.told(
                {
                    Exit.FINISHED: "the page is written",
                    Exit.FAILED: "it cannot be",
                    Exit.MISUSED: "an argument is wrong, or names no trace",
                }
            )
        ),
    )
    parser.apart(TRACES, OUT)
    return parser


if __name__ == "__main__":
    streams.start()
    sys.exit(main())
