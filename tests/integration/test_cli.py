"""The command line, in processes of its own."""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import pty
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.command_line import on_a_terminal, run
from tiered_cache.cli import commands
from tiered_cache.cli.main import COMMANDS
from tiered_cache.cli.open_stack import OpenStack

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.testing import ChaosProxy


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
    assert json.loads(run("keys", "--json", PYTHONIOENCODING="ascii", PYTHONUTF8="1").stdout) == [
        "schlüssel"
    ]
    shown = run("get", "schlüssel", PYTHONIOENCODING="ascii", PYTHONUTF8="1").stdout
    assert shown == "wert \\xfc\n"


def test_clear_asks() -> None:
    run("set", "key", "1")
    assert "--yes" in run("clear", code=2).stderr
    assert run("get", "key").stdout == "1\n"
    assert run("clear", "--yes").stdout == "removed 1 keys\n"
    run("get", "key", code=1)


def test_clear_takes_an_answer_from_a_terminal() -> None:
    run("set", "key", "1", TIERED_CACHE_NAMESPACE="mine")
    for no in ("n\n", "\n", "yesterday\n", "\x04"):
        shown = on_a_terminal("clear", answer=no, code=1, TIERED_CACHE_NAMESPACE="mine")
        assert "namespace 'mine' from memory, disk? [y/N]" in shown
        assert "nothing was removed" in shown
    assert run("get", "key", TIERED_CACHE_NAMESPACE="mine").stdout == "1\n"
    on_a_terminal("clear", answer="y\n", code=3, TIERED_CACHE_NAMESPACE="/")
    assert "removed 1 keys" in on_a_terminal("clear", answer="Y\n", TIERED_CACHE_NAMESPACE="mine")
    run("get", "key", code=1, TIERED_CACHE_NAMESPACE="mine")


