"""What must be so when the submitter's process begins again, with whichever store."""

from __future__ import annotations

from core.sessions import Store
from tests.core.harness import SUBMITTER
from tests.core.stepping import WORK, back, compute, crash, finish, restart, tree, wait


def again_and_again(store: Store | None, times: int) -> None:
    """It goes on as many times as it is restarted, and nothing is computed again."""
    net = tree(27, 3, 9, store=store)
    for time in range(times):
        compute(net, 1, 2, 3, 4)
        crash(net)
        compute(net, 5, 6)
        restart(net)
        wait(net, back(net, 1, 2, 3))
        assert net.reflector("0").state.epoch == (time + 2,)
    finish(net)
    assert net.repeated == []


def with_what_only_the_store_knows(store: Store) -> None:
    """None of that is computed again."""
    net = tree(8, 2, 2, listens=False, store=store)
    compute(net, 1, 1, 1, 2)  # 0-0-0 is complete, 0-0-1 and 0-1-0 are half done
    for node in (SUBMITTER, 1, 2):  # and with them every replica
        net.leave(node)
    net.settle(WORK)
    restart(net)
    net.arrive(3, listens=False)
    finish(net)
    assert net.repeated == []


def once(store: Store) -> None:
    """For stores that look, after each message, whether they would load the same."""
    net = tree(9, 3, store=store)
    for node in range(1, 6):
        net.arrive(node, listens=node % 2 == 0)
    net.settle(WORK)
    compute(net, 1, 2, 3)
    crash(net)
    restart(net)
    finish(net)
