"""Backups: what a host keeps of sessions that are in one other process only.

Where all the people of a session with children are in one process, its leader has what is known
there kept on the nearest host above that is another process. Whoever leads that session, or one
above it, next, is given it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from core.sessions import messages as m
from core.sessions.messages import Facts, Node
from core.sessions.roles import child_key, key_below
from core.sessions.session import Told

if TYPE_CHECKING:
    from core.sessions.host import Host
    from core.sessions.reflector import Reflector


class Backups:
    """What one host keeps for others."""

    __slots__ = ("claimed", "facts", "host")

    def __init__(self, host: Host, facts: dict[str, Facts]) -> None:
        self.host = host
        self.facts = facts  # by session
        self.claimed: dict[str, tuple[bytes, Facts]] = {}  # not open here yet; and by which key

    def add(self, session: str, facts: Facts) -> None:
        """Keep these; where that session is open here by now, it learns them."""
        for number in facts:
            self.forget(f"{session}-{number}")
        top = session
        while top := top.rpartition("-")[0]:
            above = self.host.reflectors.get(top)
            if above and (above.state.ended or above.admission.child_of(session) is None):
                return  # it is over, which whoever told it did not know yet
        reflector = self.host.reflectors.get(session)
        if reflector is None or reflector.state.moved:
            self.facts[session] = {**self.facts.get(session, {}), **facts}
        else:
            reflector.recovery.learn(facts)

    def claim(self, node: Node, session: str, facts: Facts) -> None:
        """Keep what `node` here was told of a session, if whoever told it had the right key."""
        key, top = self.host.key_given(node, session), session
        while top and top not in self.host.reflectors:
            top = top.rpartition("-")[0]
        if not top:
            self.claimed[session] = key, facts
        elif key == key_below(self.host.reflectors[top].key, top, session):
            self.add(session, facts)

    def confirm(self, reflector: Reflector) -> None:
        """That session is open here now: of what was claimed, keep what was told by its key."""
        top = reflector.session
        for session in within(self.claimed, top):
            key, facts = self.claimed.pop(session)
            if key == key_below(reflector.key, top, session):
                self.facts[session] = {**self.facts.get(session, {}), **facts}

    def known(self, top: str) -> list[m.Backup]:
        """All facts that are known here of the session `top` and of those below it."""
        reflectors = self.host.reflectors
        found = [m.Backup(session, self.facts[session]) for session in within(self.facts, top)]
        found += [m.Backup(s, reflectors[s].state.model.facts()) for s in within(reflectors, top)]
        return [kept for kept in found if kept.facts]

    def forget(self, top: str) -> None:
        """Nobody will ask for the session `top` again, nor for those below it."""
        for session in within(self.facts, top):
            del self.facts[session]

    def hand_over(self, reflector: Reflector, message: Any, told: Told) -> None:
        """Give what is kept here of child sessions to who leads them now; forget the rest."""
        state, address = reflector.state, self.host.address
        if self.facts:
            for number in state.noted:
                self.forget(f"{reflector.session}-{number}")
        for node, command in told:
            if type(command) is m.Lead:
                session = f"{reflector.session}-{command.child}"
                key = child_key(reflector.key, command.child)
                if state.addresses[node] in (None, address):
                    self.host.keys[node, session] = key
                else:
                    reflector.reply(reflector.members[node], m.Key(session, key))
                    self._pass_on(reflector, node, session)
        alone = type(message) is m.Left and set(state.addresses.values()) == {address}
        if alone and state.leader is not None:
            self._pass_on(reflector, state.leader, reflector.session)

    def _pass_on(self, reflector: Reflector, node: Node, top: str) -> None:
        """Tell `node` what is known here of the session `top` and below, if anything is."""
        if self.facts or top in self.host.reflectors:
            for kept in self.known(top):
                reflector.reply(reflector.members[node], kept)


def within(sessions: Iterable[str], top: str) -> list[str]:
    """Those of `sessions` that are `top` or lie below it."""
    below = top + "-"
    return [session for session in sessions if session == top or session.startswith(below)]
