"""Fields of envelopes: what each may be, as it is checked when one is decoded."""

from __future__ import annotations

from typing import Annotated

import msgspec

from transports.net.figures import (
    PRIORITY_MAX,
    TREE_MAX,
    WEIGHT_MAX,
    WEIGHT_MIN,
)

NUMBER_BITS = 43  # of a process's number
NONCE_BYTES = 32
REASON_LENGTH_MAX = 1000
USER_LENGTH_MAX = 200
TITLE_LENGTH_MAX = 200  # characters, of what a client calls a job
DIGEST_BYTES = 32  # of a key that is shown at the end
ERROR_LENGTH_MAX = 4000  # characters, of what is told to the root of a fleet as it happens
PRINTED_BYTES_MAX = 2**16  # of what one process tells of what was printed there

SHA = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
UNIX_SECONDS = Annotated[float, msgspec.Meta(ge=0, lt=1e11)]
TIMEOUT = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
DIGEST = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
SIZE = Annotated[int, msgspec.Meta(ge=0, le=2**32)]  # of a blob, or an offset in one
PRIORITY = Annotated[int, msgspec.Meta(ge=-PRIORITY_MAX, le=PRIORITY_MAX)]
WEIGHT = Annotated[float, msgspec.Meta(ge=WEIGHT_MIN, le=WEIGHT_MAX)]
TREE = Annotated[int, msgspec.Meta(ge=0, le=TREE_MAX)]  # of a computation: its root's name
