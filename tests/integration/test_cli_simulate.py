"""`tiered-cache simulate`, in processes of its own."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from tests import command_line

run = partial(command_line.run, "simulate", timeout_s=120)

LINES = "\n".join("abacabda" * 50) + "\n"


@pytest.fixture(autouse=True)
def _trace() -> None:
    Path("trace.txt").write_text(LINES)


def test_a_table_of_hit_ratios_and_the_best_of_each_size() -> None:
    done = run(
        "trace.txt", "--policy", "lru", "--policy", "sieve", "--sizes", "2,3,2", "--jobs", "1"
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["policy", "2", "3"]
    assert [row[0] for row in rows[1:]] == ["lru", "sieve"]
    assert sum("*" in cell for row in rows[1:] for cell in row) >= 2
    assert "400 requests" in done.stderr
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_every_policy_by_default_in_several_processes() -> None:
    found = json.loads(run("trace.txt", "--json", "--sizes", "2,100%").stdout)
    assert (found["requests"], found["volume"], found["unit"]) == (400, 4, "entries")
    assert {"lru", "s3fifo", "tinylfu", "adaptive", "gdsf", "arc"} <= set(found["policies"])
    for replays in found["policies"].values():
        assert [each["capacity"] for each in replays] == [2, 10]
        assert replays[-1]["hit_ratio"] == 396 / 400, "all fit: only the first requests miss"


def test_curves_are_drawn() -> None:
    run("trace.txt", "--sizes", "2,3", "--policy", "lru", "--plot", "curves.svg")
    assert b"<svg" in Path("curves.svg").read_bytes()
    run("trace.txt", "--sizes", "2,3", "--policy", "lru", "--plot", "curves.png")
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")


def test_costs_make_a_second_table() -> None:
    Path("costs.csv").write_text("key,size,cost\n" + "a,10,1.5\nb,20,0.5\n" * 20)
    done = run("costs.csv", "--policy", "gdsf", "--sizes", "1KB")
    assert "seconds saved, of 40.0 s" in done.stderr
    assert "38.0" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["trace.txt", "--policy", "best"], 3, "'best' is not a policy"),
        (["trace.txt", "--policy", "ttl"], 3, "ttl"),
        (["trace.txt", "--sizes", "some"], 3, "--sizes='some'"),
        (["trace.txt", "--sizes", "0%"], 3, "--sizes='0%'"),
        (["trace.txt", "--plot", "curves.pdf"], 3, "must end in .png or .svg"),
        (["absent.txt"], 5, "tiered-cache: no such file: absent.txt\n"),
        (["trace.u64"], 5, "not a multiple of 8"),
        (["trace.txt", "--jobs", "0"], 2, "give one from 1 to 64"),
    ],
)
def test_mistakes_are_reported(arguments: list[str], code: int, told: str) -> None:
    Path("trace.u64").write_bytes(b"1234567")
    assert told in run(*arguments, code=code).stderr


PROSE = """
tiered-cache is a cache of several tiers.
It reads the memory tier first.
A lookup falls through the tiers, and the first hit is promoted.

It reads the memory tier first.
A miss is computed once.
The result is written by the write policy.
"""


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("README.md", PROSE, "its lines have spaces and few occur twice"),
        ("users.txt", "root\ndaemon\nbin\n", "none of its 3 lines occurs twice"),
    ],
)
def test_a_text_that_is_no_trace_is_refused_with_the_format_of_a_trace(
    name: str, content: str, told: str
) -> None:
    Path(name).write_text(content)
    errors = run(name, code=5).stderr
    assert errors.startswith(f"tiered-cache: {name} is not a trace: ")
    assert told in errors
    assert "A text trace has the key of one request per line" in errors
    assert "'tiered-cache simulate --help' shows what a trace looks like" in errors


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("queries.txt", "select a\nselect b\n" * 10),
        ("queries.csv", "key\nselect a\nselect b\n"),
    ],
)
def test_keys_with_spaces_are_a_trace_if_they_repeat_or_are_in_a_column(
    name: str, content: str
) -> None:
    Path(name).write_text(content)
    assert run(name, "--policy", "lru", "--sizes", "2").stdout
