"""What is computed in a fleet, where somebody has signed it: whom this process trusts, and what it
makes of a job of theirs.

Rules it keeps:
- What is signed runs only for a key in the file of `--trust`, and only as it was signed; what the
  process allows otherwise is as it was.
- The file is read again on SIGHUP. If it cannot be used, that is said, and all stays as it is. A
  terminal that is closed sends the same signal: then the process ends, as any other does, unless
  it is to outlive it (nohup).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
import trio

from plugins.console import signals
from plugins.console.telling import counted
from transports.command import leaving
from transports.fleet.signing import input_sha
from transports.net import wire
from transports.signing.deciding import Untrusted, decided
from transports.signing.document import Document, Kind, decoded, disagreement
from transports.signing.files import SigningError
from transports.signing.trusted import Trusted
from transports.work import jobs
from transports.work.describing import described
from transports.work.signed import travelled
from transports.work.starting import Started


class Trusting:
    """`path` None: nobody is trusted. Raises SigningError where it cannot be used."""

    def __init__(self, path: Path | None) -> None:
        self._trusted = None if path is None else Trusted(path)

    @property
    def names(self) -> Mapping[bytes, str]:
        """Of the keys."""
        return {} if self._trusted is None else self._trusted.names

    def decided(self, said: wire.Spec | wire.Begin, fleet: str) -> Document:
        """What was signed, if it may run here, and is what is said. Raises ValueError."""
        signed = said.signed
        assert signed is not None
        if self._trusted is None:
            why = "the job is signed, and no key is trusted here"
            raise Untrusted(f"{why}: start 'join' (and 'serve') with --trust FILE")
        document = decided(
            signed.document,
            signed.signature,
            signed.bundle,
            fleet=fleet,
            trusted=self.names,
            now=time.time(),
        )
        if field := disagreement(document, said):
            what = {"job": "name"}.get(field, field.replace("_", " "))
            raise Untrusted(f"the {what} of the job is not what was signed")
        return document

    def submitted(self, said: wire.Submit, fleet: str) -> Document:
        """The same of a job that somebody submits, with its input. Raises ValueError."""
        document = self.decided(said.spec, fleet)
        if document.key != said.key:
            raise Untrusted("the job was signed for another submission: sign it again")
        if document.input != input_sha(said.spec.input):
            raise Untrusted("the input of the job is not what was signed")
        return document

    async def chosen(
        self,
        said: wire.Spec | wire.Begin,
        fleet: str,
        allow: Sequence[str],
        reserve: list[Started],
    ) -> jobs.Chosen:
        """The job, as this process may compute it. Raises ValueError, OSError."""
        if said.signed is None:
            return await described(said.job, said.parts, allow, reserve)
        document = self.decided(said, fleet)
        if document.kind is not Kind.INSTALLED:
            return travelled(document, said.signed.document, said.signed.bundle)
        named = map(jobs.place, (document.job, *document.parts.values()))
        found = await described(said.job, said.parts, (*allow, *named), reserve)
        return attrs.evolve(found, input=document.input.hex())

    async def hear_hangups(
        self,
        note: Callable[[str], None],
        changed: Callable[[], None],
        hung_up: Callable[[], None],
    ) -> None:
        """Read the file again whenever this process is told to, which is then `changed`; where it
        is told so because its terminal is closed, it has `hung_up`."""
        if self._trusted is None:
            return
        ends_with_terminal = leaving.has_terminal() and signal.SIGHUP in signals.heard()
        with trio.open_signal_receiver(signal.SIGHUP) as received:
            async for _ in received:
                if ends_with_terminal and not leaving.has_terminal():
                    return hung_up()
                try:
                    self._trusted.read()
                except SigningError as error:
                    note(f"{error}; what was trusted before still is")
                else:
                    note(f"{counted(len(self.names), 'key')} trusted from now on")
                    changed()
        return None


def signer_of(said: wire.Spec | wire.Begin | None) -> bytes | None:
    """The key that it says has signed it. Raises ValueError."""
    if said is None or said.signed is None:
        return None
    return decoded(said.signed.document).signer
