"""The dashboard's command, and processes that use the cache on display."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Load", "dashboard", "settings_of"]

_LOAD = Path(__file__).with_name("load.py")


def settings_of(folder: str, url: str, namespace: str) -> dict[str, str]:
    """Environment variables for the stack of a `Load`."""
    return {
        "TIERED_CACHE_DISK__PATH": folder,
        "TIERED_CACHE_REDIS_URL": url,
        "TIERED_CACHE_NAMESPACE": namespace,
        "TIERED_CACHE_TIERS": '["memory", "disk", "redis"]',
    }


class Load:
    """A process that uses the cache; see `load.py`."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", _LOAD, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def pause(self) -> dict[str, Any]:
        """Pause the process, and return its statistics."""
        self.tell("pause")
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def dashboard(*arguments: str, **variables: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The URL that the command prints, and its process."""
    with subprocess.Popen(
        [sys.executable, "-m", "tiered_cache", "dashboard", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"The dashboard is at (\S+)\n", line)
            assert found, (line, process.stderr.read() if process.stderr else "")
            yield found[1], process
        finally:
            process.kill()
