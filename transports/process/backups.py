"""What is kept of sessions that are elsewhere, for when they are lost there.

What others have this process keep is taken up to a budget. What is above it is not kept: if it is
lost elsewhere, too, it is computed again. Nobody is to blame, as there may be that much.
"""

from __future__ import annotations

import logging

import msgspec

from core import messages as m
from core.sessions.backups import Backups
from plugins.console.memory import memory_bytes
from transports.logs import event
from transports.process.needed import of_fact

KEPT_SHARE = 16  # of the memory, one part of so many; as objects it takes some times that
RECOUNT_SECONDS = 5.0  # at most so often all that is kept is counted

_bytes = msgspec.msgpack.Encoder().encode


def without_what_is_over(known: list[m.Backup]) -> list[m.Backup]:
    """Of what is known of sessions below each other, that of which no session above tells all.

    Where it tells so by a large value, whoever is told may not have its bytes.
    """
    facts = {kept.session: kept.facts for kept in known}

    def is_over(session: str) -> bool:
        while session:
            session, _, number = session.rpartition("-")
            fact = facts.get(session, {}).get(int(number))
            if fact is not None and not of_fact(fact):
                return True
        return False

    return [kept for kept in known if not is_over(kept.session)]


class BackupBudget:
    """What is kept so far, in bytes of msgpack: counted as it comes, and anew when it is much."""

    def __init__(self, backups: Backups) -> None:
        self.bytes_max = memory_bytes() // KEPT_SHARE
        self._backups = backups
        self._bytes = 0
        self._recounted = float("-inf")

    def takes(self, backup: m.Backup, now: float) -> bool:
        """Whether that is to be kept, too; if it is, it is counted."""
        size = len(_bytes(backup.facts))
        if self._bytes + size > self.bytes_max and now > self._recounted + RECOUNT_SECONDS:
            self._bytes = len(_bytes((self._backups.facts, self._backups.claimed)))
            self._recounted = now
        if self._bytes + size > self.bytes_max:
            reason = f"{self.bytes_max} bytes of other sessions are kept here by now"
            event(logging.WARNING, "not_kept", session=backup.session, reason=reason)
            return False
        self._bytes += size
        return True
