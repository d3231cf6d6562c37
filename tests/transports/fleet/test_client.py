"""One who submits: what it says, what it understands, what it does where the connection is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from core.messages import Failure
from tests.transports.fleet.standin import Root, met
from tests.transports.talking import HERE, Net, settled
from transports.fleet.client import Client, News
from transports.fleet.errors import FleetLost, Refused
from transports.net import wire
from transports.net.connection import ConnectError

KEY = b"k" * 16
SPEC = wire.Spec("plugins.demo", {}, [1, 2])


def progress(number: int, accepted: int) -> wire.Progress:
    return wire.Progress(number, "running", 0, 3, 10, accepted)


def done(number: int, result: wire.Value = None) -> wire.Outcome:
    return wire.Outcome(number, "done", result)


def accepting(said: wire.Envelope) -> list[wire.Envelope]:
    """A root that takes every job."""
    return [wire.Accepted(said.key, 1)] if isinstance(said, wire.Submit) else []


async def watched(client: Client, number: int) -> list[News]:
    async with aclosing(client.watch(number)) as news:
        return [one async for one in news]


class Asked:
    """Something that is asked in a task of its own; `came` is what came of it."""

    def __init__(self, net: Net, what: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        self.came: Any = None
        net.nursery.start_soon(self._ask, what, arguments)

    async def _ask(self, what: Callable[..., Awaitable[Any]], arguments: Any) -> None:
        try:
            self.came = await what(*arguments)
        except (FleetLost, Refused) as error:
            self.came = error


# -- what is asked -------------------------------------------------------------------------


async def test_a_job_is_submitted_and_has_a_number(net: Net, clock: MockClock) -> None:
    root = Root(net, accepting)
    assert await (await met(net)).submit(SPEC, KEY) == 1
    assert root.heard == [wire.Submit(KEY, SPEC)]


async def test_each_submission_without_a_key_is_a_new_job(net: Net, clock: MockClock) -> None:
    root = Root(net, accepting)
    client = await met(net)
    for _ in range(2):
        await client.submit(SPEC)
    one, other = root.heard
    assert isinstance(one, wire.Submit)
    assert isinstance(other, wire.Submit)
    assert one.key != other.key


async def test_a_refusal_is_told(net: Net, clock: MockClock) -> None:
    Root(net, lambda said: [wire.Refused(KEY, "it is not allowed")])
    with pytest.raises(Refused, match=r"^it is not allowed$"):
        await (await met(net)).submit(SPEC, KEY)


async def test_answers_to_others_are_not_taken_for_ones_own(net: Net, clock: MockClock) -> None:
    other = b"o" * 16
    Root(net, lambda said: [wire.Refused(other, "no"), wire.Accepted(KEY, 5)])
    assert await (await met(net)).submit(SPEC, KEY) == 5


@pytest.mark.parametrize("value", [2**70, "\udc80"], ids=ascii)
async def test_an_input_that_does_not_travel_is_not_sent(
    net: Net, clock: MockClock, value: Any
) -> None:
    root = Root(net, accepting)
    with pytest.raises(TypeError, match=r"^the input is no plain data: "):
        await (await met(net)).submit(wire.Spec("plugins.demo", {}, value), KEY)
    assert root.heard == []


async def test_news_of_a_job_come_until_its_outcome(net: Net, clock: MockClock) -> None:
    root = Root(net)
    told = Asked(net, watched, await met(net), 3)
    await settled()
    for news in (progress(3, 1), progress(4, 9), progress(3, 2), done(3, "result"), done(4)):
        root.say(news)
        await settled()
    assert root.heard == [wire.Watch(3)]
    assert told.came == [progress(3, 1), progress(3, 2), done(3, "result")]


async def test_only_the_latest_news_wait(net: Net, clock: MockClock) -> None:
    root = Root(net)
    client = await met(net)
    async with aclosing(client.watch(3)) as news:
        root.answer = lambda said: [progress(3, 0)]
        assert await anext(news) == progress(3, 0)
        for accepted in range(1, 6):
            root.say(progress(3, accepted))
        await settled()
        assert await anext(news) == progress(3, 5)


async def test_many_can_watch_the_same_job(net: Net, clock: MockClock) -> None:
    root = Root(net)
    client = await met(net)
    told = [Asked(net, watched, client, 3) for _ in range(3)]
    await settled()
    root.say(done(3))
    await settled()
    assert [one.came for one in told] == 3 * [[done(3)]]


async def test_cancelling_tells_how_it_ended(net: Net, clock: MockClock) -> None:
    ended = wire.Outcome(3, "cancelled", failure=Failure("3", None, "it was cancelled"))
    root = Root(net, lambda said: [progress(3, 2), ended])
    assert await (await met(net)).cancel(3) == ended
    assert root.heard == [wire.Cancel(3)]


async def test_how_the_fleet_stands_is_plain_data(net: Net, clock: MockClock) -> None:
    status: dict[str, wire.Value] = {"jobs": [], "nodes": 3, "fleet": "one"}
    Root(net).status = status
    assert await (await met(net)).status() == status


async def test_a_fleet_that_is_told_to_end_is_not_sought(net: Net, clock: MockClock) -> None:
    root = Root(net)
    client = await met(net)
    halting, watching = Asked(net, client.halt), Asked(net, watched, client, 3)
    await settled()
    assert root.heard[-1] == wire.Halt()
    await root.connections.close()
    await settled()
    assert halting.came is None
    assert str(watching.came) == f"the fleet at {HERE} was told to end"
    assert net.dialled == [HERE]


# -- the connection ------------------------------------------------------------------------


async def test_whoever_is_not_there_is_not_waited_for(net: Net, clock: MockClock) -> None:
    with pytest.raises(ConnectError, match="nobody listens there"):
        await met(net)


async def test_what_has_no_answer_is_asked_again(net: Net, clock: MockClock) -> None:
    root = Root(net)
    client = await met(net)
    number = Asked(net, client.submit, SPEC, KEY)
    await settled()
    told = Asked(net, watched, client, 3)
    await settled()
    root.cut()
    await settled()
    submit, watch = wire.Submit(KEY, SPEC), wire.Watch(3)
    assert root.heard == [submit, watch, submit]
    root.say(wire.Accepted(KEY, 4))
    await settled()
    assert root.heard[3:] == [watch]
    root.say(done(3))
    await settled()
    assert (number.came, told.came) == (4, [done(3)])
    root.cut()
    await settled()
    assert len(root.heard) == 4  # it has all its answers


async def test_it_asks_again_when_it_has_an_answer_to_what_was_before(
    net: Net, clock: MockClock
) -> None:
    root = Root(net)
    client = await met(net)
    for number in (3, 4, 5):
        Asked(net, watched, client, number)
        await settled()
    for number in (3, 4):  # the connection is lost again before all have been asked for
        root.heard.clear()
        root.cut()
        await settled()
        assert root.heard == [wire.Watch(number)]
        root.say(done(number))
        await settled()
        assert root.heard[1:] == [wire.Watch(number + 1)]


async def test_what_it_is_cut_off_for_is_asked_no_more_and_all_else_is_answered(
    net: Net, clock: MockClock
) -> None:
    """Both ends may differ in what they take."""
    root = Root(net)
    client = await met(net)

    def cutting(said: wire.Envelope) -> list[wire.Envelope]:
        if isinstance(said, wire.Submit):
            root.cut()
        return [done(said.number)] if isinstance(said, wire.Watch) else []

    root.answer = cutting
    asked, other = Asked(net, client.submit, SPEC, KEY), Asked(net, watched, client, 7)
    while not any(isinstance(said, wire.Submit) for said in root.heard):  # a thread is at it first
        await trio.lowlevel.checkpoint()
    await trio.sleep(60)
    assert isinstance(asked.came, FleetLost)
    assert "it closed the connection" in str(asked.came)
    assert other.came == [done(7)]
    assert 1 < len([said for said in root.heard if isinstance(said, wire.Submit)]) < 10
    assert (await client.status())["fleet"] == "one"


async def test_what_is_asked_meanwhile_is_asked_when_it_is_back(net: Net, clock: MockClock) -> None:
    root = Root(net)
    client = await met(net)
    del net.parties[HERE]
    root.cut()
    await settled()
    number = Asked(net, client.submit, SPEC, KEY)
    await settled()
    assert root.heard == []
    net.parties[HERE], root.answer = root, accepting
    await trio.sleep(2)
    assert number.came == 1


@pytest.mark.parametrize("patience", [3.0, 30.0])
async def test_a_fleet_that_does_not_come_back_is_lost(
    net: Net, clock: MockClock, patience: float
) -> None:
    root = Root(net)
    client = await met(net, patience_seconds=patience)
    told = Asked(net, watched, client, 3)
    await settled()
    began = trio.current_time()
    del net.parties[HERE]
    root.cut()
    await trio.sleep(patience - 0.1)
    assert told.came is None
    await trio.sleep(0.2)
    assert isinstance(told.came, FleetLost)
    assert str(told.came).startswith(f"the fleet at {HERE} is lost: {HERE}: nobody listens there")
    assert trio.current_time() - began < patience + 1
    with pytest.raises(FleetLost):
        await client.status()


async def test_a_root_that_has_begun_anew_is_another_fleet(net: Net, clock: MockClock) -> None:
    root = Root(net)
    client = await met(net)
    number = Asked(net, client.submit, SPEC, KEY)
    await settled()
    another = Root(net, accepting, fleet="another")
    root.cut()
    await settled()
    assert isinstance(number.came, FleetLost)
    assert "has begun anew" in str(number.came)
    assert another.heard == []


async def test_a_root_that_has_no_fleet_is_refused(net: Net, clock: MockClock) -> None:
    """The host of one job, say, which takes nothing that a fleet is asked."""
    root = Root(net)
    root.status = {"job": "plugins.demo"}
    with pytest.raises(ConnectError, match="is no root of a fleet") as raised:
        await met(net)
    assert raised.value.final
    assert root.heard == []


async def test_one_that_is_there_in_its_place_is_another(net: Net, clock: MockClock) -> None:
    root = Root(net)
    client = await met(net)
    told = Asked(net, watched, client, 3)
    await settled()
    another = Root(net)
    another.status = {}
    root.cut()
    await settled()
    assert "has begun anew" in str(told.came)
    assert another.heard == []


async def test_a_root_that_has_begun_anew_with_its_store_is_the_same_fleet(
    net: Net, clock: MockClock
) -> None:
    """All that has no answer is asked again, also of the next one."""
    root = Root(net)
    client = await met(net)
    number = Asked(net, client.submit, SPEC, KEY)
    await settled()
    told = Asked(net, watched, client, 3)
    await settled()
    ended = Asked(net, client.cancel, 4)
    await settled()
    asked = [wire.Submit(KEY, SPEC), wire.Watch(3), wire.Cancel(4)]
    for _ in range(2):
        before, root = root, Root(net)
        before.cut()
        await settled()
        assert root.heard == asked[:1]
    for so_far, answer in enumerate((wire.Accepted(KEY, 5), done(3), done(4)), 1):
        assert root.heard == asked[:so_far]
        root.say(answer)
        await settled()
    assert (number.came, told.came, ended.came) == (5, [done(3)], done(4))


async def test_nothing_is_asked_before_it_is_known_which_fleet_it_is(
    net: Net, clock: MockClock
) -> None:
    root = Root(net)
    client = await met(net)
    await settled()
    root, before = Root(net, accepting), root
    root.receiving = trio.Event()
    before.cut()
    await settled()
    number, status = Asked(net, client.submit, SPEC, KEY), Asked(net, client.status)
    await settled()
    assert root.heard == []
    root.receiving.set()
    await settled()
    assert (number.came, status.came) == (1, {"fleet": "one"})
    assert root.heard == [wire.Submit(KEY, SPEC)]


async def test_a_root_that_dies_before_it_says_so_is_sought_again(
    net: Net, clock: MockClock
) -> None:
    root = Root(net)
    client = await met(net)
    told = Asked(net, watched, client, 3)
    await settled()
    silent, before = Root(net), root
    silent.receiving = trio.Event()
    before.cut()
    await settled()
    root = Root(net, lambda said: [done(3)])
    silent.cut()
    await settled()
    assert told.came == [done(3)]
    assert root.heard == [wire.Watch(3)]


async def test_closing_tells_those_who_wait(net: Net, clock: MockClock) -> None:
    Root(net)
    client = await met(net)
    told = Asked(net, watched, client, 3)
    await settled()
    await client.close()
    await settled()
    assert str(told.came) == f"the connection to the fleet at {HERE} was closed"
    assert net.dialled == [HERE]


async def test_many_large_inputs_are_not_too_much_at_once(net: Net, clock: MockClock) -> None:
    Root(net, accepting)
    client = await met(net)
    large = wire.Spec("plugins.demo", {}, bytes(15 * 2**20))
    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(client.submit, large)
    assert net.dialled == [HERE]
