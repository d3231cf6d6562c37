"""plugins.wordcount against collections.Counter over the same text."""

import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugins import wordcount as module
from plugins.jobs.loading import load
from tests.plugins.trees import Shape, balanced, run, shapes

wordcount = load("plugins.wordcount")
Folder = Callable[[dict[str, bytes]], Path]

# Spaces that are none in ASCII, letters of two to four bytes, bytes that are no letter at all.
PIECES = ["a", "B", "b", "ß", "É", "é", "€", "😀", "\u00a0", "\u2003", "\x1c", "\x00", "."]
SPACES = [b" ", b"\n", b"\r\n", b"\t", b"\v", b"\f"]
texts = st.lists(
    st.sampled_from([piece.encode() for piece in PIECES] + SPACES * 2 + [b"\xff", b"\xe2\x82"])
).map(b"".join)


def expected(*texts: bytes) -> dict[str, int]:
    words = (word for text in texts for word in re.findall(rb"[^ \t\n\r\v\f]+", text))
    return dict(Counter(word.decode("utf-8", "replace").lower() for word in words))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Makes a new folder of files."""

    def make(files: dict[str, bytes]) -> Path:
        folder = tmp_path_factory.mktemp("texts")
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text)
        return folder

    return make


@given(shape=shapes(), text=texts)
@example(shape=[1, 1, 1], text=b"one-long-word")
@example(shape=[[1, 1], 1], text=b" a bc ")
@example(shape=[1, 1], text=b"")
def test_a_file_cut_anywhere(folder: Folder, shape: Shape, text: bytes) -> None:
    place = folder({"book": text}) / "book"
    assert run(wordcount, str(place), shape) == expected(text)


@given(shape=shapes(), files=st.lists(texts, min_size=1, max_size=6))
def test_words_end_where_a_file_ends(folder: Folder, shape: Shape, files: list[bytes]) -> None:
    place = folder({f"{number}.txt": text for number, text in enumerate(files)})
    counts = run(wordcount, str(place), shape)
    assert counts == expected(*files)
    assert list(counts) == list(expected(*files))  # in the order of first use


@given(text=texts, chunk=st.integers(1, 8), ahead=st.integers(1, 8))
def test_a_piece_is_read_in_chunks(folder: Folder, text: bytes, chunk: int, ahead: int) -> None:
    place = folder({"book": text}) / "book"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_BYTES", chunk)
        patch.setattr(module, "WORD_BYTES", ahead)
        assert run(wordcount, str(place), [1, 1]) == expected(text)


def test_text_files_are_found_in_all_folders_below(folder: Folder) -> None:
    files = {"b.txt": b"The the", "a/c.md": b"THE end", "a/d/E.TXT": b"of", "a/f.bin": b"not me"}
    place = folder(files)
    assert run(wordcount, str(place), balanced(5, 2)) == {"the": 3, "end": 1, "of": 1}


def test_a_word_longer_than_its_piece_is_counted_once(folder: Folder) -> None:
    text = b"x" * 20_000 + b" y"
    place = folder({"book": text}) / "book"
    assert run(wordcount, str(place), balanced(1000, 10)) == {"x" * 20_000: 1, "y": 1}


def test_this_projects_own_sources(folder: Folder) -> None:
    sources = sorted(Path(module.__file__).parent.glob("*.py"))
    place = folder({f"{path.stem}.txt": path.read_bytes() for path in sources})
    counts = run(wordcount, str(place), balanced(300, 7))
    assert counts == expected(*(path.read_bytes() for path in sources))
    assert counts["def"] > 10


def test_the_submitter_sends_ranges_in_proportion(folder: Folder) -> None:
    place = folder({"a.txt": b"x" * 60, "b.txt": b"x" * 40, "none.txt": b""})
    a, b = str(place / "a.txt"), str(place / "b.txt")
    assert wordcount.prepare(str(place), [1, 2, 1, 1]) == [
        [[a, 0, 20]],
        [[a, 20, 60]],
        [[b, 0, 20]],
        [[b, 20, 40]],
    ]


def refusal(input: object) -> str:
    with pytest.raises(ValueError, match="wordcount: ") as caught:
        wordcount.prepare(input, [1])
    return str(caught.value)


def test_a_path_that_leads_nowhere_is_refused(folder: Folder) -> None:
    place = folder({"a.bin": b"", "b.py": b""})
    nowhere = str(place / "nowhere")
    assert refusal(nowhere) == f"wordcount: cannot read {nowhere!r}: No such file or directory"
    assert refusal(str(place)) == (
        f"wordcount: no file in {str(place)!r} ends in .txt, .text, .md, .rst, .log"
    )
    assert refusal(None) == "wordcount: the input is to be the path of a file or folder: None"


def test_a_link_without_a_target_is_refused(folder: Folder) -> None:
    place = folder({"a.txt": b"a"})
    (place / "b.txt").symlink_to(place / "gone")
    assert refusal(str(place)).startswith(f"wordcount: cannot read {str(place / 'b.txt')!r}: ")


def test_a_folder_that_cannot_be_listed_is_refused(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    place = str(folder({"a.txt": b"a"}))
    monkeypatch.setattr(os, "scandir", denied)
    assert refusal(place) == f"wordcount: cannot read {place!r}: Permission denied"


def test_a_name_that_cannot_be_sent_is_refused(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = str(folder({"a.txt": b"a"}) / "a.txt")
    monkeypatch.setattr(module, "_files", lambda _: [name, "caf\udce9.txt"])
    monkeypatch.setattr(os.path, "getsize", lambda _: 1)
    assert refusal(os.path.dirname(name)) == (
        "wordcount: 'caf\\udce9.txt' is no UTF-8, so no node can be told; rename it"
    )


def test_a_file_that_shrinks_is_noticed(folder: Folder) -> None:
    place = folder({"a.txt": b"a b c d"}) / "a.txt"
    first, second = wordcount.prepare(str(place), [1, 1])
    place.write_bytes(b"a b")
    assert wordcount.compute(first, 0) == {"a": 1, "b": 1}
    with pytest.raises(ValueError, match="has become shorter since it was cut, run again"):
        wordcount.compute(second, 1)


def test_what_tells_no_size_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/proc/self/stat", "/dev/null"):
        with pytest.raises(ValueError, match=f"wordcount: '{path}' tells no size, save"):
            wordcount.prepare(str(path), [1])
