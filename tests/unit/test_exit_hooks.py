"""Exit hooks: their order, their faults, and `multiprocessing` workers."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import multiprocessing, sys
from tiered_cache._process.exit import call_at_exit, hook_worker_exit

class Hook:
    def __init__(self, name, priority):
        self.name = name
        call_at_exit(self.run, priority)

    def run(self):
        print(self.name, flush=True)
        if self.name == "raises":
            raise ZeroDivisionError

def register():
    global hooks
    Hook("dead", 1)
    hooks = [Hook("last", 0), Hook("first", 2), Hook("raises", 1)]

def work():
    register()
    hook_worker_exit()
    hook_worker_exit()

def main(how):
    if how == "here":
        register()
        hook_worker_exit()
    else:
        worker = multiprocessing.get_context(how).Process(target=work)
        worker.start()
        worker.join()

if __name__ == "__main__":
    main(sys.argv[1])
"""


# From 3.13 on a child of the fork server runs `atexit` too, as a spawned one does.
_FORK_SERVER = 2 if sys.version_info >= (3, 13) else 1


@pytest.mark.parametrize(
    ("how", "times"), [("here", 1), ("fork", 1), ("spawn", 2), ("forkserver", _FORK_SERVER)]
)
def test_hooks_run_by_priority_and_one_that_raises_stops_no_other(
    how: str, times: int, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, how], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.split() == ["first", "raises", "last"] * times
    assert "ZeroDivisionError" in done.stderr
