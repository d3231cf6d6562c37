"""Who may say what: one table for messages, and what becomes of the rest.

What is said is judged once, where it reaches its host. It *counts*; or it is *passed over*, because
whoever is honest may say it too late; or it is an *offence*, which no honest participant commits:
it is counted and named, and costs the one who said it its connection, and nobody else anything.
A model has a table of its own for its own messages, and knows who was given what.

Replicas that are brought after a loss are believed by their *seal*: each session has a key, made
from that of its parent, which is known to whoever hosts it or a session above it. Whoever follows
the session is given a seal of that incarnation and of its own process, and shows it when it comes
back.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from core.sessions import messages as m
from core.sessions.digest import canonical
from core.sessions.messages import Epoch, Node

if TYPE_CHECKING:
    from core.sessions.host import Host
    from core.sessions.reflector import Reflector


class Role(Enum):
    HOLDER = auto()  # who was given what it speaks of: the model knows
    LEADER = auto()  # who leads
    REFLECTOR = auto()  # nobody but the reflector itself
    MEMBER = auto()  # anybody there: the model knows whether it counts


class Verdict(Enum):
    COUNTS = auto()
    PASSED_OVER = auto()
    OFFENCE = auto()


HOLDER: Final = Role.HOLDER
LEADER: Final = Role.LEADER
REFLECTOR: Final = Role.REFLECTOR
MEMBER: Final = Role.MEMBER
COUNTS: Final = Verdict.COUNTS
PASSED_OVER: Final = Verdict.PASSED_OVER
OFFENCE: Final = Verdict.OFFENCE

SAYS: Final[dict[type, Role]] = {
    m.Joined: REFLECTOR,
    m.Left: REFLECTOR,
    m.Restored: REFLECTOR,
    m.Alarm: REFLECTOR,
    m.Moved: LEADER,
    m.Ended: LEADER,
}


def of_message(reflector: Reflector, node: Node, message: Any, role: Role) -> Verdict:
    """Of a message to be ordered, said by `node` of the session, which that role may say."""
    if role is REFLECTOR or getattr(message, "node", node) != node:
        return OFFENCE
    model = reflector.state.model
    right = model.rights.get(type(message))
    verdict = COUNTS if right is None else right(model, node, message)
    if role is LEADER:
        return _of_leader(reflector, node, message) if verdict is COUNTS else verdict
    return late(reflector, node) if verdict is PASSED_OVER and role is HOLDER else verdict


def _of_leader(reflector: Reflector, node: Node, message: Any) -> Verdict:
    """Of what only a leader says; that it ends may be known to others, if only by the same key."""
    ends = type(message) is m.Ended
    if ends and not reflector.carrier.is_end(message):
        return OFFENCE
    if node != reflector.state.leader and not ends:
        return PASSED_OVER
    if type(message) is m.Moved and reflector.place.is_at(message.place):
        return PASSED_OVER  # it was meant for an earlier incarnation of this one here
    return COUNTS


def late(reflector: Reflector, node: Node) -> Verdict:
    """Of something that `node` may have had the right to say before it was away for a while."""
    here = node in reflector.members and node not in reflector.recovery.returned
    return OFFENCE if here else PASSED_OVER


def of_arrival(host: Host, own: bool, node: Node, session: str, arrival: m.Arrive) -> Verdict:
    """Of an arrival: for itself, and as an observer on the host of its own process alone."""
    return COUNTS if arrival.node == node and (own or not arrival.observes) else OFFENCE


def of_open(host: Host, own: bool, node: Node, session: str, opening: m.Open) -> Verdict:
    """Of the opening of a session on this host: by whoever holds it in the session above."""
    place, up = opening.place, opening.place.parent()
    if place.address != host.address:
        return OFFENCE
    if own:
        return COUNTS
    above = None if up is None else host.reflectors.get(up.session)
    if up is None or above is None:
        return OFFENCE if up is None else PASSED_OVER
    model, child = above.state.model, up.towards(place.session)
    if not 0 <= child < model.children or list(opening.plan) != model.child_plan(child):
        return OFFENCE
    current = (*above.state.epoch, model.room.times(child))
    if opening.epoch > current or opening.again:
        return OFFENCE
    if model.room.holder(child) == node and opening.epoch == current:
        return COUNTS
    had = model.room.over(child) or model.room.gave(child, node)
    return PASSED_OVER if had else late(above, node)


def of_backup(host: Host, own: bool, node: Node, session: str, kept: m.Backup) -> Verdict:
    """Of facts that are to be kept: by whoever holds what they are about, or lies above that."""
    if own:
        return COUNTS
    above = host.reflectors.get(session)
    if not kept.session.startswith(session + "-"):
        return OFFENCE
    if above is None:
        return PASSED_OVER
    model, child = above.state.model, above.place.towards(kept.session)
    if not 0 <= child < model.children:
        return OFFENCE
    return COUNTS if model.room.holder(child) == node else PASSED_OVER


def of_key(host: Host, own: bool, node: Node, session: str, key: m.Key) -> Verdict:
    """Of a key that this host was given: by its own nodes, which have it from the session above."""
    return COUNTS if own else OFFENCE


# `own`: whether the node that says it is of the host's own process.
JUDGED: Final[dict[type, Callable[[Host, bool, Node, str, Any], Verdict]]] = {
    m.Arrive: of_arrival,
    m.Open: of_open,
    m.Backup: of_backup,
    m.Key: of_key,
}


def seal(key: bytes, epoch: Epoch, party: Any) -> bytes:
    """What shows that a process has followed that incarnation of a session."""
    return blake2b(canonical([epoch, party]), key=key, digest_size=16).digest() if key else b""


def key_below(key: bytes, top: str, session: str) -> bytes:
    """The key of `session`, which is `top` or lies below it, by that of `top`."""
    for child in session[len(top) + 1 :].split("-") if session != top else ():
        key = child_key(key, int(child))
    return key


def child_key(key: bytes, child: int) -> bytes:
    """The key of a child session; there is none where that of its parent is not known."""
    return blake2b(b"%d" % child, key=key, digest_size=16).digest() if key else b""
