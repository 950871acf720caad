"""`tiered-cache doctor`, in processes of its own."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import command_line
from tests.journals import write_row
from tiered_cache.journal import DiskJournal

if TYPE_CHECKING:
    from tiered_cache.testing import ValkeyServer

run = partial(command_line.run, "doctor")
on_a_terminal = partial(command_line.on_a_terminal, "doctor")


def test_a_stack_that_works() -> None:
    done = run()
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "default: memory, disk, namespace default"
    # How long it took is said where that was long.
    assert lines[1].startswith("  ok       settings: no mistakes; from the defaults")
    assert lines[-1] == "everything works; pieces of advice: 0"
    assert "\x1b" not in done.stdout


@pytest.mark.proves("diagnosis/output")
def test_all_lines_but_copyable_ones_fit_into_80_columns(valkey: ValkeyServer) -> None:
    shown = run(TIERED_CACHE_REDIS_URL=valkey.url, COLUMNS="200").stdout
    assert "to do:" in shown
    long = [line for line in shown.splitlines() if len(line) > 80]
    assert [line for line in long if len(line.split()) > 1] == []


@pytest.mark.proves("diagnosis/output")
def test_one_document_for_programs(valkey: ValkeyServer) -> None:
    Path("tiered-cache.toml").write_text(f'[stacks.ci]\nredis_url = "{valkey.url}"\n')
    done = run("--json")
    document = json.loads(done.stdout)
    assert document["healthy"]
    assert [(each["stack"], each["tiers"]) for each in document["stacks"]] == [
        ("default", ["memory", "disk"]),
        ("ci", ["memory", "disk", "redis"]),
    ]
    check = document["stacks"][0]["checks"][0]
    assert (check["subject"], check["name"], check["verdict"]) == ("settings", "settings", "ok")
    assert check["seconds"] > 0
    (only,) = json.loads(run("--json", "--stack", "ci").stdout)["stacks"]
    assert only["stack"] == "ci"


@pytest.mark.proves("diagnosis/output")
def test_colours_and_progress_are_for_terminals() -> None:
    coloured = on_a_terminal(NO_COLOR="")
    assert "\x1b[32mok     \x1b[0m  settings" in coloured
    assert "disk: round trip ...\r" in coloured
    plain = on_a_terminal(NO_COLOR="1")
    assert "\x1b" not in plain
    assert "disk: round trip ...\r" in plain
    document = on_a_terminal("--json")
    assert "disk: round trip ..." in document
    assert json.loads(document[document.index("{") :])["healthy"]


def test_a_mistake_in_the_settings() -> None:
    done = run(code=3, TIERED_CACHE_DEFAULT_TTL="soon")
    assert "problem  settings default_ttl: TIERED_CACHE_DEFAULT_TTL: found 'soon'" in done.stdout
    assert done.stdout.endswith("\nproblems: 1, pieces of advice: 0\n")
    run("--stack", "unknown", code=3)


@pytest.mark.proves("diagnosis/output")
def test_a_tier_that_is_away() -> None:
    done = run(code=4, TIERED_CACHE_REDIS_URL="redis://:hunter2@127.0.0.1:1/0")
    assert "problem  redis connection: no server listens at this address" in done.stdout
    assert "to do: start the server" in done.stdout
    assert done.stderr == ""  # the findings alone name the faults
    assert "hunter2" not in done.stdout
    document = json.loads(
        run("--json", code=4, TIERED_CACHE_REDIS_URL="redis://127.0.0.1:1/0").stdout
    )
    assert not document["healthy"]


def test_anything_else_that_is_wrong(isolated_home: Path) -> None:
    directory = isolated_home / "cache" / "tiered-cache" / ".journal" / "default"
    journal = DiskJournal(directory)
    journal.park(write_row(journal, "key", b"record", 1.0, frozenset({"disk"})), "too large")
    assert "problem  journal: parked writes: 1" in run(code=1).stdout
    journal.close()


def test_help_tells_the_exit_codes() -> None:
    shown = run("--help").stdout
    assert "Exit code 0 if nothing is wrong, 3 if the settings are, 4 if" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80
