"""The command line in a process of its own, with pipes or on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COMMAND", "on_a_terminal", "read_terminal", "run"]

COMMAND = (sys.executable, "-m", "tiered_cache")


def run(
    *arguments: str,
    code: int = 0,
    timeout_s: float = 60,
    also: Mapping[str, str] | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal; check its exit code, and that it prints no traceback.

    Args:
        arguments: The command line.
        code: The expected exit code.
        timeout_s: The longest that it may take.
        also: Environment variables.
        variables: More of them.
    """
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **(also or {}), **variables},
        stdin=subprocess.DEVNULL,
        timeout=timeout_s,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def on_a_terminal(*arguments: str, answer: str = "", code: int = 0, **variables: str) -> str:
    """The output of a command on a terminal, standard error included; its exit code is checked."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "200", "TERM": "xterm", **variables},
    ) as process:
        os.close(theirs)
        os.write(ours, answer.encode())  # the terminal keeps it until it is read
        shown = read_terminal(ours)
    assert process.returncode == code, shown
    return shown


def read_terminal(ours: int) -> str:
    """The output of a terminal until its other end closes; `ours` is closed."""
    shown = b""
    with suppress(OSError):  # on Linux, the other end was closed
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    return shown.decode()
