"""The page of memory that a computing process and the one that it works for both see: a few words,
which `computing.py` names."""

from __future__ import annotations

from mmap import mmap

PAGE_BYTES = 4096


def words(page: mmap) -> memoryview[int]:
    """The page as numbers, each written and read as a whole."""
    return memoryview(page).cast("Q")
