"""Running a function in a forked child, with a deadline."""

from __future__ import annotations

import json
import os
import select
import signal
import time
import traceback
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["in_forked_child", "start_child"]


def in_forked_child(function: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Return the result of `function()` in a child forked from this process.

    Args:
        function: Called in the child's only thread. Its result must be plain data for JSON.
        timeout_s: Seconds after which the child is killed.

    Raises:
        AssertionError: The child hung, died or raised; the message has its traceback.
    """
    reading, writing = os.pipe()

    def run() -> None:
        os.close(reading)
        _answer(writing, function)

    child = start_child(run)
    os.close(writing)
    try:
        answer = _read_to_end(reading, time.monotonic() + timeout_s)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)  # it has answered, or missed its deadline
        os.waitpid(child, 0)
    if answer is None:
        msg = f"the forked child did not answer within {timeout_s:g} s"
        raise AssertionError(msg)
    if not answer:
        msg = "the forked child died without an answer"
        raise AssertionError(msg)
    result, error = json.loads(answer)
    if error is not None:
        msg = f"the forked child raised:\n{error}"
        raise AssertionError(msg)
    return result


def start_child(function: Callable[[], object]) -> int:
    """Fork a child that runs `function` and exits, with status 0 if it returned.

    Returns:
        The process id of the child.
    """
    with warnings.catch_warnings():
        # Python warns of a fork beside busy threads, which is the case under test.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return child


def _answer(writing: int, function: Callable[[], Any]) -> None:
    """Write the result and exit at once: the parent's cleanup must not run in the child."""
    try:
        try:
            answer = json.dumps([function(), None])
        except BaseException:
            answer = json.dumps([None, traceback.format_exc()])
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answer.encode())
    finally:
        os._exit(0)


def _read_to_end(reading: int, deadline: float) -> bytes | None:
    """Everything that the child wrote; `None` after the deadline."""
    chunks: list[bytes] = []
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        chunk = os.read(reading, 65536)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
