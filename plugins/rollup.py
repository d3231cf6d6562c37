r"""The Merkle root (SHA-256) of a file of transactions, one a line.

Input: the path of the file. A transaction is a line without its b"\n"; the last line may lack it.
Output: {"first": index of its first line, "count": number of lines, "subtrees": [[height, position,
hash], ...], "root": hash}, the hashes in hexadecimal. Every node needs the file under this path.

The tree is that of RFC 6962: a leaf is SHA-256(0x00 + line), a node SHA-256(0x01 + left + right),
and of n leaves the left side holds the largest power of two below n. The root is the same whatever
the number of partitions and the fanout, as no output hashes across its own borders. It holds the
largest complete subtrees within its range, aligned as in the tree over all lines: at height h,
position p covers the lines p * 2^h to (p + 1) * 2^h. Which these are depends on the range alone,
not on how it was put together, and so joining outputs is associative. What is left open, the
incomplete right edge of the tree, is hashed for `root` only, by every output that begins at line 0,
as the answer does; the root of any other is None.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
from typing import Any, BinaryIO

from plugins.jobs.files import size_of

COUNT_BYTES = 2**20  # of the file in memory at a time while counting lines

CHANGED = "the file has changed since it was cut, run again"

Subtree = tuple[int, int, bytes]


def prepare(input: Any, sizes: Sequence[int]) -> list[list[Any]]:
    """[path, first byte, end byte, index of first line] a slot, cut where lines start, the bytes in
    proportion to `sizes`. Reads them once. Raises ValueError if the path is not that of a file."""
    path, start, end, index = input if isinstance(input, list | tuple) else _whole(input)
    slots, at, whole = [], start, sum(sizes)
    with open(path, "rb") as file:
        for done in accumulate(sizes):
            cut = _line_start(file, max(at, start + (end - start) * done // whole), at)
            slots.append([path, at, cut, index])
            index += _count_lines(file, at, cut)
            at = cut
    return slots


def compute(input: Sequence[Any], index: int) -> dict[str, Any]:
    """The output of the lines in this range. Raises ValueError if they are not there any more."""
    path, start, end, first = input
    with open(path, "rb") as file:
        lines = enumerate(_lines(file, start, end), first)
        return _output(first, ((0, at, sha256(b"\0" + line).digest()) for at, line in lines))


def collect(outputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The output of all lines of these outputs. Raises ValueError if lines lack between them."""
    first = expected = outputs[0]["first"]
    for output in outputs:
        if output["first"] != expected:
            raise ValueError(f"rollup: line {expected} is next, not {output['first']}: {CHANGED}")
        expected += output["count"]
    subtrees = (subtree for output in outputs for subtree in output["subtrees"])
    return _output(first, ((height, at, bytes.fromhex(text)) for height, at, text in subtrees))


def _output(first: int, subtrees: Iterable[Subtree]) -> dict[str, Any]:
    joined = _joined(subtrees)
    return {
        "first": first,
        "count": sum(2**height for height, _, _ in joined),
        "subtrees": [[height, at, digest.hex()] for height, at, digest in joined],
        "root": _root(joined).hex() if first == 0 else None,
    }


def _joined(subtrees: Iterable[Subtree]) -> list[Subtree]:
    """The same lines in the largest subtrees: siblings are replaced by their parent."""
    done: list[Subtree] = []
    for subtree in subtrees:
        done.append(subtree)
        while len(done) > 1 and _siblings(done[-2], done[-1]):
            height, at, digest = done.pop()
            done[-1] = (height + 1, at // 2, _node(done[-1][2], digest))
    return done


def _siblings(left: Subtree, right: Subtree) -> bool:
    return left[0] == right[0] and left[1] % 2 == 0 and left[1] + 1 == right[1]


def _root(subtrees: Sequence[Subtree]) -> bytes:
    """RFC 6962's root of lines from 0 on: each subtree is the left side of all to its right."""
    if not subtrees:
        return sha256(b"").digest()
    *others, (_, _, root) = subtrees
    for _, _, digest in reversed(others):
        root = _node(digest, root)
    return root


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def _whole(path: object) -> list[Any]:
    if not isinstance(path, str):
        raise ValueError(f"rollup: the input is to be the path of a file of lines, not {path!r}")
    try:
        return [path, 0, size_of(path), 0]
    except OSError as error:
        raise ValueError(f"rollup: cannot read {path!r}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"rollup: {error}") from error


def _line_start(file: BinaryIO, at: int, known: int) -> int:
    """Where the first line starts that starts at `at` or later, or the file's end; `known` is where
    some line starts."""
    if at == known:
        return at
    file.seek(at - 1)  # if this byte ends a line, the next one starts at `at`
    file.readline()
    return file.tell()


def _count_lines(file: BinaryIO, start: int, end: int) -> int:
    """How many lines start in a range that begins where one starts, and ends likewise."""
    file.seek(start)
    count, last = 0, b"\n"
    for at in range(start, end, COUNT_BYTES):
        chunk = file.read(min(COUNT_BYTES, end - at))
        count, last = count + chunk.count(b"\n"), chunk[-1:]
    return count + (last != b"\n")


def _lines(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    at = start
    while at < end:
        line = file.readline()
        at += len(line)
        if not line or at > end:
            raise ValueError(f"rollup: bytes {start} to {end} are no longer lines: {CHANGED}")
        yield line.removesuffix(b"\n")
