"""What has come of a blob so far: on the disk, or in memory where it does not fit.

Rules it keeps:
- What does not fit on the disk is kept in memory as far as that goes. No source is blamed for it.
- Nothing is brought for which there is no room beside all else that is on its way.
- What is much is written in a thread.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from transports.values.blobs import Blobs, Spare
from transports.values.files import Draft, NoRoom

INLINE_BYTES = 2**16  # fewer are written at once, more in a thread


class Content:
    """Of one blob. `all_coming` says how many bytes are to come of all blobs that are begun."""

    def __init__(
        self,
        sha: str,
        blobs: Blobs,
        threads: trio.CapacityLimiter,
        all_coming: Callable[[], int],
    ) -> None:
        self.have = 0
        self.size: int | None = None  # as its givers say
        self.givers: dict[str, None] = {}
        self._sha = sha
        self._blobs = blobs
        self._threads = threads
        self._all_coming = all_coming
        self._draft: Draft | Spare | None = None

    @property
    def coming(self) -> int:
        """How many bytes are to come, if it is begun."""
        return 0 if self._draft is None else (self.size or self.have) - self.have

    async def write(self, data: bytes) -> None:
        """Add this, in a thread where it is much. Raises NoRoom."""
        coming = self._all_coming() if self._draft is None else 0
        if len(data) <= INLINE_BYTES:
            self._add(data, coming)
        else:
            await trio.to_thread.run_sync(self._add, data, coming, limiter=self._threads)
        self.have += len(data)

    def _add(self, data: bytes, coming: int) -> None:
        draft = self._draft
        try:
            if draft is None:
                self._insist_room(coming)
                draft = self._draft = Draft(self._blobs.folder)
            draft.add(data)
        except NoRoom as error:
            assert not isinstance(draft, Spare)  # there is room for these
            spare = self._blobs.spare(draft, self.size or 0, error)
            if draft is not None:
                draft.drop()
            spare.add(data)
            self._draft = spare

    def _insist_room(self, coming: int) -> None:
        """Raises NoRoom where it does not fit beside what is to come of others."""
        room, size = self._blobs.room_bytes() - coming, self.size or 0
        if size > room:
            what = f"a blob of {size} bytes does not fit into {self._blobs.folder}"
            raise NoRoom(f"{what}: there is room for {max(room, 0)}")

    def keep(self) -> bool:
        """Give it its name, if that is what it is."""
        assert self._draft is not None
        return self._draft.keep(self._sha) == self._sha

    def begin_anew(self) -> None:
        """Something of it is wrong."""
        self.drop()
        self._draft, self.have, self.size = None, 0, None
        self.givers.clear()

    def drop(self) -> None:
        """Nothing more comes. What has no name is removed."""
        if self._draft is not None:
            self._draft.drop()
