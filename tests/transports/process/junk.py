"""What nobody in their right mind would say: of the right types, broken, and random. By a seed."""

from __future__ import annotations

import random
import types
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from core import Shape
from core import messages as m
from core.messages import Data, Value
from transports.net import wire
from transports.net.errors import RemoteProtocolError
from transports.net.frames import HEADER
from transports.process import soundness

INTEGERS = (0, 1, 2, 3, 5, 27, -1, 2**20, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64 - 1)
FLOATS = (0.0, 1.0, 0.5, -1.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"))
SHAS = (*["0" * 64, "ab" * 32] * 20, "f" * 63, "f" * 64 + "\n", "../" * 21 + "x")
GOOD = ("127.0.0.1:5001", "127.0.0.1:5002", "127.0.0.1:1", "nobody:80", "[::1]:0")
ADDRESSES = (*GOOD * 20, "x", "#3", "127.0.0.1:5001\n")
CLASSES = [cls for cls in get_args(wire.Envelope) if cls not in (wire.Hello, wire.Proof)]
CALLS = get_args(wire.Said)


class Junk:
    """Draws frames. `nodes` are those that it speaks for most of the time."""

    def __init__(
        self,
        seed: int,
        shape: Shape,
        nodes: range,
        snapshots: list[dict[str, Value]],
        calls: Sequence[Any] = CALLS,
    ) -> None:
        self.random = random.Random(seed)
        self.shape = shape
        self.nodes = nodes
        self.snapshots = snapshots
        self.calls = calls
        self.sessions = [*_sessions(shape)]

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    # -- of the right types --------------------------------------------------------------------

    def frame(self, *classes: Any) -> bytes:
        """One of these classes, or of all that there are."""
        while True:
            cls = self.random.choice(classes or (*CLASSES, *[wire.Call] * len(CLASSES)))
            data = msgspec.msgpack.encode(self.array(cls, tagged=True))
            if self.chance(0.02) or _decodes(data):  # the others do not get far
                return HEADER.pack(len(data)) + data

    def array(self, cls: Any, tagged: bool) -> list[Any]:
        hints = _hints(cls)
        names = cls.__struct_fields__
        drawn = {name: self.field(name, hints[name]) for name in names}
        if "session" in drawn and "node" in drawn and "call" in drawn and self.chance(0.8):
            self._agree(drawn)
        return [*([cls.__name__] if tagged else []), *drawn.values()]

    def _agree(self, drawn: dict[str, Any]) -> None:
        """A call that is of one piece, as far as that goes: it gets further."""
        name, *fields = drawn["call"]
        cls = next(cls for cls in get_args(wire.Said) if cls.__name__ == name)
        for i, known in enumerate(cls.__struct_fields__):
            if known == "node":
                fields[i] = drawn["node"]
            elif known == "session" and self.chance(0.5):
                fields[i] = f"{drawn['session']}-{self.pick(0, 1, 2, 3)}"
        drawn["call"] = [name, *fields]

    def field(self, name: str, hint: Any) -> Any:
        by_name = getattr(self, f"_{name}", None)
        if by_name is not None and hint is not m.Failure and self.chance(0.95):
            return by_name()
        return self.typed(hint)

    def typed(self, hint: Any) -> Any:
        origin, arguments = get_origin(hint), get_args(hint)
        if isinstance(hint, type) and issubclass(hint, Data):
            return self.array(hint, tagged=hint not in (m.Place, m.Failure, m.Past))
        if origin in (Union, types.UnionType):
            return self.typed(self.random.choice(arguments))
        if origin is tuple and arguments[-1] is not ...:
            return [self.typed(one) for one in arguments]
        if origin in (list, tuple):
            return [self.typed(arguments[0]) for _ in range(self.random.randrange(5))]
        if origin is dict:
            count = self.random.randrange(4)
            return {self.typed(arguments[0]): self.typed(arguments[1]) for _ in range(count)}
        if origin is not None:  # Annotated
            return self.typed(arguments[0])
        draws: dict[Any, Any] = {
            int: lambda: self.random.choice(INTEGERS),
            float: lambda: self.random.choice(FLOATS),
            str: lambda: self.pick("", "x", "\n", "0", "a" * 200),
            bytes: lambda: self.random.randbytes(self.random.randrange(40)),
            bool: lambda: self.chance(0.5),
            type(None): lambda: None,
        }
        return draws.get(hint, self.value)()

    def value(self) -> Value:
        """A job's value, or what is in the place of one."""
        deep: Any = None
        kind = self.random.randrange(12)
        if kind == 0 and self.chance(0.3):
            for _ in range(self.pick(3, 99, 120, 400)):
                deep = [deep] if self.chance(0.5) else {"": deep}
        return self.pick(
            deep,
            self.random.choice(INTEGERS),
            self.random.choice(FLOATS),
            "x" * self.pick(0, 1, 3000),
            b"\xff" * 9,
            {"\0blob": self.random.choice(SHAS), "size": self.random.choice(INTEGERS)},
            {"\0blob": "ab" * 32, "size": 3000},
            {"\0blob": [], "size": {}},
            [[], {}, None],
            True,
            self.pick(*["x"] * 20, {1: 2}, msgspec.msgpack.Ext(7, b"x")),
        )

    # -- fields, by name -----------------------------------------------------------------------

    def _call(self) -> list[Any]:
        return self.array(self.random.choice(self.calls), tagged=True)

    def _offset(self) -> Any:
        return self.pick(*[0, 1, 2**18, 2**31] * 5, 2**32, 2**64 - 1, -1)

    _size = _offset

    def _session(self) -> Any:
        if self.chance(0.93):
            return self.random.choice(self.sessions)
        if self.chance(0.9):
            return self.pick("1", "0-9", "0-00", "0-0-0-0-0")
        return self.pick("", "0\n", "1", "0-9", "0-00", "0-0-0-0-0", "0" + "-0" * 450, "0--1")

    _bound = _session

    def _node(self) -> Any:
        if self.chance(0.9):
            return self.random.choice(self.nodes)
        return self.pick(*INTEGERS, (2 << 20) + 1, (3 << 20) + 2, 1 << 20, self.nodes.stop)

    def _address(self) -> Any:
        return self.pick(None, *ADDRESSES)

    def _route(self) -> list[str]:
        return [self.pick(*ADDRESSES[:2]) for _ in range(self.random.randrange(1, 5))]

    def _place(self) -> list[Any]:
        session = self._session()
        depth = session.count("-") + (1 if self.chance(0.8) else self.random.randrange(-1, 3))
        return [session, [self.random.choice(ADDRESSES[:3]) for _ in range(max(1, depth))]]

    def _epoch(self) -> list[int]:
        return [self.pick(1000, 1, 2, 2**62, -1) for _ in range(self.random.randrange(5))]

    def _slot(self) -> Any:
        return self.pick(None, 0, 1, 2, 3, -1, 2**40)

    def _slots(self) -> list[int]:
        return [self.pick(0, 1, 2, 0, 1, 2, -1, 3) for _ in range(self.random.randrange(4))]

    _claims = _slots

    def _outputs(self) -> list[Value]:
        return [self.value() for _ in range(self.random.randrange(4))]

    def _facts(self) -> dict[int, Any]:
        count = self.random.randrange(3)
        return {self.pick(0, 1, 2, 0, 1, 2, 3, -1): self._fact() for _ in range(count)}

    def _fact(self) -> Any:
        seconds = self.pick(1.0, 0.0, *FLOATS)
        return self.pick(*[[self.value(), seconds]] * 8, [self.value()], [1, "x"], self.value())

    def _context(self) -> Any:
        """What else is known of a session, mostly with all that belongs to it."""
        if self.chance(0.4):
            return None
        context = {
            "given": self.chance(0.5),
            "input": self.value(),
            "inputs": self.pick(None, self._inputs()),
            "had": self._had(),
        }
        if self.chance(0.3):
            context[self.pick("x", *context)] = self.value()
        return self.value() if self.chance(0.1) else context

    def _had(self) -> Any:
        slots = [0, 1, 2, 0, 1, 2, 3, -1]
        return [[self.pick(*slots), [self._node()]] for _ in range(self.random.randrange(3))]

    def _key(self) -> bytes:
        return self.random.randbytes(self.pick(0, 16, 16, 16, 17, 64))

    _seal = _key

    def _end(self) -> bytes:
        return self.random.randbytes(32)

    def _failure(self) -> Any:
        """As plain data."""
        if self.chance(0.5):
            return None
        plain: dict[str, Any] = m.Failure("0", self.pick(None, 1), "x").plain()
        if self.chance(0.3):
            plain[self.pick("x", *plain)] = self.value()
        return self.value() if self.chance(0.1) else plain

    def _inputs(self) -> list[Value]:
        return [self.value() for _ in range(self.pick(0, 2, 3, 3, 3))]

    def _sha(self) -> str:
        return self.random.choice(SHAS)

    def _plan(self) -> Any:
        if self.chance(0.1):
            return self.value()
        shape = self.shape
        for part in self._session().split("-")[1:]:
            if part.isdigit() and not shape.leaf and int(part) < shape.slots:
                shape = shape.child(int(part))
        plan: list[Any] = shape.plain()
        if self.chance(0.3):
            plan[self.random.randrange(1, 5)] = self.random.choice(INTEGERS)
        return plan

    def _again(self) -> bool:
        return self.chance(0.1)

    def _seq(self) -> Any:
        return self.pick(*range(12), 1000, 2**62, -1)

    def _seconds(self) -> Any:
        return self.pick(1.0, 0.0, *FLOATS)

    def _about(self) -> Any:
        return self.pick(None, self._seconds(), self._seconds(), self.value())

    def _digests(self) -> dict[str, str]:
        names = self.random.sample(sorted(soundness.FIELDS), 5)
        return {name: self.pick("x", "0" * 32, "y" * 200) for name in names}

    def _snapshot(self) -> dict[str, Value]:
        """That of a real session, with something changed, or junk."""
        if self.chance(0.1):
            return {"outputs": self.value(), "plan": self.value()}
        snapshot = dict(self.random.choice(self.snapshots))
        for _ in range(self.random.randrange(3)):
            self._spoil(snapshot)
        return snapshot

    def _spoil(self, snapshot: dict[str, Any]) -> None:
        name = self.random.choice(sorted(snapshot))
        value, known = snapshot[name], [self._node(), 0, 1, 2, 3, -1, True, None, self.value()]
        if type(value) is bytes and self.chance(0.8):
            snapshot[name] = bytes(self.pick(0, 1, 1, 2) for _ in value)
        elif type(value) is list and self.chance(0.8):  # an entry of a column, or one more pair
            value = [*value] if value else [self.pick([0, self._node()], self._node())]
            entry = value[at := self.random.randrange(len(value))]
            if type(entry) is list and entry and self.chance(0.8):
                value[at] = [*entry[:-1], self.pick(*known, [self._node()])]
            else:
                value[at] = self.pick(*known, *FLOATS)
            snapshot[name] = value + value[:1] if self.chance(0.1) else value
        elif self.chance(0.1):
            del snapshot[name]
            snapshot[self.pick("x", name)] = None
        else:
            snapshot[name] = self.pick(self.value(), [], [1], None, 3, -1, True)

    # -- not even that -------------------------------------------------------------------------

    def broken(self, frame: bytes) -> bytes:
        """A real frame that something has happened to on the way; the header is good."""
        data = bytearray(frame[HEADER.size :])
        for _ in range(self.pick(1, 1, 2, 5)):
            at = self.random.randrange(len(data)) if data else 0
            match self.random.randrange(5):
                case 0 if data:
                    data[at] ^= 1 << self.random.randrange(8)
                case 1:
                    del data[at:]
                case 2:
                    data[at:at] = self.random.randbytes(self.pick(1, 2, 9))
                case 3:
                    data += self.random.randbytes(self.pick(1, 30))
                case _ if data:
                    data[at] = self.random.randrange(256)
        return HEADER.pack(len(data)) + bytes(data)

    def noise(self) -> bytes:
        """Random bytes in a good frame."""
        data = self.random.randbytes(self.random.randrange(60))
        return HEADER.pack(len(data)) + data


def _decodes(data: bytes) -> bool:
    try:
        wire.decode(data)
    except RemoteProtocolError:
        return False
    return True


_hints = lru_cache(get_type_hints)


def _sessions(shape: Shape) -> Iterator[str]:
    yield shape.session
    if not shape.leaf:
        for slot in range(shape.slots):
            yield from _sessions(shape.child(slot))
