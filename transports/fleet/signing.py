"""A job as its submitter signs it, on its way to a fleet."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from transports.net import wire
from transports.signing import bundle
from transports.signing.document import Kind, encoded, sha_of
from transports.signing.keys import Key
from transports.work.jobs import place

VALID_SECONDS = 7 * 86_400  # for nodes that are to begin with it


def sources_of(job: str, parts: Mapping[str, str]) -> dict[str, bytes]:
    """The modules that are to travel with that job, by name; none where it is installed. Raises
    SigningError."""
    files = bundle.files_of(map(place, (job, *parts.values())))
    return bundle.collected(files) if files else {}


def listed(sources: Mapping[str, bytes]) -> str:
    """For people: what travels."""
    those = ", ".join(f"{name} ({len(source):,} B)" for name, source in sources.items())
    return f"{those or 'no file'}; {sum(map(len, sources.values())):,} bytes in all"


def signed(
    spec: wire.Spec, sources: Mapping[str, bytes], key: bytes, fleet: str, signer: Key
) -> wire.Spec:
    """The job, with its modules, for that submission to that fleet. Raises ValueError."""
    kind = Kind.SOURCE if sources else Kind.INSTALLED
    data = bundle.packed(sources) if sources else b""
    return sealed(spec, kind, data, key, fleet, signer, modules=bundle.hashes(sources))


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
        input=sha_of(msgspec.msgpack.encode(spec.input)),
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
