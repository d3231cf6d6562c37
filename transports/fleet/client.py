"""One who submits to a fleet, on Trio.

Rules it keeps:
- It speaks to the root alone. What it has asked and has no answer to is said again whenever it is
  connected anew; for the root that is the same question, not another one.
- A connection that is lost is sought again for a while. A root that has begun anew is asked first
  which fleet it has. If that is the same, from a store, all questions are asked again; with their
  keys they are the same jobs. Else it knows nothing of what was asked before: then the fleet is
  lost, as it is where nobody answers any more. Nothing is submitted a second time by itself.
- It asks again one thing after the other, each when the one before has an answer: results may be
  large, and a root cuts off who does not read what waits for it.
- Of how a job goes only the latest news waits for whoever reads it.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import msgspec
import trio

from transports.fleet.bulk import Bulk, Said
from transports.fleet.errors import FleetLost, JobAbsent, Refused
from transports.fleet.job import unknown
from transports.net import wire
from transports.net.connection import ConnectError, Connections, Me, Peer
from transports.net.dialling import dial
from transports.net.figures import PATIENCE_SECONDS as PATIENCE_SECONDS
from transports.net.heartbeat import HEARTBEAT_SECONDS
from transports.net.peer import Link
from transports.net.security import Security
from transports.values.files import BlobError
from transports.values.handles import is_handle

TRY_SECONDS_MIN, TRY_SECONDS_MAX = 0.1, 1.0
HALT_SECONDS = 10.0  # for a root that was told to end
SUBMITTED_AT_ONCE = 2  # inputs may be large, and what waits to be sent has a bound
ANSWER_SECONDS = 10.0  # for a root that was reached to say which fleet it has, at least
FETCHES = 3  # of a result, each on a new connection
CUTS_MAX, CUT_SECONDS = 5, 1.0  # times that the connection is lost so soon after that was asked

News = wire.Progress | wire.Outcome


@attrs.define(eq=False)
class _Question:
    """What was asked, and the latest answer that nobody has read yet."""

    frame: bytes
    is_answer: Callable[[wire.Envelope], bool]
    answer: wire.Envelope | None = None
    lost: str = ""  # why there will be none
    heard: trio.Event = attrs.Factory(trio.Event)
    met: trio.Event = attrs.Factory(trio.Event)  # there was an answer since it was asked last
    again: float | None = None  # when it was asked again, if nothing else has been since
    cuts: int = 0  # how often the connection was lost soon after that

    async def read(self) -> Any:
        """The answer, or the next one. Raises FleetLost."""
        while self.answer is None:
            if self.lost:
                raise FleetLost(self.lost)
            self.heard = trio.Event()
            await self.heard.wait()
        answer, self.answer = self.answer, None
        return answer

    def hear(self, answer: wire.Envelope) -> None:
        """That is the answer now."""
        self.answer, self.again, self.cuts = answer, None, 0
        self.heard.set()
        self.met.set()

    def give_up(self, why: str) -> None:
        """There will be none."""
        self.lost = why
        self.heard.set()


class Client:
    """Connected to the root of a fleet, from `connect` to `close`."""

    def __init__(
        self,
        address: str,
        security: Security,
        nursery: trio.Nursery,
        patience_seconds: float = PATIENCE_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        dial: Callable[[str], Awaitable[trio.abc.Stream]] = dial,
    ) -> None:
        self.address = address
        self.on_output: Callable[[wire.Output], None] = _ignore
        self.on_note: Callable[[str], None] = _ignore
        self.user = ""  # for those who look at the jobs
        self._nursery = nursery
        self._patience = patience_seconds
        self._number = -1  # of the root's process
        self._root = address  # the same process, by its own name
        self._fleet: Any = None  # its id, once it is told
        self._doubtful = False  # another root is there, and it is not known whose
        self._questions: dict[_Question, None] = {}
        self._seeking = False  # the connection is lost, for now
        self._halted = False  # the fleet was told to end
        self._submitting = trio.Semaphore(SUBMITTED_AT_ONCE)
        self._asking_again = trio.CancelScope()
        self._over = trio.Event()  # nothing is asked any more
        self._why = ""  # it is over
        self._connections = Connections(
            Me(wire.random_number(), None),
            security,
            nursery,
            self._receive,
            self._lost,
            heartbeat_seconds=heartbeat_seconds,
            dial=dial,
        )
        self._bulk = Bulk(nursery, self._connections.send_back)

    @property
    def fleet(self) -> str:
        """The id of the fleet."""
        return str(self._fleet)

    async def connect(self) -> None:
        """Reach the root, and know which fleet it has. Raises ConnectError."""
        root = await self._connections.connect(self.address)
        self._number, self._root = root.number, root.name
        with trio.move_on_after(max(self._patience, ANSWER_SECONDS)):
            try:
                await self.status()
            except FleetLost as error:
                raise ConnectError(str(error)) from None
        if self._fleet is None:
            raise ConnectError(
                f"{self.address} is no root of a fleet, it may be that of one job: give the "
                "address of a 'serve'",
                final=True,
            )

    async def close(self) -> None:
        """Part; whoever still waits for an answer is told that the fleet is lost."""
        self._end(f"the connection to the fleet at {self.address} was closed")
        await self._connections.close()
        self._bulk.close()

    # -- what can be asked -----------------------------------------------------------------

    async def submit(
        self, spec: wire.Spec, key: bytes = b"", files: Mapping[str, str] | None = None
    ) -> int:
        """The number of the job, which is the same for the same key; without one it is a new job.
        Where `files`, digests by name, are others than the root has, `on_note` is told so.

        Raises Refused, TooLarge, FleetLost, BlobError; TypeError where the input is no plain data.
        """
        key = key or secrets.token_bytes(16)
        kinds = wire.Accepted, wire.Refused
        async with self._submitting, self._bulk.offered(spec.input) as said:
            spec = msgspec.structs.replace(spec, input=said)
            frame = wire.encode(wire.Submit(key, spec, self.user, dict(files or {})))
            answer = await self._ask(
                frame, lambda said: isinstance(said, kinds) and said.key == key
            )
        if isinstance(answer, wire.Refused):
            raise (JobAbsent if answer.absent else Refused)(answer.reason)
        if answer.note:
            self.on_note(answer.note)
        return int(answer.number)

    async def watch(self, number: int, outputs: bool = False) -> AsyncGenerator[News, None]:
        """How that job goes, whenever there is news, and at last its outcome; `on_output` hears
        of its `outputs`, where that is wanted. Raises FleetLost."""
        frame = wire.encode(wire.Watch(number, outputs))
        with self._asking(frame, _is_news(number)) as question:
            news: News | None = None
            while not isinstance(news, wire.Outcome):
                news = await question.read()
                yield await self._whole(news)

    async def latest(self, number: int) -> News:
        """How that job stands, at once; a large result stays where it is. Raises FleetLost."""
        news: News = await self._ask(wire.encode(wire.Watch(number)), _is_news(number))
        return news

    async def cancel(self, number: int) -> wire.Outcome:
        """End that job; its outcome, which is another one where it has ended before. Raises
        FleetLost."""
        with self._asking(wire.encode(wire.Cancel(number)), _is_news(number)) as question:
            while not isinstance(news := await question.read(), wire.Outcome):
                pass
        return news

    async def weigh(
        self, number: int, priority: int | None = None, weight: float | None = None
    ) -> wire.Weighed:
        """Have that job weigh so from now on; what it is and weighs now. Raises FleetLost."""
        frame = wire.encode(wire.Weigh(number, priority, weight))

        def is_answer(said: wire.Envelope) -> bool:
            return isinstance(said, wire.Weighed) and said.number == number

        answer: wire.Weighed = await self._ask(frame, is_answer)
        return answer

    async def status(self) -> dict[str, Any]:
        """How the fleet stands, as plain data; its jobs are `jobs`. Raises FleetLost."""
        answer = await self._ask(wire.encode(wire.Ask()), lambda said: isinstance(said, wire.Told))
        return dict(answer.status)

    async def log(self, number: int) -> dict[str, Any] | None:
        """What was raised and printed in that job, as plain data; None: there is no such job.
        Raises FleetLost."""
        answer = await self._ask(
            wire.encode(wire.Log(number)),
            lambda said: isinstance(said, wire.Logged) and said.number == number,
        )
        return None if answer.log is None else dict(answer.log)

    async def halt(self) -> None:
        """End the fleet. Returns when its root has parted, or after a while. Raises FleetLost."""
        await self.status()  # it is connected
        self._halted = True
        self._connections.send_back(self.address, wire.encode(wire.Halt()))
        with trio.move_on_after(HALT_SECONDS):
            await self._over.wait()

    async def _whole(self, news: News) -> News:
        """With a result that is too large for a message, if it can be had."""
        if not (isinstance(news, wire.Outcome) and is_handle(news.result)):
            return news
        why = ""
        for _ in range(FETCHES):
            try:
                result = await self._bulk.loaded(news.result, self._root)
                return msgspec.structs.replace(news, result=result)
            except BlobError as error:
                why = str(error)
                await self.status()  # it is connected, again maybe
        what = f"job {news.number} is {news.state}, but its result cannot be had"
        return unknown(news.number, f"{what}: {why}")

    # -- asking ----------------------------------------------------------------------------

    async def _ask(self, frame: bytes, is_answer: Callable[[wire.Envelope], bool]) -> Any:
        with self._asking(frame, is_answer) as question:
            return await question.read()

    @contextmanager
    def _asking(
        self, frame: bytes, is_answer: Callable[[wire.Envelope], bool]
    ) -> Iterator[_Question]:
        """It is asked, and asked again on each new connection, until this is left."""
        question = _Question(frame, is_answer)
        if self._over.is_set():
            question.give_up(self._why)
        self._questions[question] = None
        if not (self._seeking or self._doubtful):
            self._send(frame)
        try:
            yield question
        finally:
            del self._questions[question]
            question.met.set()

    def _send(self, frame: bytes) -> None:
        """To the root, if it is connected."""
        self._connections.send_back(self.address, frame)

    async def _receive(self, peer: Peer, envelope: wire.Envelope, link: Link) -> None:
        if isinstance(envelope, Said):
            return self._bulk.said(peer, envelope, link)
        if isinstance(envelope, wire.Output):
            return self.on_output(envelope)
        if isinstance(envelope, wire.Told):
            self._know(peer, envelope.status.get("fleet"))
        for question in self._questions:
            if question.is_answer(envelope):
                question.hear(envelope)
        return None

    # -- the connection --------------------------------------------------------------------

    def _lost(self, peer: Peer) -> None:
        """It is lost, or was not reached."""
        self._bulk.lost(peer)
        if self._over.is_set() or self._seeking or self._number < 0:
            return
        if self._halted:
            return self._end(f"the fleet at {self.address} was told to end")
        self._seeking = True
        self._asking_again.cancel()
        self._count_cut(peer.reason)
        self._nursery.start_soon(self._come_back, peer.reason)

    async def _come_back(self, why: str) -> None:
        """Be connected again, and ask again, or end it."""
        peer: Peer | None = None
        wait = TRY_SECONDS_MIN
        with trio.move_on_after(self._patience):
            while peer is None and not self._over.is_set():
                try:
                    peer = await self._connections.connect(self.address)
                except ConnectError as error:
                    why = str(error)
                    if error.final:
                        break
                    await trio.sleep(wait)
                    wait = min(2 * wait, TRY_SECONDS_MAX)
        if peer is None:
            self._end(f"the fleet at {self.address} is lost: {why}")
        else:
            await self._resume(peer)

    async def _resume(self, peer: Peer) -> None:
        """It is connected again, to the same root or another one."""
        self._seeking = False
        self._doubtful = peer.number != self._number
        if self._doubtful or self._fleet is None:
            self._send(wire.encode(wire.Ask()))
        if not self._doubtful:
            await self._ask_again()

    def _know(self, peer: Peer, fleet: Any) -> None:
        """The root says which fleet it has."""
        if not self._doubtful:
            self._fleet = fleet
        elif fleet is None or fleet != self._fleet:
            self._end(
                f"the fleet at {self.address} has begun anew, and knows nothing of what was "
                "submitted before: submit it again"
            )
        else:
            self._doubtful, self._number, self._root = False, peer.number, peer.name
            self._nursery.start_soon(self._ask_again)

    async def _ask_again(self) -> None:
        """Whatever has no answer, until the connection is lost again."""
        with trio.CancelScope() as self._asking_again:
            for question in list(self._questions):
                if question in self._questions and not question.lost:
                    question.met, question.again = trio.Event(), trio.current_time()
                    self._send(question.frame)
                    await question.met.wait()
                    question.again = None

    def _count_cut(self, why: str) -> None:
        """What it cannot be asked without being cut off is asked no more."""
        for question in self._questions:
            if question.again is not None:
                soon = trio.current_time() <= question.again + CUT_SECONDS
                question.again, question.cuts = None, question.cuts + 1 if soon else 0
                if question.cuts >= CUTS_MAX:
                    reason = f"is lost whenever it is asked that: {why}"
                    question.give_up(f"the connection to the fleet at {self.address} {reason}")

    def _end(self, why: str) -> None:
        """Nothing is asked any more."""
        if self._over.is_set():
            return
        self._why = why
        self._over.set()
        for question in self._questions:
            question.give_up(why)


def _ignore(said: object) -> None:
    pass


def _is_news(number: int) -> Callable[[wire.Envelope], bool]:
    """Whether it is about the job of that number."""
    return lambda said: isinstance(said, News) and said.number == number


@asynccontextmanager
async def connected(
    address: str,
    security: Security,
    patience_seconds: float = PATIENCE_SECONDS,
    dial: Callable[[str], Awaitable[trio.abc.Stream]] = dial,
) -> AsyncIterator[Client]:
    """A client for as long as this lasts. Raises ConnectError."""
    refused: ConnectError | None = None
    async with trio.open_nursery() as nursery:
        client = Client(address, security, nursery, patience_seconds, dial=dial)
        try:
            await client.connect()
        except ConnectError as error:
            refused = error
        else:
            yield client
        finally:
            with trio.CancelScope(shield=True):
                await client.close()
            nursery.cancel_scope.cancel()
    if refused is not None:
        raise refused
