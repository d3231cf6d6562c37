"""A computing process: runs the functions of a job, one call after the other, and nothing else.

Rules it keeps:
- It is started with a socket to the process it works for, and a page of memory that both can see.
  Standard input is empty, standard output goes to standard error: a job may print, and close what
  it likes.
- Before it begins a call it writes its number to the page, and before each piece its place in the
  call. So it is known what it was at when it dies, and which calls it has not begun: those can be
  taken back, by a word in the page, while it is busy.
- Whatever a function raises is the call's result; what it returns must be plain data. Large values
  are read from and written to the folder of blobs here; where that fails it is not the job's fault.
- It never outlives the process that it works for, not even in the middle of a call.

Nothing here imports the event loop, so that the process starts quickly.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from mmap import mmap
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from core.cutting import Shape
from core.messages import Value
from plugins.console import streams
from plugins.jobs.failing import is_local, told
from plugins.jobs.loading import Job, cut, load
from plugins.jobs.values import SCALARS
from transports.values.files import BlobError, NoRoom, loaded, stored
from transports.work.code import Code, job_of
from transports.work.forking import Forks, came_back_line
from transports.work.page import PAGE_BYTES as PAGE_BYTES  # for others, too
from transports.work.page import words

COMPUTE, PREPARE, COLLECT, WHOLE = range(4)
OF_THE_JOB, OF_THE_MACHINE, MISSING, NO_ROOM = range(4)  # faults
KINDS = ("compute", "prepare", "collect", "a whole session")
AT, PIECE, DROPPED = range(3)  # words of the page: the call, the piece; calls up to it are dropped
HEADER_BYTES = 8
PR_SET_PDEATHSIG = 1

Order = tuple[int, int, int, Sequence[int], Sequence[Value]]
"""Number, kind, then by kind: first partition, slots, inputs; 0, sizes, [input]; 0, [], outputs;
0, [], [input, shape of the session]."""

Answer = tuple[int, float, int | None, Value, int]
"""Number, seconds; None and what was returned, or the place of the piece that raised, and how; and
whose fault that is."""


class Setup(msgspec.Struct):
    """What a computing process is for: the job, functions that are not its own, the blobs."""

    name: str
    parts: dict[str, str]
    folder: str
    allow: list[str] | None = None  # what may be loaded: it is only to be said what the job is
    code: Code | None = None  # that has come from elsewhere


class Described(msgspec.Struct):
    """What a job is: what to load for it here, or why it is not to be."""

    name: str = ""
    parts: dict[str, str] = {}
    fingerprint: str = ""
    asynchronous: bool = False
    error: str = ""


_SETUPS = msgspec.msgpack.Decoder(Setup)
_ORDERS = msgspec.msgpack.Decoder(list[Order] | Setup)
_ENCODER = msgspec.msgpack.Encoder()


def framed(items: Sequence[Order] | Sequence[Answer] | Mapping[str, object] | Described) -> bytes:
    """Calls, answers, or what it is for, with the length before them."""
    data = _ENCODER.encode(items)
    return len(data).to_bytes(HEADER_BYTES, "big") + data


def checked(folder: Path, value: Value) -> Value:
    """What a function returned, as it is to travel. Raises what `stored` raises."""
    kind = type(value)
    if kind is int and -(2**63) <= value < 2**63:  # most are
        return value
    return value if value is None or kind is float or kind is bool else stored(folder, value)


def fault_of(error: BlobError) -> int:
    """Whose it is that a value could not be read or written."""
    return NO_ROOM if isinstance(error, NoRoom) else MISSING


class Computing:
    """The functions, and where their values are."""

    def __init__(
        self, job: Job, folder: Path, page: memoryview[int], forks: Forks | None = None
    ) -> None:
        self._folder = folder
        self._forks = forks
        self._page = page
        self.job = job
        self._by_kind: tuple[Callable[[Order, list[Value]], Value], ...]
        self._by_kind = (self._compute, self._prepare, self._collect, self._whole)

    def run(self, order: Order) -> Answer:
        """One call, from beginning to end."""
        forks, began = self._forks, time.perf_counter()
        if forks is None:
            return self._run(order)
        forks.begin()
        answer = self._run(order)
        forks.end_child(order[0])
        piece = forks.came_back(order[0])
        if piece is not None:
            text = came_back_line(_where(order, piece))
            return order[0], time.perf_counter() - began, piece, text, OF_THE_JOB
        return answer

    def _run(self, order: Order) -> Answer:
        page = self._page
        page[PIECE] = 0
        page[AT] = order[0]
        began = time.perf_counter()
        outputs: list[Value] = []
        try:
            value = self._by_kind[order[1]](order, outputs)
        except BlobError as error:
            seconds, fault = time.perf_counter() - began, fault_of(error)
            return order[0], seconds, len(outputs), str(error), fault
        except BaseException as error:  # noqa: BLE001 - whatever a job raises is the job's result
            if self._forks is not None:
                self._forks.end_child(order[0], error)
            seconds = time.perf_counter() - began
            fault = OF_THE_MACHINE if is_local(error) else OF_THE_JOB
            return order[0], seconds, len(outputs), told(error), fault
        return order[0], time.perf_counter() - began, None, value, OF_THE_JOB

    def _compute(self, order: Order, outputs: list[Value]) -> Value:
        _, _, first, slots, inputs = order
        page, folder, compute = self._page, self._folder, self.job.compute
        for slot, value in zip(slots, inputs, strict=True):
            page[PIECE] = len(outputs)
            # A call of `loaded` for each would take as long as the shortest pieces do.
            given = value if type(value) in SCALARS else loaded(folder, value)
            outputs.append(checked(folder, compute(given, first + slot)))
        return outputs

    def _prepare(self, order: Order, outputs: list[Value]) -> Value:
        sizes, (value,) = order[3:]
        found = self.job.prepare(loaded(self._folder, value), list(sizes))
        parts = cut(found, len(sizes))
        return [one if one is None else checked(self._folder, one) for one in parts]

    def _collect(self, order: Order, outputs: list[Value]) -> Value:
        folder = self._folder
        values = [one if type(one) in SCALARS else loaded(folder, one) for one in order[4]]
        return checked(folder, self.job.collect(values))

    def _whole(self, order: Order, outputs: list[Value]) -> Value:
        value, plan = order[4]
        return self._under(Shape(*plan), value)

    def _under(self, shape: Shape, value: Value) -> Value:
        """What comes of a session, and of all below it."""
        inputs = self._prepare((0, PREPARE, 0, shape.sizes(), [value]), [])
        outputs: list[Value] = []
        if shape.leaf:
            self._compute((0, COMPUTE, shape.first, range(len(inputs)), inputs), outputs)
        else:
            outputs += [self._under(shape.child(i), one) for i, one in enumerate(inputs)]
        return self._collect((0, COLLECT, 0, (), outputs), [])


def _where(order: Order, piece: int) -> str:
    """Which piece of that call, for people."""
    _, kind, first, slots, _ = order
    return f"partition {first + slots[piece]}" if kind == COMPUTE else KINDS[kind]


# -- the process ---------------------------------------------------------------------------


def serve(fd: int, memory: int, parent: int) -> None:
    """Work for process `parent`, which says first what for, until it is gone."""
    streams.open_descriptors()
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever it works for decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    sys.argv[:] = [""]
    sys.stdout = sys.stderr = streams.dropping(2)
    connection = socket.socket(fileno=fd)
    shared = mmap(memory, PAGE_BYTES)
    page = words(shared)
    forks = Forks(words(shared), page, PIECE)
    try:
        with connection.makefile("rb") as stream:
            setup = _setup(stream)
            if setup is None:
                return
            if setup.allow is not None:
                described = _described(setup, setup.allow)
                forks.end_child()
                connection.sendall(framed(described))
                return
            job = _job(setup)
            forks.end_child()
            computing = Computing(job, Path(setup.folder), page, forks)
            begun = _around()
            connection.sendall(framed([]))  # the job is there
            while orders := _received(stream):
                if isinstance(orders, Setup):  # another job with the same code
                    _set_back(begun)
                    job = computing.job if orders.code is None else _job(orders)
                    forks.end_child()
                    computing = Computing(job, Path(orders.folder), page, forks)
                    continue
                for order in orders:
                    if order[0] > page[DROPPED]:  # at once: the next may take for ever
                        connection.sendall(framed([computing.run(order)]))
    except (BrokenPipeError, ConnectionResetError):
        pass  # nobody is interested any more


def _job(setup: Setup) -> Job:
    """The job, or one of which every function says why it is not there."""
    try:
        if setup.code is not None:
            return job_of(setup.code, setup.name, setup.parts, Path(setup.folder))
        return load(setup.name, **setup.parts)
    except (ValueError, OSError) as error:  # of the job, or for want of room
        failure = error

    def fail(*_: Any) -> Any:
        raise failure

    return Job(setup.name, fail, fail, fail)


def _around() -> tuple[str, dict[str, str]]:
    """The folder in which this process is, and its environment."""
    try:
        return os.getcwd(), dict(os.environ)
    except OSError:  # it is gone
        return os.sep, dict(os.environ)


def _set_back(begun: tuple[str, dict[str, str]]) -> None:
    """Both are again what they were when the job was loaded."""
    folder, environment = begun
    with suppress(OSError):
        os.chdir(folder)
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)


def _described(setup: Setup, allow: Sequence[str]) -> Described:
    from transports.work import jobs  # which takes a while to load, and is not needed to compute

    try:
        found = jobs.chosen(setup.name, setup.parts, allow)
    except ValueError as error:
        return Described(error=str(error))
    return Described(found.name, found.parts, found.fingerprint, found.asynchronous)


def _setup(stream: BinaryIO) -> Setup | None:
    data = _framed(stream)
    return _SETUPS.decode(data) if data else None


def _received(stream: BinaryIO) -> list[Order] | Setup:
    data = _framed(stream)
    return _ORDERS.decode(data) if data else []


def _framed(stream: BinaryIO) -> bytes:
    """What comes next, without its length; nothing where nothing comes any more."""
    header = stream.read(HEADER_BYTES)
    return stream.read(int.from_bytes(header, "big"))


def _die_with(parent: int) -> None:
    """End when `parent` does, whatever this process is at."""
    if sys.platform == "linux":
        # By the kernel: a thread would wait while a function keeps the interpreter to itself.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it was too late for that
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
