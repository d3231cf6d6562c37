"""What a job is, as a computing process says that has loaded it.

For a process that stays: what a job's file does when it is loaded (hang, exit, keep the interpreter
to itself, leave modules behind) is to end nothing here. Only a job whose `compute` is asynchronous
is loaded here as well, when that has been seen to end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import trio

from plugins.jobs.loading import JobError, loaded_apart
from transports.work import jobs
from transports.work.computing import HEADER_BYTES, Described, framed
from transports.work.printing import ignore, passed_on
from transports.work.starting import Started, start

LOADING_SECONDS = 60.0

OURS = ("plugins", "transports")  # nobody edits these while they run
_OURS: dict[tuple[object, ...], jobs.Chosen] = {}

_DESCRIBED = msgspec.msgpack.Decoder(Described)


async def described(
    name: str, parts: Mapping[str, str], allow: Sequence[str], reserve: list[Started]
) -> jobs.Chosen:
    """The job that the host calls `name`, as this process may compute it.

    Raises JobError, also where it takes too long to load; OSError where nothing can be started.
    """
    known = name, *parts.items(), *allow
    if known in _OURS:
        return _OURS[known]
    chosen = await _described(name, parts, allow, reserve)
    if all(place.partition(".")[0] in OURS for place in (name, *parts.values())):
        _OURS[known] = chosen
    return chosen


async def _described(
    name: str, parts: Mapping[str, str], allow: Sequence[str], reserve: list[Started]
) -> jobs.Chosen:
    started = reserve.pop() if reserve else start()
    try:
        asked = {"name": name, "parts": dict(parts), "folder": "", "allow": list(allow)}
        async with passed_on(started.printed, ignore):
            found = await _answer(started, framed(asked), name)
    finally:
        started.end()
    if found.error:
        raise JobError(found.error)
    job = None
    if found.asynchronous:
        with loaded_apart():
            job = jobs.own(found.name, found.parts).job
    return jobs.Chosen(found.name, found.parts, job, found.fingerprint)


async def _answer(started: Started, asked: bytes, name: str) -> Described:
    with trio.socket.from_stdlib_socket(started.connection) as connection:
        stream = trio.SocketStream(connection)
        data = bytearray()
        with trio.move_on_after(LOADING_SECONDS):
            try:
                await stream.send_all(asked)
                while more := await stream.receive_some():
                    data += more
                    if HEADER_BYTES <= len(data) >= HEADER_BYTES + _length(data):
                        return _DESCRIBED.decode(memoryview(data)[HEADER_BYTES:])
            except trio.BrokenResourceError:
                pass
            raise JobError(f"job {name!r:.80} ends the process that loads it: correct it")
    raise JobError(f"job {name!r:.80} takes more than {LOADING_SECONDS:g} s to load: correct it")


def _length(data: bytearray) -> int:
    return int.from_bytes(data[:HEADER_BYTES], "big")
