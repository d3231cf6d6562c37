"""How much a frame may hold, judged by its bytes before anything is made of them.

Rules it keeps:
- What a frame may be long for depends on what it says. Its kind is told by its first bytes, so a
  frame that is too long is refused before it is there.
- Objects take many times the room of the bytes that they are made from: an empty list is one byte
  on the wire and 64 in memory. So a long frame is looked through for what it would become. That
  makes no objects, and takes about as long as making them would.
- A frame below SHORT_BYTES is not looked through: it cannot become much.
"""

from __future__ import annotations

import re

from transports.net.figures import BUNDLE_BYTES_MAX, DOCUMENT_BYTES_MAX

FRAME_BYTES_MAX = 2**24
CHUNK_BYTES = 2**18  # of a blob, in one frame
SHORT_BYTES = 2**16
MADE_BYTES_MAX = 2**27  # of objects that one frame may become; long strings are not counted
COUNT_MAX = 10_000  # items of one list or dict of a message; a session has at most 2,000 slots

BYTES_MAX = {  # of the frames that may be longer than SHORT_BYTES
    b"Told": FRAME_BYTES_MAX,
    b"Begin": BUNDLE_BYTES_MAX + DOCUMENT_BYTES_MAX + SHORT_BYTES,
    b"Submit": FRAME_BYTES_MAX,
    b"Outcome": FRAME_BYTES_MAX,
    b"Output": FRAME_BYTES_MAX,
    b"Logged": FRAME_BYTES_MAX,
    b"Printed": 2**16 + 2**10,
    b"Reported": 2**19,
    b"Call": FRAME_BYTES_MAX,
    b"Answer": FRAME_BYTES_MAX,
    b"Follow": FRAME_BYTES_MAX,
    b"Ordered": FRAME_BYTES_MAX,
    b"Chunk": CHUNK_BYTES + 2**10,
}
KIND_BYTES = 2 + max(map(len, BYTES_MAX))  # from the beginning of a frame, by which it is known

# What things take, in pointers of 8 bytes: whatever is one byte long, as small numbers are, takes
# its place in a list and nothing else.
_POINTER_BYTES = 8
_OBJECT, _DICT = 8, 32


def bytes_max(beginning: bytes | bytearray) -> int:
    """How long the frame may be that begins with these `KIND_BYTES`, without its header."""
    is_array, length = beginning[0] & 0xF0 == 0x90, beginning[1] - 0xA0
    name = bytes(beginning[2 : 2 + length]) if is_array and length > 0 else b""
    return BYTES_MAX.get(name, SHORT_BYTES)


def made_bytes(data: bytes) -> int:
    """About how much objects made of this msgpack take; of what takes too much, not all is read.

    What is no msgpack has some number, too: to refuse it is for who decodes it.
    """
    pointers, most = 0, MADE_BYTES_MAX // _POINTER_BYTES
    at, end = 0, len(data)
    while at < end and pointers <= most:
        head = data[at]
        if step := _STEPS[head]:
            pointers += _TAKES[head]
            at += step
        elif width := _WIDTHS.get(head):
            pointers += _OBJECT
            at += 1 + width + int.from_bytes(data[at + 1 : at + 1 + width])
        else:
            stop = _skip_small(data, at)
            pointers += stop - at
            at = stop
    return pointers * _POINTER_BYTES


def _skip_small(data: bytes, at: int) -> int:
    """Where the things of one byte end that begin there."""
    found = _SMALL.match(data, at)
    return found.end() if found else at + 1


# Small numbers, None, False and True; and the one byte that msgpack never has.
_SMALL = re.compile(rb"[\x00-\x7f\xc0-\xc3\xe0-\xff]+")

# The bytes that tell how long a str, bytes or something of another kind is, by the first one.
_WIDTHS = {
    0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4,
}  # fmt: skip

# How far it is to the next thing, by the first byte, of numbers, and of lists and dicts, whose
# items follow.
_FIXED = {
    0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9,
    0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18, 0xDC: 3, 0xDD: 5, 0xDE: 3, 0xDF: 5,
}  # fmt: skip


def _step(head: int) -> int:
    if 0x80 <= head < 0xA0:  # short dicts and lists
        return 1
    if 0xA0 <= head < 0xC0:  # short strs
        return 1 + head - 0xA0
    return _FIXED.get(head, 0)


def _takes(head: int) -> int:
    return _DICT if 0x81 <= head < 0x90 or head in (0xDE, 0xDF) else _OBJECT


_STEPS = tuple(map(_step, range(256)))
_TAKES = tuple(map(_takes, range(256)))
