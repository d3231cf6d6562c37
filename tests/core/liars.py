"""What one who lies may say: any well-typed thing, of any session, in any name."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import strategies as st

from core import messages as m
from core.messages import Call, Place, Reply, Value
from core.sessions import Session
from core.sessions.roles import seal
from tests.core.harness import ROOT_KEY

WRONG = "a lie"
LIAR = 6
NOW = (2,)  # the incarnation of the root that it follows
SEAL = seal(ROOT_KEY, NOW, LIAR)

numbers = st.integers(-1, 4) | st.integers(-(2**63), 2**63 - 1)
slots = st.tuples(st.integers(0, 2)) | st.lists(numbers, max_size=4).map(tuple)
nodes = st.integers(1, 4) | st.integers(-1, 9) | st.integers()
seconds = st.sampled_from([0.0, 0.1]) | st.floats()
names = st.sampled_from(
    ["0", "0-0", "0-1", "0-2", "0-1-0", "0-1-1", "0-1-1-1", "0-9", "0-x", "0-", "0--1", "1", ""]
) | st.text("0123456789-x", max_size=6)
addresses = st.none() | st.integers(-1, 9)
places = st.builds(Place, names, st.lists(addresses, min_size=1, max_size=4).map(tuple))
epochs = st.just((1,)) | st.lists(st.integers(0, 3) | st.integers(), max_size=4).map(tuple)
keys = st.sampled_from([b"", b"a guess"]) | st.binary(max_size=20)
values: st.SearchStrategy[Value] = st.sampled_from([WRONG, [WRONG], None]) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
pieces = st.tuples(names, st.none() | numbers, st.text(max_size=3))
losses = st.tuples(numbers, st.lists(pieces, max_size=3).map(tuple))
outputs = st.tuples(values, seconds) | st.tuples(values, seconds, losses)
facts = st.dictionaries(numbers, outputs, max_size=4)
plans = st.tuples(names, numbers, numbers, numbers, numbers, st.booleans()).map(list) | st.just(
    ["0-1", 3, 3, 1, 3, False]
)
contexts = st.none() | st.fixed_dictionaries(
    {
        "given": st.booleans(),
        "input": values,
        "inputs": st.none() | st.lists(values, min_size=3, max_size=3),
        "had": st.lists(st.tuples(numbers, st.lists(nodes, max_size=2)).map(list), max_size=3),
    }
)
failures = st.builds(m.Failure, st.just("0") | names, st.none() | numbers, st.text(max_size=3))
ended = st.builds(m.Ended, values, values, keys)


@attrs.frozen
class Forged:
    """A replica in which some more is done, with another output."""

    output: Value
    done: list[bool]

    def of(self, state: Session) -> Call:
        snapshot = state.snapshot()
        count = len(snapshot["done"])
        done = [old or new for old, new in zip(snapshot["done"], self.done, strict=False)]
        outputs = [self.output if new else None for new in done]
        worker = [None if new else old for old, new in zip(snapshot["worker"], done, strict=False)]
        counted = {
            "remaining": count - sum(done),
            "free": sum(not new and who is None for who, new in zip(worker, done, strict=True)),
            "helpers": [],
        }
        changed = {"done": bytes(done), "outputs": outputs, "worker": worker, **counted}
        return m.StateTransfer({**snapshot, **changed})


forged = st.builds(Forged, values, st.lists(st.booleans(), min_size=40, max_size=40))


@st.composite
def finished(draw: st.DrawFn, who: st.SearchStrategy[int]) -> m.Finished:
    """Mostly with as many outputs as slots."""
    numbered = draw(slots)
    size = len(numbered) if draw(st.integers(0, 4)) else draw(st.integers(0, 5))
    outputs = draw(st.lists(values, min_size=size, max_size=size))
    lost = draw(st.none() | st.none() | losses)
    return m.Finished(draw(who), numbered, outputs, draw(seconds), lost)


def said_by(who: int, seal: bytes) -> st.SearchStrategy[Any]:
    """What `who`, who has that seal, may say to a host, mostly in its own name.

    A `Forged` is yet to be `made`.
    """
    named = st.just(who) | st.just(who) | nodes
    arrivals = st.builds(
        m.Arrive, named, addresses, st.none() | seconds, st.none() | pasts(seal), st.booleans()
    )
    inputs = st.lists(values, min_size=3, max_size=3) | st.lists(values, max_size=5)
    return st.one_of(
        finished(named),
        st.builds(m.Failed, named, st.none() | numbers, failures, st.booleans(), numbers),
        st.builds(m.Given, values),
        st.builds(m.Prepared, inputs),
        st.builds(m.Moved, named, places),
        ended,
        st.builds(m.Joined, named, addresses, st.none() | seconds, slots, st.booleans()),
        st.builds(m.Left, named),
        st.builds(m.Restored, facts, contexts),
        st.builds(m.Alarm),
        arrivals,
        st.builds(m.Leave),
        st.builds(m.Vote, epochs, numbers, st.dictionaries(st.text(max_size=6), st.text())),
        st.builds(m.Backup, names, facts),
        st.builds(m.Key, names, keys),
        st.builds(m.Open, places, epochs, plans, st.booleans()),
        forged,
    )


def pasts(seal: bytes) -> st.SearchStrategy[m.Past]:
    """What somebody may claim to have from before who has that seal."""
    return st.builds(m.Past, st.just("") | names, slots, epochs, numbers, st.just(seal) | keys)


replies: st.SearchStrategy[Reply] = st.one_of(
    st.builds(m.Redirect, places),
    st.builds(m.Wait),
    st.builds(m.TurnedAway, seconds),
    st.builds(m.Absent),
    st.builds(m.SendState),
    st.builds(m.Backup, names, facts),
    st.builds(m.Key, names, keys),
    st.builds(m.Stop, ended),
)


def made(said: Any, state: Session) -> Any:
    """What is said, of a session in that state."""
    return said.of(state) if isinstance(said, Forged) else said
