"""What every replica saw, in its order: the host's own, and each that follows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import attrs

from core import Reflector, Replica, Session
from core.messages import Epoch, Message, Node, as_dict
from core.sessions.digest import digest


@attrs.frozen
class Entry:
    """A message as one replica saw it, and the replica's digest after it."""

    seq: int
    now: float
    message: Message
    said: str  # the digest of the message
    digest: str


@attrs.define(eq=False)
class Log:
    """All that one replica saw. `nodes`: whose views it had then."""

    session: str
    epoch: Epoch
    entries: list[Entry] = attrs.Factory(list)
    nodes: dict[Node, None] = attrs.Factory(dict)

    def add(self, state: Session, now: float, message: Message) -> None:
        said = digest([type(message).__name__, as_dict(message)])
        self.entries.append(Entry(state.seq, now, message, said, digest(state.snapshot())))

    @property
    def messages(self) -> list[Message]:
        return [entry.message for entry in self.entries]


class Record:
    """The logs of one deployment."""

    def __init__(self) -> None:
        self.hosts: dict[tuple[str, Epoch], Log] = {}
        self.followers: dict[Replica, Log] = {}

    def ordered(self, reflector: Reflector, now: float, message: Message) -> None:
        """The host has ordered a message, and applied it to its own replica."""
        where = reflector.session, reflector.state.epoch
        log = self.hosts.setdefault(where, Log(*where))
        log.add(reflector.state, now, message)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Meanwhile note what other replicas apply, whichever transport brings it."""
        apply = Replica.apply

        def noting(replica: Replica, seq: int, now: float, message: Message) -> None:
            state = replica.state
            new = seq > state.seq
            log = self.followers.setdefault(replica, Log(state.name, state.epoch))
            log.nodes |= dict.fromkeys(replica.views)
            apply(replica, seq, now, message)
            if new:
                log.add(state, now, message)

        with patch.object(Replica, "apply", noting):
            yield

    def of(self, session: str) -> Log:
        """What the session's first incarnation ordered."""
        return next(log for (name, _), log in self.hosts.items() if name == session)

    def following(self, session: str) -> list[Log]:
        return [log for log in self.followers.values() if log.session == session and log.entries]

    def check(self) -> int:
        """One order, one time, one content everywhere. Returns how many were compared."""
        compared = 0
        for log in self.followers.values():
            ordered = {e.seq: e for e in self.hosts[log.session, log.epoch].entries}
            seqs = [entry.seq for entry in log.entries]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True
            for entry in log.entries:
                own = ordered[entry.seq]
                seen = (entry.now, entry.said, entry.digest)
                assert seen == (own.now, own.said, own.digest), (log.session, entry, own)
            compared += len(seqs)
        for log in self.hosts.values():
            assert [entry.seq for entry in log.entries] == list(range(1, len(log.entries) + 1))
            times = [entry.now for entry in log.entries]
            assert times == sorted(times)
        return compared
