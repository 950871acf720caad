"""`tiered-cache stats`: the statistics of all processes, as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import command_line
from tiered_cache import TieredCache
from tiered_cache._terminal.figures import amount, size, span
from tiered_cache.cli import main
from tiered_cache.cli.fleet_text import fleet_lines, fleet_table
from tiered_cache.stats.fleet.fleet_stats import FleetStats
from tiered_cache.stats.snapshot.cache_stats import CacheStats, FunctionStats, TierStats

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [*command_line.COMMAND, "stats"]


def use(times: int) -> None:
    """Open, use and close a cache, which counts as another process."""
    with TieredCache.from_settings() as cache:
        for _ in range(times):
            cache.get_or_compute("key", lambda: 1)


def shown(*arguments: str) -> str:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_processes_are_counted_and_this_one_is_not(isolated_home: Path) -> None:
    use(10)
    use(5)
    for _ in range(2):
        document = json.loads(shown("--json"))
        assert (document["lookups"], document["hits"], document["computes"]) == (15, 14, 1)
        assert [tier["lookups"] for tier in document["tiers"]] == [15, 2]
        fleet = document["fleet"]
        assert (fleet["gone"], fleet["processes"], fleet["reach"]) == (2, [], "host")
        assert document["advice"] == []
    with TieredCache.from_settings() as running:
        running.get("key")
        running._source.core()._publisher.publish(60.0)
        fleet = json.loads(shown("--json"))["fleet"]
        assert [each["pid"] for each in fleet["processes"]] == [os.getpid()]
        assert fleet["processes"][0]["stats"]["lookups"] == 1


def test_a_window_shows_its_span() -> None:
    use(3)
    assert "since they began" in shown()
    document = json.loads(shown("--since", "15m", "--json"))
    assert (document["lookups"], document["fleet"]["span_s"]) == (3, None)


@pytest.mark.parametrize("arguments", [["--since", "soon"], ["--since", "-1"]])
def test_a_wrong_duration(arguments: list[str]) -> None:
    assert main(["stats", *arguments]) == 3


@pytest.mark.parametrize("pause", ["0", "soon", "inf"])
def test_a_wrong_pause(pause: str) -> None:
    with pytest.raises(SystemExit):
        main(["stats", "--watch", pause])


def test_without_a_terminal_there_is_no_colour() -> None:
    use(3)
    text = shown()
    assert "\x1b" not in text
    assert text.splitlines()[0].split() == [
        "tier", "lookups", "hits", "rate", "read", "saved", "entries", "bytes"
    ]  # fmt: skip


def watched(*arguments: str, documents: int) -> list[str]:
    """The first lines that `--watch` prints, before it is interrupted."""
    with subprocess.Popen(
        [*COMMAND, "--watch", "0.1", *arguments], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(documents)]
        child.send_signal(signal.SIGINT)
        child.stdout.read()
        assert child.wait(30) == 130
    return lines


def test_watching_goes_on_until_it_is_interrupted() -> None:
    use(3)
    for line in watched("--json", documents=3):
        assert json.loads(line)["lookups"] == 3


def test_watching_on_a_terminal_redraws() -> None:
    use(3)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "NO_COLOR": "", "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(
        [*COMMAND, "--watch", "0.1"], stdout=theirs, stderr=theirs, env=environment
    ) as child:
        os.close(theirs)
        text = ""
        while text.count("memory") < 3:
            text += os.read(ours, 4096).decode()
        child.send_signal(signal.SIGINT)
        while True:
            try:
                if not os.read(ours, 4096):
                    break
            except OSError:  # the terminal is gone
                break
        assert child.wait(30) == 130
    os.close(ours)
    assert "\x1b[" in text


def largest() -> FleetStats:
    """A fleet with the longest numbers and names."""
    tier = TierStats(
        "a tier with a very long name",
        hits=987_654_321_987,
        misses=987_654_321_987,
        timed_reads=3,
        read_seconds=345.0,
        seconds_saved=-9_876_543_210.0,
        entries=987_654_321_987,
        bytes=10**15,
        breaker="closed",
    )
    functions = tuple(
        FunctionStats(f"package.module.Class.function_with_a_long_name_{number}", hits=10**12)
        for number in range(20)
    )
    stats = CacheStats(
        hits=987_654_321_987,
        computes=987_654_321_987,
        compute_seconds=1e10,
        queue_depth=10_000,
        queue_age_s=1e6,
        queue_parked=10_000,
        tiers=(tier, tier, tier, tier),
        functions=functions,
    )
    return FleetStats(stats, 86_400.0, (), 10**6, 10**6, "process", 0.0)


def test_the_largest_figures_fit_80_columns() -> None:
    from tiered_cache._terminal.tables import plain_table, rich_table

    columns, rows = fleet_table(largest())
    cells = [list(row) for row in rows]
    drawn = [plain_table(columns, cells, numeric=True)]
    if (rich := rich_table(columns, cells, numeric=True)) is not None:
        drawn.append(re.sub(r"\x1b\[[0-9;]*m", "", rich))
    for text in drawn:
        assert max(len(line) for line in text.splitlines()) <= 80
        assert text.count("50.0%") == 4
    assert max(len(line) for line in fleet_lines(largest())) <= 80


def test_an_open_breaker_is_named_with_its_cause() -> None:
    fleet = largest()
    first, *others = fleet.stats.tiers
    down = dataclasses.replace(first, breaker="open", detail="can't connect")
    stats = dataclasses.replace(fleet.stats, tiers=(down, *others))
    assert f"{first.name}: breaker open: can't connect" in fleet_lines(
        dataclasses.replace(fleet, stats=stats)
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, ""), (0, "0"), (9999, "9,999"), (12_345, "12.3k"), (9_100_000, "9.1M"), (2e9, "2.0G")],
)
def test_amounts_are_short(number: float | None, text: str) -> None:
    assert amount(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, ""), (0, "0 B"), (2048, "2.0 KiB"), (5 * 2**20, "5.0 MiB"), (3 * 2**40, "3.0 TiB")],
)
def test_sizes_are_short(number: int | None, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (2.5e-5, "25.0 µs"),
        (0.05, "50.0 ms"),
        (-3.0, "-3.0 s"),
        (600.0, "10.0 min"),
        (10_800.0, "3.0 h"),
        (864_000.0, "10.0 d"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_names_from_elsewhere_are_no_markup_and_move_no_cursor() -> None:
    with TieredCache.from_settings() as cache:

        def hostile(number: int) -> int:
            return number

        hostile.__qualname__ = "\x1b[2Jhostile[red]"
        cache.cached(key=str)(hostile)(1)
    text = shown()
    assert "\x1b" not in text
    assert r"\x1b[2Jhostile[red]" in text
