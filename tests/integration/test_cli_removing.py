"""`tiered-cache invalidate` and `clear`, in processes of their own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from tests.command_line import COMMAND, read_terminal, run
from tiered_cache import TieredCache


def shown_on_a_terminal(*arguments: str, **variables: str) -> tuple[str, str]:
    """The standard output of a command, and its standard error on a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm", **variables},
    ) as process:
        os.close(theirs)
        progress = read_terminal(ours)
        assert process.stdout is not None
        printed = process.stdout.read()
    assert process.returncode == 0, progress
    return printed, progress


def fill(count: int = 3) -> None:
    with TieredCache.from_settings() as cache:
        cache.set_many({f"report:{number}": number for number in range(count)}, tags={"repo:x"})
        cache.set("user:1:avatar", 1, tags={"repo:y"})
        cache.set("user:1:name", 2)


def kept() -> list[str]:
    with TieredCache.from_settings() as cache:
        return sorted(key for key in cache.keys() if cache.exists(key))  # noqa: SIM118 - a cache


@pytest.mark.proves("removing/command")
def test_tags() -> None:
    fill()
    assert run("invalidate", "--tag", "repo:x").stdout == "invalidated repo:x\n"
    assert kept() == ["user:1:avatar", "user:1:name"]
    document = json.loads(run("invalidate", "--tag", "repo:y", "--tag", "b", "--json").stdout)
    assert document == {"tags": ["b", "repo:y"], "removed": 0}
    assert kept() == ["user:1:name"]


@pytest.mark.proves("removing/command")
def test_prefixes_and_patterns() -> None:
    fill()
    done = run("invalidate", "--prefix", "report:", "--pattern", "user:*:avatar")
    assert (done.stdout, done.stderr) == ("removed 4 keys\n", "")
    assert kept() == ["user:1:name"]
    document = json.loads(run("invalidate", "--prefix", "user:", "--json").stdout)
    assert document == {"tags": [], "removed": 1}
    assert kept() == []


@pytest.mark.proves("removing/command")
def test_nothing_named_removes_nothing() -> None:
    fill()
    assert "needs a --tag" in run("invalidate", code=2).stderr
    for option in ("--tag", "--prefix", "--pattern"):
        assert "clear removes everything" in run("invalidate", option, "", code=2).stderr
    assert len(kept()) == 5


@pytest.mark.proves("removing/command")
def test_progress_is_for_terminals() -> None:
    for command in (
        ["invalidate", "--prefix", "report:"],
        ["invalidate", "--pattern", "rep*"],
        ["clear", "--yes"],
    ):
        fill(600)
        printed, progress = shown_on_a_terminal(*command)
        assert printed.startswith("removed 60")
        assert "removing" in progress
        assert "keys" in progress
    fill()
    assert run("clear", "--yes").stderr == ""


def test_without_rich_progress_is_plain() -> None:
    fill(600)
    hidden = "import sys; sys.modules['rich'] = None; import tiered_cache.cli as c; c.main()"
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", hidden, "invalidate", "--pattern", "rep*"],
        stderr=theirs,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    progress = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.stdout == "removed 600 keys\n"
    assert "removing: 500 of 600 keys" in progress
    assert "\x1b" not in progress


@pytest.mark.proves("removing/command")
def test_a_tier_that_is_away_makes_it_no_success() -> None:
    url = "redis://127.0.0.1:1/0"
    for selection in (["--tag", "a"], ["--prefix", "a"], ["--pattern", "a*"]):
        done = run("invalidate", *selection, code=4, TIERED_CACHE_REDIS_URL=url)
        assert "not done in every tier: redis" in done.stderr
