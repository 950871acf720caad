"""The exit codes that SPEC.md lists."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journals import write_row
from tiered_cache.cli import main
from tiered_cache.cli.exits import EXIT_CODES
from tiered_cache.cli.main import code_of
from tiered_cache.errors import SerializationError
from tiered_cache.journal import DiskJournal

_SPEC = (Path(__file__).parents[2] / "SPEC.md").read_text()


def test_the_codes_are_those_of_the_program() -> None:
    section = _SPEC.partition("## Exit codes")[2]
    listed = re.findall(r"^\| (\d+) \| ([^|]+) \|", section, re.MULTILINE)
    assert [(int(code), meaning.replace("`", "")) for code, meaning in listed] == [
        (code, meaning) for code, meaning in EXIT_CODES.items()
    ]


@pytest.mark.proves("exit-codes/done", "exit-codes/no")
def test_yes_and_no() -> None:
    assert main(["set", "greeting", "hello"]) == 0
    assert main(["get", "greeting"]) == 0
    assert main(["get", "never stored"]) == 1
    assert main(["delete", "never stored"]) == 1


@pytest.mark.proves("exit-codes/no")
def test_problems_beside_settings_and_tiers_exit_with_1() -> None:
    assert main(["doctor"]) == 0
    journal = DiskJournal(Path(os.environ["XDG_CACHE_HOME"]) / "tiered-cache/.journal/default")
    journal.park(write_row(journal, "key", b"record", 1.0, frozenset({"disk"})), "too large")
    assert main(["doctor"]) == 1
    journal.close()


@pytest.mark.proves("exit-codes/command-line")
def test_a_wrong_command_line() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["undo"])
    assert ended.value.code == 2


@pytest.mark.proves("exit-codes/settings")
@pytest.mark.parametrize(
    "command",
    [
        ["get", ""],
        ["set", "key", "value", "--ttl", "soon"],
        ["get", "key", "--stack", "unknown"],
        ["get", "key", "--config", "nowhere.toml"],
    ],
)
def test_wrong_settings_keys_and_durations(command: list[str]) -> None:
    assert main(command) == 3


@pytest.mark.proves("exit-codes/unreachable")
def test_a_tier_that_is_needed_and_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERED_CACHE_TIERS", '["redis"]')
    monkeypatch.setenv("TIERED_CACHE_REDIS_URL", "redis://localhost:1/0")
    assert main(["get", "key"]) == 4


@pytest.mark.proves("exit-codes/other")
def test_anything_else_that_went_wrong() -> None:
    assert code_of(SerializationError("no such value")) == 5


@pytest.mark.proves("exit-codes/interrupted")
def test_an_interruption() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "import tiered_cache.cli as c; raise SystemExit(c.main())"]
    with subprocess.Popen(
        [*command, "clear"], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        while not child.stdout.read(1).endswith(b"?"):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 130
    os.close(ours)
    os.close(theirs)
