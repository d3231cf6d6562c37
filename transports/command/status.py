"""How a computation stands: what each host knows, asked from the root down, without joining."""

from __future__ import annotations

from collections import Counter
from typing import Any

import trio

from core import Host, Reflector
from plugins.console.telling import aligned, counted
from transports.command.clients_patience import Dial
from transports.fleet.log import shown as printable
from transports.net import wire
from transports.net.connection import ConnectError, Connections, Me, Peer
from transports.net.dialling import dial
from transports.net.peer import Link
from transports.net.security import Security
from transports.process.station import Station

ASK_SECONDS = 10.0  # for one answer
HOSTS_AT_ONCE = 20


def status_of(station: Station) -> dict[str, Any]:
    """What a process says of itself and of its sessions, as plain data."""
    nodes, members = nodes_connected(station), station.members.values()
    begun = [member.begun for member in members if member.begun]
    return {
        "address": station.me.name,
        "job": begun[-1].job if begun else None,
        "processes": len(nodes),
        "nodes": sum(nodes),
        "sessions": [one for member in members for one in sessions_of(member.host)],
    }


def nodes_connected(station: Station) -> list[int]:
    """How many nodes each connected process has, but those that have none: they only ask."""
    peers = station.connections.peers.values()
    return [peer.hello.nodes for peer in peers if peer.hello and peer.hello.nodes]


def sessions_of(host: Host) -> list[dict[str, Any]]:
    """What `host` knows of each session that it holds, as plain data."""
    return [_session(reflector) for reflector in host.reflectors.values() if _stands(reflector)]


def _stands(reflector: Reflector) -> bool:
    return not reflector.closed and not reflector.state.moved


def _session(reflector: Reflector) -> dict[str, Any]:
    state, model = reflector.state, reflector.model
    slots, sizes = model.slots, model.shape.sizes()
    taken = {} if model.shape.leaf else {i: w for i, w in enumerate(slots.worker) if w is not None}
    return {
        "session": reflector.session,
        "address": reflector.place.address,
        "leader": state.leader,
        "participants": len(state.people),
        "spares": len(reflector.admission.standbys),
        "slots": len(slots),
        "done": len(slots) - slots.remaining,
        "partitions": model.shape.partitions,
        "accepted": sum(size for done, size in zip(slots.done, sizes, strict=True) if done),
        "messages": state.seq,
        "epoch": list(state.epoch),
        "ended": state.ended is not None,
        "children": {
            str(i): state.addresses[node] or reflector.place.address
            for i, node in taken.items()
            if not slots.done[i] and node in state.people
        },
    }


class Asking:
    """Asks hosts how they stand."""

    def __init__(self, security: Security, nursery: trio.Nursery, dial: Dial) -> None:
        me = Me(wire.random_number(), None)
        self.connections = Connections(me, security, nursery, self._receive, self._lost, dial=dial)
        self._answers: dict[str, trio.MemorySendChannel[dict[str, Any]]] = {}

    async def ask(self, address: str) -> dict[str, Any]:
        """What the host at `address` says. Raises ConnectError."""
        peer = await self.connections.connect(address)
        send, receive = trio.open_memory_channel[dict[str, Any]](1)
        self._answers[peer.name] = send
        self.connections.send_back(peer.name, wire.encode(wire.Ask()))
        with trio.move_on_after(ASK_SECONDS):
            async for answer in receive:
                return answer
        raise ConnectError(f"{address} does not say how it stands: see whether it is overloaded")

    async def _receive(self, peer: Peer, envelope: wire.Envelope, link: Link) -> None:
        if isinstance(envelope, wire.Told) and peer.name in self._answers:
            self._answers.pop(peer.name).send_nowait(envelope.status)

    def _lost(self, peer: Peer) -> None:
        if peer.name in self._answers:
            self._answers.pop(peer.name).close()


