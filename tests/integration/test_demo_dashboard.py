"""The dashboard of the demo: while it runs, and over the cache that it kept."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache.demo.kept_disk import KeptDisk
from tiered_cache.errors import ConfigurationError
from tiered_cache.testing import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAIT_S = 100


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.py").write_text(f"def f(a):\n    return a if a else {number}\n")
    return folder


@contextmanager
def command(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tiered_cache", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def now(url: str) -> Any:
    with urllib.request.urlopen(f"{url}api/now?window=all", timeout=20) as answer:
        return json.load(answer)


def address(stream: Any) -> str:
    """The URL that the dashboard prints."""
    for line in stream:
        found = re.search(r"The dashboard (?:is|stays) at (\S+)", line)
        if found:
            return found[1]
    pytest.fail("it says nowhere that there is a dashboard")


@pytest.mark.proves("dashboard/demo")
def test_the_last_line_is_a_command_that_shows_the_run(tree: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    last = ""
    for _ in range(2):  # the second run reuses the first one's directory
        done = subprocess.run(
            [sys.executable, "-m", "tiered_cache", "demo", tree, "--no-redis", "--keep", kept],
            capture_output=True,
            text=True,
            timeout=_WAIT_S,
            check=True,
        )
        last = done.stdout.splitlines()[-1].strip()
        assert last == f"tiered-cache dashboard --config {kept}/tiered-cache.toml"
        assert "compute 20 answers" in done.stdout, "it begins cold"
    _, *arguments = shlex.split(last)
    with command(*arguments, "--port", "0") as process:
        shown = now(address(process.stdout))
        process.send_signal(signal.SIGINT)
        assert process.wait(_WAIT_S) == 0
    total = shown["total"]
    assert (total["lookups"], total["computes"]) == (60, 20), "cold, warm and restart"
    assert [each["name"] for each in shown["tiers"]] == ["memory", "disk"]
    assert shown["processes"] == []
    assert shown["gone"] == 2


@pytest.mark.proves("dashboard/demo")
def test_a_page_is_there_while_it_runs_and_until_ctrl_c(tree: Path, tmp_path: Path) -> None:
    with command("demo", tree, "--dashboard", "--port", "0") as process:
        assert process.stdout is not None
        url = address(process.stderr)  # printed before the first run begins
        early = now(url)
        assert address(process.stderr) == url, "and again when all are done"
        wait_until(
            lambda: now(url)["total"]["lookups"] == 80,
            "the lookups of both machines are shown",
            _WAIT_S,
        )
        for each in (early, now(url)):
            assert [tier["name"] for tier in each["tiers"]] == ["memory", "disk", "redis"]
        process.send_signal(signal.SIGINT)
        assert process.wait(_WAIT_S) == 0
        assert "Identical in all 4 runs" in process.stdout.read()


def test_only_files_of_a_demo_are_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(ConfigurationError, match="no demo wrote"):
        KeptDisk(tmp_path)
    (tmp_path / "tiered-cache.toml").write_text("# mine\n")
    with pytest.raises(ConfigurationError, match="no demo wrote"):
        KeptDisk(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["thesis.txt", "tiered-cache.toml"]
