"""plugins.rollup against RFC 6962's own recursive definition, and its published test vectors."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugins import rollup as module
from plugins.jobs.loading import load
from tests.plugins.trees import Shape, balanced, run, shapes

rollup = load("plugins.rollup")
Write = Callable[[bytes], Path]

texts = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\n", b"\r\n", b"\x00", b"\xff"])).map(
    b"".join
)


def merkle(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + merkle(leaves[:split]) + merkle(leaves[split:])).digest()


def lines(text: bytes) -> list[bytes]:
    *ended, last = text.split(b"\n")
    return [*ended, last] if last else ended


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Writes a new file."""

    def make(text: bytes) -> Path:
        path = tmp_path_factory.mktemp("ledger") / "transactions"
        path.write_bytes(text)
        return path

    return make


@given(shape=shapes(), text=texts)
@example(shape=[1, [1, 1], 1], text=b"")
@example(shape=[1, [1, 1], 1], text=b"one line, not ended")
@example(shape=[1, 1, 1, 1], text=b"\n\n")
def test_any_tree_gives_the_same_whole_output(write: Write, shape: Shape, text: bytes) -> None:
    path, leaves = str(write(text)), lines(text)
    output = run(rollup, path, shape)
    assert output["root"] == merkle(leaves).hex()
    assert (output["first"], output["count"]) == (0, len(leaves))
    assert output == run(rollup, path, [1])


@pytest.mark.parametrize("fanout", [2, 3, 10, 100])
@pytest.mark.parametrize("count", [1, 2, 64, 500, 1500])
def test_a_thousand_lines(write: Write, count: int, fanout: int) -> None:
    leaves = [b"%d pays %d" % (number, number**3 % 97) for number in range(1000)]
    path = write(b"\n".join(leaves))
    assert run(rollup, str(path), balanced(count, fanout))["root"] == merkle(leaves).hex()


# Of Google's certificate-transparency, cpp/merkletree/merkle_tree_test.cc.
LEAVES = [
    bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")
] + [bytes(range(0x60, 0x70))]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("count", ROOTS)
def test_published_roots(write: Write, count: int) -> None:
    path = write(b"".join(leaf + b"\n" for leaf in LEAVES[:count]))
    assert run(rollup, str(path), balanced(5, 2))["root"] == ROOTS[count]


def test_an_output_holds_the_largest_aligned_subtrees(write: Write) -> None:
    path = str(write(b"x\n" * 16))
    output = rollup.compute([path, 2 * 3, 2 * 14, 3], 0)  # lines 3 to 13
    assert (output["first"], output["count"], output["root"]) == (3, 11, None)
    assert [subtree[:2] for subtree in output["subtrees"]] == [[0, 3], [2, 1], [2, 2], [1, 6]]


@given(
    text=texts,
    sizes=st.lists(st.integers(1, 100), min_size=9, max_size=9),
    split=st.integers(1, 8),
)
def test_collect_is_associative(write: Write, text: bytes, sizes: list[int], split: int) -> None:
    inputs = rollup.prepare(str(write(text)), sizes)
    outputs = [rollup.compute(input, index) for index, input in enumerate(inputs)]
    halves = [rollup.collect(outputs[:split]), rollup.collect(outputs[split:])]
    assert rollup.collect(halves) == rollup.collect(outputs)


@given(text=texts, sizes=st.lists(st.integers(1, 9), min_size=1), chunk=st.integers(1, 5))
def test_slots_begin_where_lines_begin(
    write: Write, text: bytes, sizes: list[int], chunk: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "COUNT_BYTES", chunk)
        slots = rollup.prepare(str(write(text)), sizes)
    assert [0] + [end for _, _, end, _ in slots] == [start for _, start, _, _ in slots] + [
        len(text)
    ]
    for _, start, _, first in slots:
        assert first == len(lines(text[:start]))
        assert start in (0, len(text)) or text[start - 1 : start] == b"\n"


def test_slots_are_in_proportion(write: Write) -> None:
    path = str(write(b"123456789\n" * 100))
    slots = rollup.prepare(path, [1, 7, 2])
    assert slots == [[path, 0, 100, 0], [path, 100, 800, 10], [path, 800, 1000, 80]]


@pytest.mark.parametrize("input", [None, 7, {}])
def test_any_other_input_is_refused(input: object) -> None:
    with pytest.raises(ValueError, match="rollup: the input is to be the path of a file of lines"):
        rollup.prepare(input, [1])


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    def refusal(path: str) -> str:
        with pytest.raises(ValueError, match="rollup: ") as caught:
            rollup.prepare(path, [1])
        return str(caught.value)

    nowhere = str(tmp_path / "nowhere")
    assert refusal(nowhere) == f"rollup: cannot read {nowhere!r}: No such file or directory"
    assert refusal(str(tmp_path)) == f"rollup: cannot read {str(tmp_path)!r}: Is a directory"


@pytest.mark.parametrize("changed", [b"", b"a\nb\n", b"a\nb\nlonger\n"])
def test_a_file_that_changes_is_noticed(write: Write, changed: bytes) -> None:
    path = write(b"a\nb\nc\nd\n")
    first, second = rollup.prepare(str(path), [1, 1])
    rollup.compute(first, 0)
    path.write_bytes(changed)
    with pytest.raises(ValueError, match="rollup: bytes 4 to 8 are no longer lines: the file has"):
        rollup.compute(second, 1)


def test_outputs_that_are_no_neighbours_are_refused(write: Write) -> None:
    inputs = rollup.prepare(str(write(b"a\nb\nc\n")), [1, 1, 1])
    outputs: list[Any] = [rollup.compute(input, index) for index, input in enumerate(inputs)]
    with pytest.raises(ValueError, match="rollup: line 1 is next, not 2: the file has changed"):
        rollup.collect([outputs[0], outputs[2]])


def test_what_tells_no_size_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/proc/self/stat", "/dev/null"):
        with pytest.raises(ValueError, match=f"rollup: '{path}' tells no size, save"):
            rollup.prepare(str(path), [1])
