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
    """What `function()` returns in a child that is forked from this process as it is.

    Args:
        function: Called in the child's only thread; its result must be plain data for JSON.
        timeout_s: When the child is killed.

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
        os.kill(child, signal.SIGKILL)  # it has answered, or it never will
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
    """The process id of a forked child that runs `function` and then ends: with 0, if it returned."""
    with warnings.catch_warnings():
        # To fork while other threads are busy is what is being tested.
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
    """Never returns: nothing of the parent's may be run or cleaned up in the child."""
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
    """All that the child wrote, or `None` when the deadline has come first."""
    chunks: list[bytes] = []
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        chunk = os.read(reading, 65536)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