async def tree(address: str, security: Security, dial: Dial = dial) -> dict[str, Any]:
    """The whole tree: the root's own status, with all sessions that could be found below it.

    Raises ConnectError if the host at `address` does not answer; others that do not are named
    in `unreached`.
    """
    async with trio.open_nursery() as nursery:
        asking = Asking(security, nursery, dial)
        status = await asking.ask(address)
        found = {s["session"]: s for s in status["sessions"]}
        asked, unreached = {status["address"]}, list[str]()
        limit = trio.CapacityLimiter(HOSTS_AT_ONCE)

        async def add(host: str) -> None:
            async with limit:
                try:
                    told = await asking.ask(host)
                except ConnectError:
                    unreached.append(host)
                else:
                    _merge(found, told["sessions"])

        while hosts := _hosts(found) - asked:
            asked |= hosts
            async with trio.open_nursery() as level:
                for host in sorted(hosts):
                    level.start_soon(add, host)
        nursery.cancel_scope.cancel()
    sessions = [found[name] for name in sorted(found, key=_order)]
    return {**status, "sessions": sessions, "unreached": sorted(unreached)}


def _merge(found: dict[str, dict[str, Any]], sessions: list[dict[str, Any]]) -> None:
    """The newest incarnation of each."""
    for session in sessions:
        known = found.get(session["session"])
        if known is None or known["epoch"] < session["epoch"]:
            found[session["session"]] = session


def _hosts(found: dict[str, dict[str, Any]]) -> set[str]:
    return {
        address
        for session in found.values()
        for address in session["children"].values()
        if not address.startswith("#")
    }


def _order(name: str) -> list[int]:
    return [int(part) for part in name.split("-")]


def accepted(sessions: list[dict[str, Any]]) -> int:
    """How many partitions are done, of all that are known."""
    known = {session["session"]: session for session in sessions}

    def count(name: str) -> int:
        session = known.get(name)
        if session is None:
            return 0
        return int(session["accepted"]) + sum(count(f"{name}-{i}") for i in session["children"])

    return sum(count(name) for name in known if "-" not in name)


# -- for people ----------------------------------------------------------------------------

ROWS_MAX = 40  # sessions; those nearest to the root
NO_JOB = "none yet, it waits for nodes"
STATES = ("running", "queued", "done", "failed", "cancelled")


def table(told: dict[str, Any]) -> str:
    """The tree as text: a line a session, indented by level."""
    sessions = sorted(
        told["sessions"], key=lambda s: (s["session"].count("-"), _order(s["session"]))
    )
    shown = {s["session"] for s in sessions[:ROWS_MAX]}
    lines = [_line(s) for s in told["sessions"] if s["session"] in shown]
    if left := len(sessions) - len(lines):
        lines.append(f"... and {counted(left, 'session')} more")
    connected = f"{counted(told['processes'], 'process')}, {counted(told['nodes'], 'node')}"
    head = [("connected", connected)]
    if "jobs" in told:
        head = [("fleet", told["address"]), *head, *_jobs(told["jobs"], sessions)]
    else:
        head = [("host", told["address"]), ("job", told["job"] or NO_JOB), *head]
        if sessions and "-" not in (whole := sessions[0])["session"]:
            done = f"{accepted(sessions):,} of {whole['partitions']:,} accepted"
            head.append(("partitions", done))
    head += [("unreached", address) for address in told["unreached"]]
    return "\n".join([aligned(head), *(["", *lines] if lines else [])])


def _jobs(rows: list[dict[str, Any]], sessions: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """How many there are of each state, and how far each is that runs."""
    states = Counter(row["state"] for row in rows)
    told = ", ".join(f"{states[state]:,} {state}" for state in STATES if states[state])
    running = [
        (f"job {row['number']}", _running(row, sessions))
        for row in rows
        if row["state"] == "running"
    ]
    return [("jobs", told or "none yet"), *running]


def _running(row: dict[str, Any], sessions: list[dict[str, Any]]) -> str:
    mine = [s for s in sessions if s["session"].partition("-")[0] == f"{row['number']}"]
    declining = f", {row['declining']:,} decline" if row["declining"] else ""
    nodes = f"{counted(row['nodes'], 'node')} take part{declining}"
    done = f"{max(row['accepted'], accepted(mine)):,} of {counted(row['partitions'], 'partition')}"
    return f"{printable(row['job'])}: {done if row['partitions'] else 'begins'}, {nodes}"


def _line(session: dict[str, Any]) -> str:
    name = session["session"]
    parts = [
        f"{'  ' * name.count('-')}{name}",
        f"{session['done']:,} of {counted(session['slots'], 'slot')} done",
        counted(session["participants"], "participant"),
    ]
    if session["spares"]:
        parts.append(counted(session["spares"], "standby"))
    return "  ".join([f"{parts[0]:<20}", *parts[1:], f"at {session['address']}"])
