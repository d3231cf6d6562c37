"""A worker that need not open what it leads, where that takes only a moment."""

from __future__ import annotations

from core import Worker
from core import messages as m
from transports.process.port import Port


class Leader(Worker):
    """On this side of one session, as any worker."""

    __slots__ = ()

    def lead_on(self, lead: m.Lead) -> None:
        port = self.port
        assert isinstance(port, Port)
        if not port.shortcut.take(self, lead):
            super().lead_on(lead)
