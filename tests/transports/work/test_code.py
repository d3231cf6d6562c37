"""Code that has come with a job: where it is unpacked, and what it is given."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec
import trio

from core.messages import Place
from tests.transports.work.working import SESSION, bounded
from transports.signing.bundle import hashes, packed
from transports.values.handles import handle
from transports.work.code import Code
from transports.work.jobs import Chosen
from transports.work.warm import Warm

SOURCES = {
    "my job.py": b"""
import json, sys
import trio
import inside.deep, other

def prepare(input, sizes):
    return [input] * len(sizes)

async def compute(input, index):
    await trio.sleep(0)
    return [__file__, sys.path[0], other.NAME, inside.deep.NAME]

def collect(outputs):
    return outputs
""",
    "other.py": b"NAME = 'mine'",
    "inside/__init__.py": b"",
    "inside/deep.py": b"NAME = 'deep'",
}
INPUT = {"a": [1, 2.5, "b"]}


def chosen(sources: dict[str, bytes] = SOURCES, modules: dict[str, str] | None = None) -> Chosen:
    code = Code(packed(sources), hashes(sources) if modules is None else modules, False)
    signed = sha256(msgspec.msgpack.encode(INPUT)).hexdigest()
    return Chosen("my job.py", {}, None, "f", code, signed)


def modules_in(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*.py")]


async def test_it_is_unpacked_in_a_folder_of_its_own_and_runs_in_a_process_of_its_own(
    tmp_path: Path,
) -> None:
    warm = Warm(2)
    async with bounded(tmp_path, chosen=chosen(), warm=warm) as one:
        one.compute(1, None)
        [(_, what, _, _, [[file, first, *names]], _)] = await one.told()
        assert (what, names) == ("computed", ["mine", "deep"])
        own = Path(first)
        assert (own.parent, Path(file)) == (tmp_path / "blobs", own / "my job.py")
        assert {name.removeprefix(f"{own}/") for name in modules_in(own)} == SOURCES.keys()
    assert len(warm) == 0  # it has ended with its job, whose folder goes


async def test_what_was_not_signed_is_not_unpacked(tmp_path: Path) -> None:
    modules = {**hashes(SOURCES), "other.py": 64 * "0"}
    async with bounded(tmp_path, chosen=chosen(modules=modules)) as one:
        one.compute(1, None)
        [(_, what, _, _, text)] = await one.told()
        assert what == "raised"
        assert "'other.py' is not among the modules that were signed" in text
    assert modules_in(tmp_path / "blobs") == []


async def test_the_root_session_is_given_what_was_signed_and_others_what_comes_of_it(
    tmp_path: Path,
) -> None:
    async def fetch(value: object, session: str) -> object:
        await trio.lowlevel.checkpoint()
        return INPUT

    async with bounded(tmp_path, chosen=chosen(), fetch=fetch) as one:

        def prepare(node: int, session: str, value: object) -> None:
            asker = one.asker(node)
            asker.place = Place(session, ("here", "there"))
            one.work.prepare(asker, session, value, [1])

        prepare(1, "0", INPUT)
        assert await one.told() == [(1, "prepared", "0", [INPUT])]
        prepare(2, SESSION, "anything")
        assert await one.told() == [(2, "prepared", SESSION, ["anything"])]
        prepare(3, "0", handle(chosen().input, 10))
        assert await one.told() == [(3, "prepared", "0", [INPUT])]
        why = "the input is not the one that was signed"
        for other in ("anything", handle(64 * "a", 10)):
            prepare(4, "0", other)
            assert await one.told() == [(4, "raised", "0", None, why)]
