"""Text that every encoding of Unicode has, and what is written in place of other text."""

from __future__ import annotations


def is_text(text: str) -> bool:
    """Whether every encoding of Unicode has it."""
    return text.isprintable() or writable(text) == text


def writable(text: str) -> str:
    """With escapes in place of what no encoding has."""
    return text.encode("utf-8", "backslashreplace").decode()