def test_a_question_is_no_part_of_the_json() -> None:
    run("set", "key", "1")
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n")
    done = subprocess.run(
        [sys.executable, "-m", "tiered_cache", "clear", "--json"],
        stdin=theirs,
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(theirs)
    os.close(ours)
    assert json.loads(done.stdout) == {"cleared": 1}
    assert "[y/N]" in done.stderr


def test_tables_are_coloured_on_a_terminal_unless_no_colour_is_wanted() -> None:
    run("set", "key", "1")
    coloured = on_a_terminal("explain", "key", NO_COLOR="")
    assert "\x1b[" in coloured
    plain = on_a_terminal("explain", "key", NO_COLOR="1")
    assert "\x1b" not in plain
    assert "\x1b" not in run("explain", "key").stdout
    for shown in (coloured, plain):
        assert "disk" in shown
        assert "no limit" in shown


def test_without_rich_tables_are_plain() -> None:
    run("set", "key", "1")
    hidden = Path("hidden")
    hidden.mkdir()
    (hidden / "rich.py").write_text("raise ImportError('not installed')")
    shown = on_a_terminal("explain", "key", PYTHONPATH=str(hidden), NO_COLOR="")
    assert "\x1b" not in shown
    assert "no limit" in shown


def test_text_from_outside_is_no_markup() -> None:
    Path("tiered-cache.toml").write_text("[disk]\npath = '[bold]cache[/bold] [link=x]'\n")
    assert "[bold]cache[/bold] [link=x]" in on_a_terminal("stats", NO_COLOR="")


AWAY = {
    "TIERED_CACHE_REDIS_URL": "redis://127.0.0.1:1/0",
    "TIERED_CACHE_COHERENCE__WHEN_CUT": "serve",
}


def test_a_command_that_missed_a_tier_is_no_success() -> None:
    for key in ("one", "two"):
        run("set", key, "1")
    assert run("get", "one", also=AWAY).stdout == "1\n"
    assert run("keys", code=4, also=AWAY).stdout == "one\ntwo\n"
    assert "redis can't be reached" in run("delete", "one", code=4, also=AWAY).stderr
    run("get", "one", code=4, also=AWAY)
    run("explain", "one", code=4, also=AWAY)
    assert "yes" in run("explain", "two", also=AWAY).stdout
    assert "redis: failed" in run("set", "three", "1", code=4, also=AWAY).stderr
    cleared = run("clear", "--yes", "--json", code=4, also=AWAY)
    assert json.loads(cleared.stdout) == {"cleared": 2}
    assert run("keys").stdout == ""


@pytest.mark.parametrize("fault", ["refuse", "garbage"])
def test_a_server_that_fails_in_between_is_noticed(
    redis_url: str,
    namespace: str,
    chaos_proxy: Callable[[str], ChaosProxy],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    proxy = chaos_proxy(redis_url)
    monkeypatch.setenv("TIERED_CACHE_REDIS_URL", proxy.url)
    monkeypatch.setenv("TIERED_CACHE_REDIS__TIMEOUT", "5s")
    monkeypatch.setenv("TIERED_CACHE_NAMESPACE", namespace)
    stack = OpenStack(argparse.Namespace(stack="default", config=None))
    with stack as cache:
        cache.set("key", 1)
        assert stack.unreached() == []
        getattr(proxy, fault)()
        cache.clear()
        assert cache.stats().tier("redis").breaker == "closed", "one fault does not open it"
        assert stack.unreached() == ["redis"]
        proxy.forward()
        cache.delete("key")


def test_a_value_that_no_tier_below_takes_is_no_success() -> None:
    small = {"TIERED_CACHE_DISK__MAX_VALUE_BYTES": "200"}
    run("set", "key", "old")
    told = run("set", "key", "x" * 1000, code=5, also=small)
    assert "disk: refused" in told.stderr
    run("get", "key", code=1)


STORE_ODD_VALUES = """
from tiered_cache import tiered
tiered.set("keys that are tuples", {(1, 2): 3})
tiered.set("not finite", [float("nan"), float("-inf")])
tiered.set("bytes", b"\\x00")
tiered.set("invisible", ["\\u202e\\x9b ü"])
tiered.set("twins", {1: 1, "1": 2})
tiered.set("too long a number", 10**5000)
tiered.close()
"""


def test_a_wrong_ttl_names_the_option() -> None:
    told = run("set", "key", "value", "--ttl", "never", code=3).stderr
    assert told == (
        "tiered-cache: --ttl='never' is not a duration: leave --ttl out for the stack's default\n"
    )


def test_values_that_json_has_no_form_for() -> None:
    subprocess.run([sys.executable, "-c", STORE_ODD_VALUES], check=True)

    def shown(key: str, **variables: str) -> object:
        text = run("get", key, "--json", also=variables).stdout
        return json.loads(text, parse_constant=pytest.fail)["value"]

    assert shown("keys that are tuples") == {"(1, 2)": 3}
    assert run("get", "keys that are tuples").stdout == "{(1, 2): 3}\n"
    assert shown("not finite") == ["nan", "-inf"]
    assert run("get", "not finite").stdout == "[nan, -inf]\n"
    assert shown("bytes") == "b'\\x00'"
    assert shown("twins") == "{1: 1, '1': 2}"
    for variables in ({}, {"PYTHONIOENCODING": "ascii"}):
        assert shown("invisible", **variables) == ["\u202e\x9b ü"]
        for options in ([], ["--json"]):
            text = run("get", "invisible", *options, also=variables).stdout
            assert "\u202e" not in text
            assert "\x9b" not in text
    assert "ValueError" in run("get", "too long a number", code=5).stderr


def test_stats_show_entries_and_tiers_that_are_down() -> None:
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
    assert shown["strict"] == {
        "value": "True",
        "source": "TIERED_CACHE_STRICT",
        "trusted": True,
    }
    assert shown["redis_url"]["value"] == "'redis://u:***@h/0'"
    assert "the-secret" not in run("config", "show", "--stack", "ci").stdout
    assert run("config", "check").stdout == "no mistakes; stacks: default, ci\n"
    assert "properties" in json.loads(run("config", "schema").stdout)


@pytest.mark.proves("configuration/senseless-order")
def test_a_stack_that_cannot_be_built_of_settings_that_are_right_is_told() -> None:
    Path("tiered-cache.toml").write_text(
        "tiers = ['disk', 'memory']\n"
        "[stacks.ci]\ntiers = ['memory']\nmax_ttl = {redis = '1h'}\n"
        "[stacks.good]\ntiers = ['memory']\n"
    )
    order, absent = run("config", "check", code=3).stderr.splitlines()
    assert order.startswith("stack default: ")
    assert "put 'memory' first" in order
    assert absent == "stack ci: max_ttl='redis' is not a tier of this cache: expected one of memory"
    document = json.loads(run("config", "check", "--json", code=3).stdout)
    assert document["stacks"] == ["default", "ci", "good"]
    assert list(document["refused"]) == ["default", "ci"]
    assert not Path(os.environ["HOME"], "cache").exists(), "no tier was opened"


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
    assert "JSON" in run("set", "key", "[" * 100_000, "--json-value", code=2).stderr
    run("frobnicate", code=2)
    run("get", code=2)
    unreachable = {"TIERED_CACHE_TIERS": "redis", "TIERED_CACHE_REDIS_URL": "redis://127.0.0.1:1"}
    assert "127.0.0.1:1" in run("get", "key", code=4, also=unreachable).stderr


def test_keys_cannot_play_with_the_terminal() -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07\u202ereversed\nnext [bold]line"
    run("set", hostile, "1")
    shown = run("keys").stdout
    assert shown.count("\n") == 1
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold]" in shown
    assert json.loads(run("keys", "--json").stdout) == [hostile]


@pytest.mark.parametrize("arguments", [["--help"], ["get", "--help"], ["demo", "--help"]])
def test_help_waits_for_no_library(arguments: list[str]) -> None:
    program = """
import sys
before = set(sys.modules)
sys.argv = ["tiered-cache", *sys.argv[1:]]
from tiered_cache.cli import main
try:
    main()
except SystemExit as stop:
    assert stop.code == 0
heavy = {"redis", "diskcache", "pydantic", "cachetools", "msgspec", "rich", "radon", "dataclasses"}
assert not heavy & set(sys.modules) - before, heavy & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True
    )
    assert "usage:" in done.stdout


def test_help_shows_examples_and_exit_codes() -> None:
    for told in ("examples:", "exit codes:", "130", "demo", "explain"):
        assert told in run("--help").stdout
    for command in ("config", "stats", "get", "set", "delete", "keys", "explain", "clear"):
        shown = run(command, "--help").stdout
        assert f"examples:\n  tiered-cache {command}" in shown
        assert "--stack NAME" in shown
        assert "--config FILE" in shown
    stats = " ".join(run("stats", "--help").stdout.split())
    assert "Each process counts its own work" in stats


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_in_80_columns_and_json(command: str) -> None:
    shown = run(command, "--help", COLUMNS="80").stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert ("--json" in shown) is (command != "dashboard"), "a page has no document"


def test_each_module_of_a_command_is_listed() -> None:
    modules = {each.name for each in pkgutil.iter_modules(commands.__path__)}
    assert modules == set(COMMANDS)


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


@pytest.mark.parametrize("arguments", [["--help"], ["keys"]])
def test_output_that_can_not_be_written(arguments: list[str]) -> None:
    run("set", "key", "1")
    command = shlex.join([sys.executable, "-m", "tiered_cache", *arguments])
    for shell, code, told in (
        (f"{command} >/dev/full", 5, "No space left"),
        (f"{command} >&-", 0, ""),
    ):
        done = subprocess.run(["/bin/sh", "-c", shell], stderr=subprocess.PIPE, text=True)
        assert (done.returncode, told in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr
        assert bool(done.stderr) == bool(told)


def test_help_for_a_reader_that_has_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "tiered_cache", "--help"], stdout=closed, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_debugging_shows_tracebacks() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tiered_cache", "get", ""],
        env={**os.environ, "TIERED_CACHE_DEBUG": "1"},
        capture_output=True,
        text=True,
    )
    assert "Traceback" in done.stderr
    assert "InvalidKeyError" in done.stderr


def test_a_fault_of_the_program_shows_no_value() -> None:
    program = """
import sys
from tiered_cache.cli import main
from tiered_cache.cli.commands import version
def broken(arguments):
    raise LookupError("the value of a user")
version.run = broken
sys.exit(main(["version"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 5
    assert done.stderr == "tiered-cache: LookupError: TIERED_CACHE_DEBUG=1 shows where\n"


def test_version() -> None:
    assert "Python" in json.loads(run("version", "--json").stdout)
    assert run("--version").stdout.startswith("tiered-cache ")
