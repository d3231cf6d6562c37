"""Bare clients of one host, many in this process, each with a connection and a number of its own.

They greet, arrive with one node each, and keep no replica: what they cost is little, so that what
is measured is the host. Every frame that a client gets is decoded, though, and its place in the
order checked.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from typing import Any

import msgspec

from core import messages as m
from core.sessions.messages import NODE_BITS
from transports.net import wire
from transports.net.frames import HEADER
from transports.net.greeting import Me

RECEIVE_BYTES = 2**18
PING_SECONDS = 4.0
ANSWER_SECONDS = 60.0

Said = list[Any]  # an envelope as plain data: the name of its class, and its fields
decode = msgspec.msgpack.Decoder().decode


class Client:
    """One connection, and one node."""

    __slots__ = ("answer", "data", "joined", "node", "prepared", "seq", "slot", "socket", "spoken")

    def __init__(self, address: str, nodes: int = 1) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = wire.random_number()
        self.node = number << NODE_BITS
        self.data = b""
        self.seq = 0
        self.answer = ""  # to its arrival: the name of what came
        self.joined = False
        self.slot = 0  # of the session: the one that it is given, where nobody has had two by then
        self.prepared = False  # and so it has it
        self.spoken = time.monotonic()
        self.say(Me(number, None, nodes).hello(token=False))
        self.say(wire.Proof(b""))  # without a token it is the same for all

    def say(self, envelope: wire.Envelope) -> None:
        self.socket.sendall(wire.encode(envelope))
        self.spoken = time.monotonic()

    def received(self) -> list[Said]:
        """What has come."""
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError("the host has closed the connection of a client")
        data, start, found = self.data + data if self.data else data, 0, []
        end, size = len(data), HEADER.size
        while end - start >= size:
            stop = start + size + int.from_bytes(data[start : start + size])
            if stop > end:
                break
            found.append(decode(data[start + size : stop]))
            start = stop
        self.data = data[start:]
        return found

    def take(self, said: Said) -> None:
        """Answer what is to be answered, as a process does that joins."""
        match said:
            case ["Begin", *_]:
                self.say(wire.Call("0", self.node, m.Arrive(self.node, None, None)))
            case ["Answer", _, _, [reply, *_]]:
                self.answer = reply
            case ["Follow", _, snapshot, _]:
                self.seq = snapshot["seq"]
                self.slot = len(snapshot["people"]) - len(snapshot["observers"])
                self.prepared = snapshot["inputs"] is not None
            case ["Ordered", _, seq, _, message]:
                if seq != self.seq + 1:
                    raise SystemExit(f"message {seq} came after {self.seq}")
                self.seq = seq
                if message[:2] == ["Joined", self.node]:
                    self.answer, self.joined = "Joined", True
                self.prepared = self.prepared or message[0] == "Prepared"


class Clients:
    """All of them."""

    def __init__(self, address: str, count: int, greeting_at_once: int = 100) -> None:
        self.poll = select.epoll()
        self.by_fd: dict[int, Client] = {}
        self.all: list[Client] = []
        while len(self.all) < count:
            for _ in range(min(greeting_at_once, count - len(self.all))):
                client = Client(address)
                self.all.append(client)
                self.by_fd[client.socket.fileno()] = client
                self.poll.register(client.socket, select.EPOLLIN)
            self.serve(0.01)

    def serve(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Do what any process does, for so long."""
        end = time.monotonic() + seconds
        while not until() and (left := end - time.monotonic()) > 0:
            for client in self.ready(min(left, PING_SECONDS / 4)):
                for said in client.received():
                    client.take(said)

    def ready(self, seconds: float) -> list[Client]:
        """Those that have something to read, within so many seconds; the silent say something."""
        found = [self.by_fd[fd] for fd, _ in self.poll.poll(max(0.0, seconds))]
        late = time.monotonic() - PING_SECONDS
        if not self.all or self.all[0].spoken < late or self.all[-1].spoken < late:
            for client in self.all:
                if client.spoken < late:
                    client.say(wire.Ping())
        return found

    def arrive(self) -> None:
        """Wait until each has an answer."""
        waiting = iter(self.all)
        current: list[Client | None] = [next(waiting, None)]

        def all_answered() -> bool:
            while current[0] is not None and current[0].answer:
                current[0] = next(waiting, None)
            return current[0] is None

        self.serve(ANSWER_SECONDS, all_answered)
        if not all_answered():
            raise SystemExit(f"no answer within {ANSWER_SECONDS:g} s")


def told(address: str) -> dict[str, Any] | None:
    """What the host there says of how its sessions stand; None if nobody is there."""
    try:
        client = Client(address, nodes=0)
    except OSError:
        return None
    with client.socket:
        client.socket.settimeout(ANSWER_SECONDS)
        try:
            client.say(wire.Ask())
            while True:
                for said in client.received():
                    if said[0] == "Told":
                        status: dict[str, Any] = said[1]
                        return status
        except OSError:
            return None
