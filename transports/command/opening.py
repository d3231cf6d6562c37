"""How the root of a job begins: how it is cut, what all are told, what its session is given."""

from __future__ import annotations

import os
import time

from core import Host, Shape
from core import messages as m
from core.messages import Place, Value
from plugins.fanout import choose_fanout
from transports.command.deployment import working
from transports.command.wanted import JobOptions
from transports.net import wire
from transports.process.keys import digest_of
from transports.process.process import Process, nodes_of
from transports.work import jobs


def shape_of(work: JobOptions, nodes: int) -> Shape:
    """How it is cut, where so many nodes are there: by default, a partition for each."""
    partitions = work.partitions or max(1, nodes)
    return Shape.root(partitions, work.fanout or choose_fanout(partitions), work.keep_going)


def opened_root(
    process: Process,
    work: JobOptions,
    chosen: jobs.Chosen,
    shape: Shape,
    value: Value,
    *,
    again: bool = False,
    by_path: bool = False,
    signed: wire.Signed | None = None,
) -> None:
    """Open the root session, give it `value` as the input, and tell everyone what is computed.

    `again`: it was open before, elsewhere. `by_path`: those who compute it may read its file.
    """
    called = _by_path if by_path else jobs.called
    place = Place(shape.session, (process.me.name,))
    now = time.time()
    begin = wire.Begin(
        called(work.job),
        {part: called(name) for part, name in work.parts.items()},
        chosen.fingerprint,
        shape.partitions,
        shape.fanout,
        work.delay,
        work.seed,
        place,
        now,
        digest_of(process.end_key),
        work.piece_timeout,
        shape.keep_going,
        signed,
    )
    process.begin(begin, working(process, begin, chosen))
    epoch = (int(now * 1000),)  # newer than that of any host before
    (submitter,) = nodes_of(process.me.number, 1)
    process.submit(m.Open(place, epoch, shape.plain(), again), submitter, value)
    for peer in list(process.connections.peers.values()):
        process.tell_begun(peer)


def _by_path(name: str) -> str:
    """With the whole path of a file."""
    place = jobs.place(name)
    return os.path.abspath(place) + name[len(place) :] if place.endswith(".py") else name


def accepted(host: Host, shape: Shape) -> int:
    """How many partitions of a session are done, as far as `host` knows."""
    session = shape.session
    reflector = host.reflectors.get(session)
    done = reflector.model.facts() if reflector else host.backups.facts.get(session, {})
    if not (done or reflector):
        return 0
    found = 0
    for slot, size in enumerate(shape.sizes()):
        if slot in done:
            found += size - sum(count for count, _ in done[slot][2:])  # without what was lost
        elif not shape.leaf:
            found += accepted(host, shape.child(slot))
    return found
