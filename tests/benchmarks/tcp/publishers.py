"""Clients that publish in one session, and time what they get.

`python -m tests.benchmarks.tcp.publishers ADDRESS CLIENTS SECONDS window|rate NUMBER` prints one
JSON object. With a window each client has so many publications under way, and publishes the next
when its own one comes back: saturation. With a rate so many a second are due in all at equal
distances, the clients in turn, and are timed from when they were due.

A publication is the output of the slot that a client was given, 200 bytes that say when it was
made. What comes twice changes nothing, so a client may publish its slot as often as it likes. Each
delivery is decoded, and has to be the next in order; in the end each client must have got the same,
byte for byte.
"""

from __future__ import annotations

import json
import struct
import sys
import time
import zlib
from collections import deque

from core import messages as m
from tests.benchmarks.tcp.clients import ANSWER_SECONDS, Client, Clients
from transports.net import wire

PAYLOAD_BYTES = 200
WARMING_SECONDS_MAX = 1.0
DRAINING_SECONDS = 30.0
WHEN = struct.Struct(">d")
REST = bytes(PAYLOAD_BYTES - WHEN.size)


class Publishers:
    """Some clients that have joined."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.published = 0
        self.delivered = 0
        self.sums = dict.fromkeys(clients.all, 0)  # of all that a client got
        self.latencies: list[float] | None = None
        self.publishing = True

    def publish(self, client: Client, when: float) -> None:
        slots, data = (client.slot,), WHEN.pack(when) + REST
        client.say(wire.Call("0", client.node, m.Finished(client.node, slots, [data], 0.0)))
        self.published += 1

    def read(self, client: Client, again: bool) -> None:
        """Take what has come; publish anew for what was its own."""
        envelopes, now = client.received(), time.perf_counter()
        node, total, latencies, own = client.node, self.sums[client], self.latencies, 0
        for said in envelopes:
            match said:
                case ["Ordered", _, seq, _, ["Finished", whose, _, [data], *_]]:
                    if seq != client.seq + 1:
                        raise SystemExit(f"message {seq} came after {client.seq}")
                    client.seq = seq
                    total = zlib.crc32(data, total)
                    self.delivered += 1
                    own += whose == node
                    if latencies is not None:
                        latencies.append(now - WHEN.unpack_from(data)[0])
                case _:
                    client.take(said)
        self.sums[client] = total
        if again and self.publishing:
            for _ in range(own):
                self.publish(client, now)

    def saturate(self, seconds: float, window: int) -> float:
        """How many deliveries a second there are."""
        for client in self.clients.all:
            for _ in range(window):
                self.publish(client, time.perf_counter())
        self._run(min(seconds, WARMING_SECONDS_MAX))
        self.latencies = []
        before, began = self.delivered, time.perf_counter()
        self._run(seconds)
        return (self.delivered - before) / (time.perf_counter() - began)

    def _run(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            for client in self.clients.ready(left):
                self.read(client, again=True)

    def pace(self, seconds: float, rate: float) -> float:
        """Publish so often a second. How many deliveries a second there were."""
        self._pace(min(seconds, WARMING_SECONDS_MAX), rate)
        self.latencies = []
        before, began = self.delivered, time.perf_counter()
        self._pace(seconds, rate)
        return (self.delivered - before) / (time.perf_counter() - began)

    def _pace(self, seconds: float, rate: float) -> None:
        began = time.perf_counter()
        due = deque((began + i / rate, i) for i in range(round(seconds * rate)))
        everyone = self.clients.all
        while due:
            now = time.perf_counter()
            while due and due[0][0] <= now:
                when, i = due.popleft()
                self.publish(everyone[i % len(everyone)], when)
            for client in self.clients.ready((due[0][0] - time.perf_counter()) if due else 0):
                self.read(client, again=False)

    def drain(self) -> bool:
        """Get what is under way. Whether all have got all, and the same."""
        self.publishing = False
        end, wanted = time.perf_counter() + DRAINING_SECONDS, self.published * len(self.sums)
        while self.delivered < wanted and time.perf_counter() < end:
            for client in self.clients.ready(0.1):
                self.read(client, again=False)
        return self.delivered == wanted and len(set(self.sums.values())) == 1


def main(address: str, count: int, seconds: float, how: str, number: float) -> None:
    """Publish, and print what came of it."""
    clients = Clients(address, count)
    clients.arrive()
    clients.serve(ANSWER_SECONDS, lambda: all(client.prepared for client in clients.all))
    publishers = Publishers(clients)
    if how == "window":
        a_second = publishers.saturate(seconds, int(number))
    else:
        a_second = publishers.pace(seconds, number)
    timed = sorted(publishers.latencies or ())
    publishers.latencies = None
    same = publishers.drain()
    joined = sum(client.joined for client in clients.all)
    report = {
        "result": [joined, same],
        "seconds": seconds,
        "deliveries_per_second": a_second,
        "p50_ms": 1e3 * timed[len(timed) // 2],
        "p99_ms": 1e3 * timed[len(timed) * 99 // 100],
        "published": publishers.published,
        "delivered": publishers.delivered,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    where, how_many, how_long, mode, how_much = sys.argv[1:]
    main(where, int(how_many), float(how_long), mode, float(how_much))
