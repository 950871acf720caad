"""The gate that a fork closes: threads, finalizers, signal handlers and hooks beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fork_programs import PROGRAMS, Counted
from tiered_cache._process import fork
from tiered_cache._process.fork import call_in_child

_SCRIPT = Path(__file__).parents[1] / "fork_programs.py"


@pytest.mark.parametrize("name", [each.__name__ for each in PROGRAMS])
def test_forks(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), name, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert ("A fork hook failed" in done.stderr) == (name == "a_hook_that_raises_stops_no_other")


def test_hooks_of_dead_objects_are_removed_now_and_then() -> None:
    for _ in range(3 * fork._PRUNE_EVERY):
        call_in_child(Counted().run)
    assert sum(ref() is None for ref in fork._child_calls) <= fork._PRUNE_EVERY
