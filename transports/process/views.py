"""The nodes of this process: what views they have of which sessions, and where they have asked.

What a view is told comes in by name, as it may be gone, or elsewhere, when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator

from core import Reflector
from core.messages import Command, Node, Place, Reply
from core.sessions import Participant
from core.sessions.states import GONE


class Views:
    """`living`: the nodes that still take part, each by its first view."""

    def __init__(self) -> None:
        self.living: dict[Node, Participant] = {}
        self.asked: set[tuple[str, str]] = set()  # name of a host, and session
        self._asked_before: set[tuple[str, str]] = set()
        self._views: dict[tuple[Node, str], Participant] = {}  # by session

    def asks(self, view: Participant, place: Place) -> None:
        """It asks for a place there."""
        self._views[view.node, place.session] = view
        self.asked.add((place.address, place.session))

    def has_asked(self, name: str, session: str) -> bool:
        """Whether somebody here has asked the process `name` for a place in `session` lately."""
        asked = name, session
        return asked in self.asked or asked in self._asked_before

    def has_asked_at(self, name: str) -> bool:
        """The same for any session."""
        return any(host == name for asked in (self.asked, self._asked_before) for host, _ in asked)

    def view(self, node: Node, session: str) -> Participant | None:
        """The view that `node` has of `session`, if it still has one."""
        view = self._views.get((node, session))
        if view is not None and (view.place.session != session or view.state is GONE):
            del self._views[node, session]
            return None
        return view

    def of(self, session: str) -> Iterator[Participant]:
        """All views of that session."""
        for node in self.living:
            if view := self.view(node, session):
                yield view

    def hosts(self) -> set[str]:
        """The processes at which they are, or ask."""
        return {view.place.address for view in self._views.values()}

    # -- what they are told ----------------------------------------------------------------

    def answered(self, node: Node, place: Place, reply: Reply) -> None:
        """The host of `place` answers."""
        if view := self.view(node, place.session):
            view.answered(place, reply)

    def seated(self, node: Node, reflector: Reflector, commands: list[Command]) -> None:
        """The host here has admitted it."""
        if view := self.view(node, reflector.session):
            view.seated(reflector, commands)

    def on(self, node: Node, reflector: Reflector, command: Command) -> None:
        """The host here has it do that."""
        if view := self.view(node, reflector.session):
            view.on(reflector, command)

    def lost(self, name: str) -> None:
        """The process `name` is not connected any more."""
        for node, session in list(self._views):
            view = self.view(node, session)
            if view is not None and view.place.address == name:
                view.lost(name)

    def tidy_up(self) -> None:
        """Forget views that are gone, and what was asked long ago."""
        for node, session in list(self._views):
            self.view(node, session)
        self._asked_before = self.asked
        self.asked = {(view.place.address, session) for (_, session), view in self._views.items()}
