"""The house: its folders, what each is for, and which imports which, as a Mermaid flowchart.

What would be a hairball is folded:
- Two top-level folders have one arrow, whichever of their folders import.
- An arrow is left out where others lead to the same place, unless it stands for many imports.
- Files that lie in a top-level folder itself import its folders, and are imported by them: only the
  arrows down are drawn.
"""

from __future__ import annotations

import ast
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests import TOP
from tests.test_rooms import ROOMS, files, imports

WIDTH = 34  # characters of a line in a box
MANY = 10  # imports for which an arrow is drawn in any case

Arrow = tuple[str, str]  # from who imports to what is imported


def picture() -> str:
    """The flowchart."""
    run, typed = _arrows()
    inside = thinned(Counter({arrow: run[arrow] for arrow in run if _is_inside(arrow)}))
    lines = ["```mermaid", "flowchart TB"]
    for room in ROOMS:
        boxes = [_box(folder) for folder in _folders(room)]
        lines += [f'    subgraph {room}_all["{room}/"]', *boxes, "    end"]
    for one, other in sorted(inside):
        if (other, one) not in inside:
            lines.append(f"    {_name(one)} --> {_name(other)}")
        elif one < other:
            lines.append(f"    {_name(one)} <--> {_name(other)}")
    for one, other in sorted(filter(_is_inside, typed)):
        if (one, other) not in run:
            lines.append(f"    {_name(one)} -.-> {_name(other)}")
    across = {(_top(one), _top(other)) for one, other in (*run, *typed)}
    lines += [f"    {one}_all ==> {other}_all" for one, other in sorted(across) if one != other]
    return "\n".join([*lines, "```"])


def _is_inside(arrow: Arrow) -> bool:
    """Whether it stays in one top-level folder."""
    return _top(arrow[0]) == _top(arrow[1])


def thinned(arrows: Counter[Arrow]) -> set[Arrow]:
    """Those that are drawn, of these with so many imports each."""
    left = {(one, other) for one, other in arrows if _is_down(one, other, {*arrows})}
    for arrow in sorted(left, key=lambda arrow: (arrows[arrow], arrow)):
        if arrows[arrow] < MANY and arrow[::-1] not in left and _leads(*arrow, left - {arrow}):
            left.remove(arrow)
    return left


def _is_down(one: str, other: str, arrows: set[Arrow]) -> bool:
    """Whether it is not one back to the files above, which import it or what imports it."""
    return not (other == _top(one) and _leads(other, one, arrows))


def _leads(one: str, other: str, arrows: set[Arrow]) -> bool:
    """Whether a way of arrows leads from one to the other."""
    reached = {one}
    while more := {there for here, there in arrows if here in reached} - reached:
        reached |= more
    return other in reached


# -- the folders ---------------------------------------------------------------------------


def _folders(room: str) -> list[str]:
    return sorted({_folder(path.parent) for path in files(room)})


def _folder(path: Path) -> str:
    return path.relative_to(TOP).as_posix()


def _top(folder: str) -> str:
    return folder.partition("/")[0]


def _name(folder: str) -> str:
    return folder.replace("/", "_")


def _box(folder: str) -> str:
    """With the first sentence that the folder says of itself."""
    said = ast.get_docstring(ast.parse((TOP / folder / "__init__.py").read_text())) or ""
    sentence = " ".join(said.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
    lines = [f"<b>{folder}</b>", *textwrap.wrap(sentence.replace('"', "'"), WIDTH)]
    return f'        {_name(folder)}["{"<br>".join(lines)}"]'


# -- who imports whom ----------------------------------------------------------------------


def _arrows() -> tuple[Counter[Arrow], set[Arrow]]:
    """Those of imports to run, with how many these are, and those that are for types."""
    run: Counter[Arrow] = Counter()
    typed: set[Arrow] = set()
    for path in [path for room in ROOMS for path in files(room)]:
        here, tree = _folder(path.parent), ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                typed |= {(here, there) for there in _imported(node, here)}
                node.body = []  # what is left of the file is to run
        run.update([(here, there) for there in _imported(tree, here)])
    return run, typed


def _imported(tree: ast.AST, here: str) -> Iterator[str]:
    """The other folders of ours that are imported there."""
    for name in imports(tree, here.replace("/", ".")):
        parts = name.split(".")
        if parts[0] in ROOMS:
            while not TOP.joinpath(*parts).is_dir():
                parts.pop()
            if (there := "/".join(parts)) != here:
                yield there
