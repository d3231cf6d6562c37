"""The notebooks are clean, define nothing, and run."""

from __future__ import annotations

import ast
import os
import re
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests import TOP

with warnings.catch_warnings():  # Python 3.13 minds what jupyter_client does while it is imported
    warnings.filterwarnings("ignore", "Parsing dates involving a day", DeprecationWarning)
    from nbclient import NotebookClient

NOTEBOOKS = sorted((TOP / "notebooks").glob("*.ipynb"))
NODES = {"simulated_and_real": 40}  # else 300
ALLOWED = {"job_of_your_own": (ast.FunctionDef,)}  # it is about functions of the reader
SAYS = {
    "job_of_your_own": [
        "the job is over, the other one is running",
        "cancelled: True",
        "partition 99: FileNotFoundError",
        "1 piece is missing",
        "as before: True and 664579 primes",
        "exit codes: 0 0 0",
        "as before: True by 300 nodes",
    ]
}
PATIENCE_SECONDS = 120  # of a cell
DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While)

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.stem))


def read(path: Path) -> Any:
    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def code(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_it_is_stored_without_what_it_showed(path: Path) -> None:
    for cell in code(path):
        assert cell.outputs == []
        assert cell.execution_count is None
        assert cell.metadata == {}
    assert set(read(path).metadata) == {"kernelspec", "language_info"}
    assert read(path).metadata.kernelspec.name == "python3"


def test_it_begins_with_what_it_is_about_and_how_large(path: Path) -> None:
    first = read(path).cells[0]
    assert first.source.startswith("# ")
    assert re.search(r"\btakes?\b.*\b(minutes?|seconds)\b", first.source, re.S | re.I)
    assert re.fullmatch(r"NODES = [\d_]+  # .+", code(path)[0].source)
    assert 8 <= len(read(path).cells) <= 14


def test_it_only_uses_what_is_defined_elsewhere(path: Path) -> None:
    for cell in code(path):
        for node in ast.walk(ast.parse(cell.source)):
            if not isinstance(node, ALLOWED.get(path.stem, ())):
                assert not isinstance(node, DEFINING), ast.unparse(node)
            if isinstance(node, ast.Import):
                assert all(find_spec(alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert node.module
                assert find_spec(node.module)


def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller, by the number that a reader would change."""
    notebook = read(path)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    nodes = NODES.get(path.stem, 300)
    first.source, changed = re.subn(r"^NODES = [\d_]+", f"NODES = {nodes}", first.source)
    assert changed == 1
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOP), *sys.path[1:]]))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    where = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(
        notebook, timeout=PATIENCE_SECONDS, kernel_name="python3", resources=where
    )
    client.execute()
    assert pictures(notebook) >= 2
    said = "".join(output.get("text", "") for output in outputs(notebook))
    assert [text for text in SAYS.get(path.stem, []) if text not in said] == []
    assert [file for file in tmp_path.glob("tmp*") if any(file.rglob("*.parquet"))] == []


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(notebook: Any) -> int:
    shown = (output.get("data", {}).get("text/html", "") for output in outputs(notebook))
    return sum("vegaEmbed(" in text for text in shown)
