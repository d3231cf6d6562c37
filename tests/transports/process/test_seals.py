"""Seals: by which a host knows those again who followed a session before."""

from __future__ import annotations

from pathlib import Path

from core import messages as m
from core.sessions.roles import seal
from tests.transports.living import HELPER, HELPER_NUMBER, HOST, life
from tests.transports.process.intruding import NUMBER
from tests.transports.process.members import KEY, LEAF, OTHER, SECONDS_MAX, connected, forged
from transports.net import wire


async def test_who_claims_a_past_without_its_seal_is_not_asked_for_it(tmp_path: Path) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        key = lived.host.host.root_key
        good = seal(key, (999,), NUMBER)
        assert len(key) == len(good) == 16
        for number, wrong in enumerate((b"", KEY, good, seal(key, (998,), NUMBER)), NUMBER + 1):
            async with connected(lived, lived.host, number) as member:
                await member.arrive(past=m.Past("", (0, 1), (999,), 2**40, wrong))
                await member.call(m.StateTransfer(forged(member, outputs=[5] * 16)))
                assert not await member.is_cut()
                assert m.SendState() not in member.replies()
                assert member.node in member.reflector.members
                assert member.slot > 1
        async with connected(lived, lived.host) as member:
            await member.arrive(past=m.Past("", (), (999,), 2**40, good))
            assert not await member.is_cut()
            assert m.SendState() in member.replies()
        assert lived.host.offences == 0
        assert await lived.finish() == lived.right


async def test_who_follows_has_the_seal_of_its_process(tmp_path: Path) -> None:
    async with life(tmp_path, *LEAF, seconds_max=SECONDS_MAX) as lived:
        async with connected(lived, lived.host) as member:
            await member.join()
            assert not await member.is_cut()
            (follow,) = [said for said in member.heard if isinstance(said, wire.Follow)]
            assert follow.seal == seal(lived.host.host.root_key, (1000,), NUMBER)
        replica = lived.helper.following.replicas[HOST, "0"]
        sealed = replica.seal
        assert sealed == seal(lived.host.host.root_key, (1000,), HELPER_NUMBER)
        reflector = lived.host.host.reflectors["0"]
        lived.host.carrier.repair(reflector, (HELPER, OTHER), OTHER)
        assert await lived.finish() == lived.right
        assert lived.helper.following.replicas[HOST, "0"] is replica
        assert replica.seal == sealed
