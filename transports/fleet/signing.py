"""A job as its submitter signs it, on its way to a fleet."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import attrs
import msgspec

from core.messages import Value
from transports.fleet.asked import Asked
from transports.fleet.job import CALLS
from transports.fleet.line import Heard
from transports.net import wire
from transports.signing import bundle
from transports.signing.document import Kind, encoded, sha_of
from transports.signing.keys import Key
from transports.values.handles import KEY, is_handle
from transports.work.jobs import place

VALID_SECONDS = 7 * 86_400  # for nodes that are to begin with it


def sources_of(job: str, parts: Mapping[str, str]) -> dict[str, bytes]:
    """The modules that are to travel with that job, by name; none where it is installed. Raises
    SigningError."""
    files = bundle.files_of(map(place, (job, *parts.values())))
    return bundle.collected(files) if files else {}


def listed(sizes: Mapping[str, int]) -> str:
    """For people: what travels, of so many bytes each."""
    those = ", ".join(f"{name} ({size:,} B)" for name, size in sizes.items())
    return f"{those or 'no file'}; {sum(sizes.values()):,} bytes in all"


@attrs.frozen
class Signing:
    """How a program signs what it submits. `trust_nodes`: it unpickles what they return."""

    key: Key
    trust_nodes: bool

    def signed(self, asked: Asked, spec: wire.Spec, key: bytes, fleet: str) -> wire.Spec:
        """As it travels. Raises ValueError."""
        if asked.job != CALLS:
            sources = sources_of(asked.job, asked.parts)
            return signed(spec, sources, key, fleet, self.key)
        from transports.fleet.signed_calls import hashes_of  # with what pickles

        data, pickles = hashes_of(spec.input, self.trust_nodes), metadata.version("cloudpickle")
        return sealed(spec, Kind.PICKLE, data, key, fleet, self.key, {}, pickles)

    def answer(self, asked: Asked, result: Any) -> Any:
        """What came of that, as it is to be read."""
        if asked.job != CALLS:
            return result
        from transports.fleet.answers import of_signed

        return of_signed(result, self.trust_nodes)

    def hearing(self, heard: Heard) -> Heard:
        """The same of each output of calls."""
        from transports.fleet.answers import hearing_plain

        return heard if self.trust_nodes else hearing_plain(heard)


def signed(
    spec: wire.Spec, sources: Mapping[str, bytes], key: bytes, fleet: str, signer: Key
) -> wire.Spec:
    """The job, with its modules, for that submission to that fleet. Raises ValueError."""
    kind = Kind.SOURCE if sources else Kind.INSTALLED
    data = bundle.packed(sources) if sources else b""
    return sealed(spec, kind, data, key, fleet, signer, modules=bundle.hashes(sources))


def input_sha(value: Value) -> bytes:
    """Of an input as it travels: itself, or a handle."""
    if is_handle(value):
        return bytes.fromhex(value[KEY])
    return sha_of(msgspec.msgpack.encode(value))


def sealed(
    spec: wire.Spec,
    kind: Kind,
    data: bytes,
    key: bytes,
    fleet: str,
    signer: Key,
    modules: Mapping[str, str],
    cloudpickle: str = "",
) -> wire.Spec:
    """The job, with that beside it, as `signer` says. Raises ValueError."""
    now = int(time.time())
    said: dict[str, Any] = {name: getattr(spec, name) for name in _SAID}
    document = encoded(
        fleet=fleet,
        signer=signer.public,
        key=key,
        issued=now,
        expires=now + VALID_SECONDS,
        kind=kind,
        modules=dict(modules),
        bundle=sha_of(data),
        input=input_sha(spec.input),
        python=platform.python_version(),
        cloudpickle=cloudpickle,
        **said,
    )
    letter = wire.Signed(document, signer.sign(document), data)
    return msgspec.structs.replace(spec, signed=letter)


_SAID = (
    *("job", "parts", "partitions", "fanout"),
    *("delay", "seed", "piece_timeout", "keep_going"),
)
