"""A forked child that executes one call after the other."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
import traceback
from typing import TYPE_CHECKING, Any, Self

from tiered_cache.testing.forked_child import start_child

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Puppet"]

_ours: set[int] = set()
"""The pipe ends of this process. Each new child closes them: else it would outlive this process."""


class Puppet:
    """A forked child with an object, and calls of the object's methods from this process.

    Calls are lines of JSON over a pipe, so arguments and results are plain data. The child is killed
    at the end of the `with` block. Not thread-safe.

    Args:
        make: Called once, in the child. It makes the object.
    """

    def __init__(self, make: Callable[[], object]) -> None:
        theirs, self._commands = os.pipe()
        self._replies, answers = os.pipe()
        _ours.update((self._commands, self._replies))

        def work() -> None:
            for end in _ours:
                os.close(end)
            _obey(make(), theirs, answers)

        self._unread = b""
        self.pid = start_child(work)
        os.close(theirs)
        os.close(answers)

    def call(self, method: str, *arguments: object, timeout_s: float = 60.0) -> Any:
        """Return the result of a method of the object.

        Raises:
            AssertionError: The method raised, the child died, or it did not answer in time.
        """
        with contextlib.suppress(BrokenPipeError):  # reported below: the child has died
            os.write(self._commands, json.dumps([method, arguments]).encode() + b"\n")
        result, error = json.loads(self._line(method, time.monotonic() + timeout_s))
        if error is not None:
            msg = f"{method} raised in the child:\n{error}"
            raise AssertionError(msg)
        return result

    def _line(self, method: str, deadline: float) -> bytes:
        while b"\n" not in self._unread:
            left_s = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._replies], [], [], left_s)
            chunk = os.read(self._replies, 65536) if ready else b""
            if not chunk:
                failure = "died during" if ready else "did not answer"
                msg = f"the child {failure} {method}"
                raise AssertionError(msg)
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def kill(self) -> None:
        """Kill the child. Further calls do nothing."""
        if not self.pid:
            return
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = 0
        for end in (self._commands, self._replies):
            _ours.discard(end)
            os.close(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _obey(target: object, commands: int, answers: int) -> None:
    with os.fdopen(commands, "rb") as lines, os.fdopen(answers, "wb", buffering=0) as replies:
        for line in lines:
            method, arguments = json.loads(line)
            try:
                answer = json.dumps([getattr(target, method)(*arguments), None])
            except BaseException:
                answer = json.dumps([None, traceback.format_exc()])
            replies.write(answer.encode() + b"\n")
