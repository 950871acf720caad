"""The parent's side of a run: processes that each answer for a share of the files."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any, Self, cast

from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from tiered_cache.demo.worker import Outcome, Task

__all__ = ["Crew", "shares"]

_LEAVE_S = 10.0
_CHUNK = 1 << 16
_NOT_FOR_WORKERS = "PYFLAKES_"


def shares(files: Sequence[tuple[str, int]], processes: int) -> list[list[str]]:
    """The files in `processes` parts of about the same size in bytes, none of them empty."""
    parts: list[list[str]] = [[] for _ in range(max(1, min(processes, len(files))))]
    sizes = [0] * len(parts)
    for name, size in sorted(files, key=lambda each: (-each[1], each[0])):
        least = sizes.index(min(sizes))
        parts[least].append(name)
        # Every file costs something, also an empty one.
        sizes[least] += size + 1
    return [sorted(part) for part in parts]


class Crew:
    """Worker processes, one for each task; they live until the block is left.

    They are processes of their own making, started from a fresh interpreter: nothing that this
    process has in memory is there.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        self._workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        # The answers must not depend on who asks: pyflakes takes builtins from the environment.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_FOR_WORKERS)}
        try:
            for task in self._tasks:
                # -P: the directory that the user happens to be in must not be imported from.
                worker = subprocess.Popen(
                    [sys.executable, "-P", "-m", "tiered_cache.demo.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environment,
                    start_new_session=True,  # Ctrl-C in a terminal is ours to handle
                )
                self._workers.append(worker)
                _send(worker, task)
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._kill()
            return
        for worker in self._workers:
            _close(worker.stdin)
        try:
            for worker in self._workers:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.wait(_LEAVE_S)
        finally:
            self._kill()

    def run(
        self, on_progress: Callable[[int], None], on_answered: Callable[[], None]
    ) -> list[Outcome]:
        """Let every process answer all its questions once.

        Args:
            on_progress: Told how many files are done, over all processes.
            on_answered: Called when the last process has its last answer.

        Raises:
            TieredCacheError: A process ended too early.
        """
        for worker in self._workers:
            _send(worker, "run")
        done = [0] * len(self._workers)
        outcomes: dict[int, Outcome] = {}
        answered = 0
        for number, kind, content in self._messages():
            if kind == "progress":
                done[number] = cast(int, content)
            elif kind == "answered":
                done[number] = len(self._tasks[number]["files"])
                answered += 1
                if answered == len(self._workers):
                    on_answered()
            else:
                outcomes[number] = cast("Outcome", content)
            on_progress(sum(done))
        return [outcomes[number] for number in range(len(self._workers))]

    def _messages(self) -> Iterator[tuple[int, str, Any]]:
        """What the processes say, each until its outcome."""
        with selectors.DefaultSelector() as selector:
            for number, worker in enumerate(self._workers):
                assert worker.stdout is not None
                selector.register(worker.stdout, selectors.EVENT_READ, (number, bytearray()))
            while selector.get_map():
                for key, _ in selector.select():
                    number, pending = key.data
                    chunk = os.read(key.fd, _CHUNK)
                    if not chunk:
                        self._ended_early(self._workers[number])
                    pending += chunk
                    *lines, rest = bytes(pending).split(b"\n")
                    pending[:] = rest
                    for line in lines:
                        ((kind, content),) = json.loads(line).items()
                        yield number, kind, content
                        if kind == "outcome":
                            selector.unregister(key.fileobj)

    @staticmethod
    def _ended_early(worker: subprocess.Popen[bytes]) -> None:
        status = worker.wait(_LEAVE_S)
        msg = f"a process of the demo ended too early, with status {status}: see above"
        raise TieredCacheError(msg)

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.wait()
            _close(worker.stdin)
            _close(worker.stdout)


def _send(worker: subprocess.Popen[bytes], command: object) -> None:
    assert worker.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # that it ended is found where its words are read
        worker.stdin.write(json.dumps(command).encode() + b"\n")
        worker.stdin.flush()


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(BrokenPipeError):  # what was not yet sent to one that ended
            pipe.close()
