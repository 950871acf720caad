"""The files that the demo analyses, and its answers about odd ones."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import pytest

from tiered_cache.demo.analyses import ANALYSES, MAX_STATEMENT_LINES, Analysis, Source, analyze
from tiered_cache.demo.analyzer_processes import partition
from tiered_cache.demo.source_tree import MAX_FILE_BYTES, find_sources, standard_library

if TYPE_CHECKING:
    from pathlib import Path

COMPLEXITY, MAINTAINABILITY, PYFLAKES, _ = ANALYSES


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n")


def test_only_regular_python_files_of_the_tree_itself_are_found(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b/c.py", "b/c.txt", ".hidden/d.py", "__pycache__/e.py")
    make(tmp_path, "site-packages/f.py", "venv/lib/g.py", "venv/pyvenv.cfg", "node_modules/h.py")
    (tmp_path / "b" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "link.py").symlink_to("a.py")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "fifo.py")
    assert [name for name, _ in find_sources(tmp_path).files] == ["a.py", "b/c.py", "link.py"]


def test_one_file_is_a_tree_too(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b.py")
    tree = find_sources(tmp_path / "a.py")
    assert (tree.root, tree.files) == (tmp_path, [("a.py", 6)])


def test_a_huge_file_is_left_out_and_the_note_says_so(tmp_path: Path) -> None:
    make(tmp_path, "a.py")
    (tmp_path / "huge.py").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    tree = find_sources(tmp_path)
    assert [name for name, _ in tree.files] == ["a.py"]
    assert tree.note == "1 of more than 1024 KiB"


def test_the_standard_library_is_there_without_its_tests() -> None:
    names = {name for name, _ in standard_library().files}
    assert {"json/decoder.py", "argparse.py"} <= names
    assert not any(name.startswith(("test/", "site-packages/")) for name in names)


@pytest.mark.parametrize("processes", [1, 2, 3, 50])
def test_shares_are_a_partition_into_parts_that_are_not_empty(processes: int) -> None:
    files = [(f"{number}.py", number**3) for number in range(20)]
    parts = partition(files, processes)
    assert sorted(name for part in parts for name in part) == sorted(name for name, _ in files)
    assert len(parts) == min(processes, 20)
    assert all(parts)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"def f(:\n", "SyntaxError: "),
        (b"a = 1\0\n", "SyntaxError: |ValueError: "),
        (b"x = '\xe9'\n", "SyntaxError: |UnicodeDecodeError: "),
        (b"# coding: no-such-codec\n", "SyntaxError: "),
        (b"x = " + b"+".join([b"a"] * 20_000), "RecursionError: "),
    ],
    ids=["syntax", "nul", "undecodable", "codec", "deep"],
)
@pytest.mark.parametrize("analysis", ANALYSES, ids=[each.name for each in ANALYSES])
def test_sources_that_do_not_parse_get_a_failed_answer(
    analysis: Analysis, content: bytes, why: str
) -> None:
    answer = analyze(analysis, Source(content, is_package=False))
    assert list(answer) == ["failed"]
    assert answer["failed"].startswith(tuple(why.split("|")))


def test_a_source_is_decoded_by_its_own_rules() -> None:
    latin = Source(b"# coding: latin-1\nx = '\xe9'\n", is_package=False)
    assert "failed" not in analyze(COMPLEXITY, latin)
    marked = Source(b"\xef\xbb\xbfx = 1\r\ny = 2\r\n", is_package=False)
    assert "failed" not in analyze(COMPLEXITY, marked)


def test_warnings_about_the_analysed_code_are_not_shown() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = analyze(PYFLAKES, Source(b'x = "\\d" is 1\n', is_package=False))
    assert [message[2] for message in answer["messages"]] == ["IsLiteral"]


def test_a_statement_that_would_take_minutes_is_not_measured() -> None:
    rows = b"    1,\n" * MAX_STATEMENT_LINES
    source = Source(b"X = [\n" + rows + b"]\n", is_package=False)
    assert "would take too long" in analyze(MAINTAINABILITY, source)["failed"]
    assert "failed" not in analyze(COMPLEXITY, source)


def test_running_out_of_memory_is_not_an_answer() -> None:
    def exhaust(_: object) -> dict[str, object]:
        raise MemoryError

    with pytest.raises(MemoryError):
        analyze(COMPLEXITY._replace(answer=exhaust), Source(b"", is_package=False))
