"""A session with a board as its model, on which people write lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from core.sessions import Model, Room, Session
from core.sessions import messages as m
from core.sessions.messages import Address, Data, Facts, Node, Value
from core.sessions.model import Handler, Membership

THERE = m.Place("0-1", (0, 5))


class Written(Data, frozen=True):
    """Participant, when it has something to write at that line."""

    node: Node
    line: int
    text: str


class Read(Data, frozen=True):
    """To the leader: read out all lines."""

    lines: int


class Hurry(Data, frozen=True):
    """To a participant: somebody waits."""


class Board(Model):
    """Lines by number, of which the first that was written counts, and who is there to write."""

    __slots__ = ("lines", "title", "writers")

    def __init__(self, plan: Value, people: Membership) -> None:
        super().__init__(plan, people, Room(), children=plan["children"])
        self.lines: dict[int, str] = {}
        self.title: Value = None
        self.writers: list[tuple[Node, Value]] = []

    def joined(self, node: Node, about: Value, claims: tuple[int, ...], now: float) -> None:
        self.writers.append((node, about))
        for line in claims:
            self._add(line, f"{node} at {now}")

    def left(self, node: Node, now: float) -> None:
        self.writers = [entry for entry in self.writers if entry[0] != node]

    def direct_leader(self, now: float) -> None:
        assert self.people.leader is not None
        self.people.tell(self.people.leader, Read(len(self.lines)))

    def late(self, now: float) -> None:
        for node, _ in self.writers:
            self.people.tell(node, Hurry())

    def _written(self, written: Written, now: float) -> None:
        self._add(written.line, written.text)

    def _add(self, line: int, text: str) -> None:
        if line not in self.lines:
            self.lines[line] = text
            self.people.note([line])

    def facts(self, numbers: Iterable[int] | None = None) -> Facts:
        chosen = self.lines if numbers is None else numbers
        return {line: self.lines[line] for line in chosen if line in self.lines}

    def context(self) -> Value:
        return self.title

    def merge(self, facts: Facts, context: Value, now: float) -> None:
        self.title = context if self.title is None else self.title
        self.lines = {**facts, **self.lines}
        self.people.note()

    def plain(self) -> dict[str, Value]:
        return {
            "lines": [list(entry) for entry in self.lines.items()],
            "title": self.title,
            "writers": [list(entry) for entry in self.writers],
        }

    def load(self, plain: dict[str, Value]) -> None:
        self.lines, self.title = dict(plain["lines"]), plain["title"]
        self.writers = [(node, about) for node, about in plain["writers"]]

    handles: ClassVar[dict[type, Handler]] = {Written: _written}


def board(children: int = 0) -> Session:
    return Session("0", (1, 2), Board, {"children": children})


def joined(
    node: Node, address: Address | None = None, observes: bool = False, about: Value = None
) -> m.Joined:
    return m.Joined(node, address, about, (), observes)


def with_people(*nodes: Node, children: int = 0, address: Address | None = None) -> Session:
    state = board(children)
    for node in nodes:
        state.apply(0.0, joined(node, address))
    return state
