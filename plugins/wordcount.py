"""Counts the words of a text file, or of all text files of a folder and the folders in it.

Input: the path of a file of any kind, or of a folder, of which the files are taken whose names end
in .txt, .text, .md, .rst or .log. Output: a dict, word -> how often, in the order of first use.
A word is a run of bytes between ASCII whitespace, read as UTF-8 and put into lower case; bytes that
are no UTF-8 become U+FFFD. Punctuation belongs to the word.

A slot's input is a list of [path, first byte, end byte]: the submitter only looks up sizes, each
piece is read by the node that counts it. So every node needs the files under the same path; a
relative one is relative to the folder that the node was started in.
"""

import os
import re
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, BinaryIO

from plugins.jobs.files import size_of

SUFFIXES = (".txt", ".text", ".md", ".rst", ".log")
CHUNK_BYTES = 2**24  # of a file in memory at a time
WORD_BYTES = 2**12  # read at a time to find the end of a word that goes on into the next piece


def prepare(input: Any, sizes: Sequence[int]) -> list[list[list[Any]]]:
    """Cuts the bytes in proportion to `sizes`, at any byte: compute knows which words are whose.

    Raises ValueError if the path leads to nothing that can be read."""
    ranges = list(input) if isinstance(input, list | tuple) else _ranges(input)
    total, whole = sum(end - start for _, start, end in ranges), sum(sizes)
    rest, taken = ranges[::-1], 0
    slots = []
    for done in accumulate(sizes):
        slot, cut = [], total * done // whole
        while taken < cut:
            path, start, end = rest.pop()
            middle = min(end, start + cut - taken)
            slot.append([path, start, middle])
            taken += middle - start
            if middle < end:
                rest.append([path, middle, end])
        slots.append(slot)
    return slots


def compute(input: Sequence[Sequence[Any]], index: int) -> dict[str, int]:
    """Counts the words that start in these ranges. Raises ValueError if a file has shrunk."""
    found: Counter[bytes] = Counter()
    for path, start, end in input:
        for at in range(start, end, CHUNK_BYTES):
            found.update(_text(path, at, min(at + CHUNK_BYTES, end)).split())
    counts: Counter[str] = Counter()
    for word, count in found.items():
        counts[word.decode("utf-8", "replace").lower()] += count
    return dict(counts)


def collect(outputs: Sequence[dict[str, int]]) -> dict[str, int]:
    """Adds the counts up, word by word."""
    counts: Counter[str] = Counter()
    for output in outputs:
        counts.update(output)
    return dict(counts)


def _text(path: str, start: int, end: int) -> bytes:
    """The bytes start..end of a file, without a word that starts before, with all of the last."""
    before = max(start - 1, 0)
    with open(path, "rb") as file:
        file.seek(before)
        text = file.read(end - before)
        if len(text) < end - before:
            raise ValueError(f"wordcount: {path!r} has become shorter since it was cut, run again")
        if start > 0:
            text = re.sub(rb"\A\S+", b"", text)
        goes_on = text != b"" and not text[-1:].isspace()
        return text + _rest_of_word(file) if goes_on else text


def _rest_of_word(file: BinaryIO) -> bytes:
    parts = []
    while more := file.read(WORD_BYTES):
        parts.append(re.split(rb"\s", more, maxsplit=1)[0])
        if len(parts[-1]) < len(more):
            break
    return b"".join(parts)


def _ranges(path: object) -> list[list[Any]]:
    """All of each file, in the order of their names, so that every run cuts alike."""
    if not isinstance(path, str):
        raise ValueError(f"wordcount: the input is to be the path of a file or folder: {path!r}")
    try:
        files = _files(path) if os.path.isdir(path) else [path]
        for file in files:
            if file.encode("utf-8", "replace").decode() != file:
                raise ValueError(f"{file!r} is no UTF-8, so no node can be told; rename it")
        sizes = [size_of(file) for file in files]
    except OSError as error:
        raise ValueError(f"wordcount: cannot read {error.filename!r}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"wordcount: {error}") from error
    if not files:
        raise ValueError(f"wordcount: no file in {path!r} ends in {', '.join(SUFFIXES)}")
    return [[file, 0, size] for file, size in zip(files, sizes, strict=True) if size > 0]


def _files(folder: str) -> list[str]:
    return sorted(
        os.path.join(place, name)
        for place, _, names in os.walk(folder, onerror=_raise)
        for name in names
        if name.lower().endswith(SUFFIXES)
    )


def _raise(error: OSError) -> None:
    raise error  # os.walk would leave the folder out without a word
