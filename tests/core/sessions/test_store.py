"""What a host keeps in its store, and how it begins with that."""

from __future__ import annotations

from core import Computation, Session, Shape
from core import messages as m
from core.messages import Message
from core.sessions.digest import digest
from sim.store import MemoryStore
from tests.core import restarting
from tests.core.harness import SUBMITTER, Net
from tests.core.stepping import WORK, compute, crash


def test_a_new_incarnation_takes_the_place_of_the_older_one_with_its_first_message() -> None:
    store = MemoryStore()
    net = Net(Shape.root(4, 4), store=store)
    net.submit()
    net.arrive(1)
    net.settle(WORK)
    compute(net, 1, 1)
    assert len(store.logs["0"][2]) == net.reflector("0").state.seq == 6
    crash(net)
    net.restart()
    assert len(store.logs["0"][2]) == 6
    net.step((SUBMITTER, SUBMITTER))  # it opens the root
    epoch, _, entries = store.logs["0"]
    assert epoch == (2,)
    assert [type(message) for _, message in entries] == [m.Restored]


class Watched(MemoryStore):
    """Compares what it would load with the session, after each message."""

    def append(self, state: Session, now: float, message: Message) -> None:
        super().append(state, now, message)
        loaded = next(other for other in self.load(Computation) if other.name == state.name)
        assert digest(loaded.snapshot()) == digest(state.snapshot())


def test_what_is_loaded_is_the_session_after_each_message() -> None:
    restarting.once(Watched())
