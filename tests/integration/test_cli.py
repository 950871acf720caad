"""The command line, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tiered_cache", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def test_values_from_process_to_process() -> None:
    run("set", "greeting", "hello", "--ttl", "1h", "--tag", "a", "--tag", "b")
    assert run("get", "greeting").stdout == "hello\n"
    found = json.loads(run("get", "greeting", "--json").stdout)
    assert (found["status"], found["tier"], found["value"]) == ("hit", "disk", "hello")
    assert found["tags"] == ["a", "b"]
    assert 3000 < found["remaining_s"] <= 3600
    run("set", "object", '{"x": [1, null]}', "--json-value")
    assert json.loads(run("get", "object").stdout) == {"x": [1, None]}
    assert json.loads(run("get", "object", "--json").stdout)["remaining_s"] is None
    assert json.loads(run("keys", "--json").stdout) == ["greeting", "object"]
    assert run("keys", "gr").stdout == "greeting\n"
    explained = json.loads(run("explain", "greeting", "--json").stdout)
    assert [each["present"] for each in explained] == [False, True]
    assert "no limit" in run("explain", "object").stdout
    assert json.loads(run("delete", "greeting", "absent", "--json").stdout) == {"deleted": 1}
    run("delete", "greeting", code=1)
    assert run("get", "greeting", code=1).stdout == ""
    run("explain", "greeting", code=1)


def test_keys_that_the_locale_cannot_show_are_escaped() -> None:
    run("set", "schlüssel", "wert ü", PYTHONUTF8="1")
    shown = run("keys", PYTHONIOENCODING="ascii", PYTHONUTF8="1").stdout
    assert shown == "schl\\xfcssel\n"
    assert json.loads(run("keys", "--json").stdout) == ["schlüssel"]
    shown = run("get", "schlüssel", PYTHONIOENCODING="ascii", PYTHONUTF8="1").stdout
    assert shown == "wert \\xfc\n"


def test_clear_asks() -> None:
    run("set", "key", "1")
    assert "--yes" in run("clear", code=2).stderr
    assert run("get", "key").stdout == "1\n"
    assert run("clear", "--yes").stdout == "removed 1 keys\n"
    run("get", "key", code=1)


def test_stats_show_what_is_full_and_what_is_down() -> None:
    run("set", "key", "1")
    stats = json.loads(run("stats", "--json").stdout)
    assert [tier["entries"] for tier in stats["tiers"]] == [0, 1]
    down = run("stats", code=4, TIERED_CACHE_REDIS_URL="redis://u:the-secret@127.0.0.1:1/0")
    assert "open" in down.stdout
    assert "127.0.0.1:1" in down.stdout
    assert "the-secret" not in down.stdout + down.stderr


def test_settings_are_shown_with_their_sources() -> None:
    Path("tiered-cache.toml").write_text("redis_url = 'redis://u:the-secret@h/0'\n[stacks.ci]\n")
    shown = json.loads(run("config", "show", "--json", TIERED_CACHE_STRICT="yes").stdout)
    assert shown["strict"] == {"value": "True", "source": "TIERED_CACHE_STRICT"}
    assert shown["redis_url"]["value"] == "'redis://u:***@h/0'"
    assert "the-secret" not in run("config", "show", "--stack", "ci").stdout
    assert run("config", "check").stdout == "no mistakes; stacks: default, ci\n"
    assert "properties" in json.loads(run("config", "schema").stdout)


def test_mistakes_have_their_exit_code() -> None:
    Path("tiered-cache.toml").write_text("nonsense = 1\n[memory]\nmax_entries = 0\n")
    assert len(run("config", "check", code=3).stderr.splitlines()) == 2
    assert len(json.loads(run("config", "check", "--json", code=3).stdout)["mistakes"]) == 2
    assert "max_entries" in run("get", "key", code=3).stderr
    Path("tiered-cache.toml").unlink()
    assert "one of default" in run("get", "key", "--stack", "ci", code=3).stderr
    assert "empty" in run("get", "", code=3).stderr
    assert "ttl" in run("set", "key", "1", "--ttl", "0", code=3).stderr
    assert "JSON" in run("set", "key", "{", "--json-value", code=2).stderr
    run("frobnicate", code=2)
    run("get", code=2)
    unreachable = {"TIERED_CACHE_TIERS": "redis", "TIERED_CACHE_REDIS_URL": "redis://127.0.0.1:1"}
    assert "127.0.0.1:1" in run("get", "key", code=4, **unreachable).stderr


def test_keys_cannot_play_with_the_terminal() -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07\u202ereversed\nnext [bold]line"
    run("set", hostile, "1")
    shown = run("keys").stdout
    assert shown.count("\n") == 1
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold]" in shown
    assert json.loads(run("keys", "--json").stdout) == [hostile]


def test_help_waits_for_no_library() -> None:
    program = """
import sys
sys.argv = ["tiered-cache", "--help"]
from tiered_cache.cli import main
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
heavy = {"redis", "diskcache", "pydantic", "cachetools", "msgspec", "rich", "radon", "dataclasses"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    for told in ("examples:", "exit codes:", "130", "demo", "explain"):
        assert told in done.stdout


@pytest.mark.parametrize(
    "command",
    ["demo", "config", "stats", "get", "set", "delete", "keys", "explain", "clear", "version"],
)
def test_every_command_has_help_and_json(command: str) -> None:
    assert "--json" in run(command, "--help").stdout


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    for number in range(5):
        run("set", f"key-{number}", "x")
    process = subprocess.Popen(
        [sys.executable, "-m", "tiered_cache", "keys"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


def test_version() -> None:
    assert "Python" in json.loads(run("version", "--json").stdout)
