"""What a job prints: the last of it is kept, and all of it is shown, however its process ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.work.working import bounded, do, gate
from transports.work import printing
from transports.work.printing import Kept


@given(st.lists(st.binary(max_size=9)), st.integers(0, 12))
def test_the_last_is_kept_and_what_is_missing_is_counted(parts: list[bytes], most: int) -> None:
    kept, whole = Kept(10), b"".join(parts)
    for part in parts:
        kept.add(part)
    data, missing = kept.last(most)
    assert data == whole[len(whole) - min(len(whole), 10, most) :]
    assert missing == len(whole) - len(data)


async def test_what_functions_print_in_any_way_is_kept_and_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = Kept()
    says = (
        "import subprocess; print('out'); print('error', file=sys.stderr); os.write(1, b'raw\\n'); "
        "subprocess.run(['echo', 'other'])"
    )
    async with bounded(tmp_path) as one:
        one.work.report(printed=kept.add)
        one.compute(1, do(says))
        await one.told()
        one.compute(1, do("print('last words'); sys.stdout.flush(); os._exit(1)"))
        await one.told()
    assert kept.data == b"out\nerror\nraw\nother\nlast words\n"
    assert capfd.readouterr().err.encode() == kept.data


async def test_a_terminal_that_stands_still_holds_up_nobody_but_who_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(printing, "STDERR", writing)
    begun = trio.Event()
    async with bounded(tmp_path, cores=2) as one:
        one.work.report(printed=lambda data: begun.set())
        one.compute(1, do(f"print('x' * {2**20})"))
        await begun.wait()
        one.compute(2, 5)
        assert (await one.told())[0][:2] == (2, "computed")
    os.close(reading)
    os.close(writing)


async def test_what_is_raised_is_reported_where_somebody_needs_the_piece(tmp_path: Path) -> None:
    raised: list[tuple[int, int]] = []
    async with bounded(tmp_path) as one:
        one.work.report(lambda call, piece, text: raised.append((call.worker.node, piece)))
        async with gate() as door:
            asker = one.compute(1, ["wait", door.port])
            await door.begun()
            asker.leave()
        one.compute(2, 5, do("raise ValueError"))
        await one.told(2)
    assert raised == [(2, 1)]
