"""Tables of what was measured, read from CSV files.

A file has a header line, and a row a line below it; the other columns do not matter, nor do blank
lines. One whose name ends in .gz is unpacked. Whatever is wrong with a file is a ValueError of
one line: the file, the line, the value, and what would be right.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator, Sequence

ENDINGS = (".csv", ".csv.gz")
SECONDS_MAX = 1e9  # 31 years; what is longer than any run is a slip of the hand


def times(path: str, column: str | None = None) -> tuple[float, ...]:
    """The seconds in a column, in ascending order; without a name, in the file's only column."""
    cells = rows(path, [column])
    return tuple(sorted(number(path, line, text, "seconds") for line, (text,) in cells))


def rows(
    path: str, required: Sequence[str | None], optional: Sequence[str] = ()
) -> Iterator[tuple[int, list[str]]]:
    """The cells of the named columns, with the number of the line; None names the only column.

    The cells of an optional column that is not there are empty.
    """
    lines = _lines(path)
    header_line, header = next(lines, (0, []))
    if not header:
        raise wrong(path, None, "is empty, give a CSV file with a header line")
    names = [name.strip() for name in header]
    indices: list[int] = [_index(path, header_line, names, name) for name in required]
    present = [name for name in optional if name in names]
    indices += [_index(path, header_line, names, name) for name in present]
    absent = [""] * (len(optional) - len(present))
    line = header_line
    for line, cells in lines:
        if len(cells) != len(names):
            differs = f"{len(cells)} cells, and the header has {len(names)}"
            raise wrong(path, line, f"{','.join(cells)!r:.60} has {differs}, give as many")
        yield line, [cells[index].strip() for index in indices] + absent
    if line == header_line:
        raise wrong(path, line, "has nothing below its header, give a row or more")


def _index(path: str, line: int, names: Sequence[str], name: str | None) -> int:
    """Where in a row a column is."""
    has = f"the columns are {', '.join(names)!r:.100}"
    if name is None and len(names) > 1:
        raise wrong(path, line, f"{has}, name one of them: FILE:COLUMN")
    if name is None and _read(names[0]) is not None:
        raise wrong(path, line, f"{names[0]!r} is no name of a column, give a header line")
    if name is None:
        return 0
    if names.count(name) > 1:
        raise wrong(path, line, f"there are two columns {name!r:.60}, keep one")
    if name not in names:
        alike = [one for one in names if name and one.casefold() == name.casefold()]
        what = f"write it {name!r:.60}, not {alike[0]!r:.60}" if alike else f"give one; {has}"
        raise wrong(path, line, f"there is no column {name!r:.60}, {what}")
    return names.index(name)


def _lines(path: str) -> Iterator[tuple[int, list[str]]]:
    """Each line that is not blank, cut into cells, with its number from 1."""
    import gzip  # which takes a while to load

    line = 0
    try:
        unpack = gzip.open if path.endswith(".gz") else open
        with unpack(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                line = reader.line_num
                if len(cells) > 1 or "".join(cells).strip():
                    yield line, cells
    except FileNotFoundError:
        raise wrong(path, None, "no such file, give the path of a CSV file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise wrong(path, None, "is not gzip, or not all of it; pack it anew") from None
    except OSError as error:
        raise wrong(path, None, f"cannot be read: {error.strerror}; give a CSV file") from None
    except UnicodeDecodeError:
        raise wrong(path, None, "is not text in UTF-8, give a CSV file") from None
    except csv.Error as error:
        raise wrong(path, line + 1, f"is not CSV: {error}") from None


def _read(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def number(path: str, line: int, text: str, unit: str) -> float:
    """The number in a cell, from 0 to SECONDS_MAX, or the ValueError."""
    value = _read(text)
    if value is None or not 0 <= value <= SECONDS_MAX:
        wanted = f"a number from 0 to {SECONDS_MAX:g} ({unit})"
        raise wrong(path, line, f"{text!r:.60} is wrong, give {wanted}")
    return value


def wrong(path: str, line: int | None, what: str) -> ValueError:
    """What is wrong where, in one line."""
    where = f"{path!r}" if line is None else f"{path!r}, line {line}"
    return ValueError(f"{where}: {what}")
