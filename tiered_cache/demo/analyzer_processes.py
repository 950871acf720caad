"""The parent's side of a run: one analyzer process for each share of the files."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any, NoReturn, Self, cast

from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from tiered_cache.demo.analyzer import FileShare, ShareResult

__all__ = ["AnalyzerProcesses", "partition"]

_LEAVE_S = 10.0
_CHUNK = 1 << 16
_HIDDEN_PREFIX = "PYFLAKES_"


def partition(files: Sequence[tuple[str, int]], processes: int) -> list[list[str]]:
    """The files in `processes` parts of about the same size in bytes, none of them empty."""
    parts: list[list[str]] = [[] for _ in range(max(1, min(processes, len(files))))]
    sizes = [0] * len(parts)
    for name, size in sorted(files, key=lambda each: (-each[1], each[0])):
        least = sizes.index(min(sizes))
        parts[least].append(name)
        # An empty file costs time too.
        sizes[least] += size + 1
    return [sorted(part) for part in parts]


class AnalyzerProcesses:
    """One process for each share, from entering to leaving the block.

    Each starts from a fresh interpreter, so nothing in this process's memory can answer for it.
    """

    def __init__(self, shares: Sequence[FileShare]) -> None:
        self._shares = shares
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        # pyflakes takes builtins from the environment, which must not change the answers.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(_HIDDEN_PREFIX)}
        try:
            for share in self._shares:
                # -P keeps the working directory out of the import path.
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "tiered_cache.demo.analyzer"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environment,
                    start_new_session=True,  # the parent alone handles Ctrl-C
                )
                self._processes.append(process)
                _send(process, share)
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
        for process in self._processes:
            _close(process.stdin)
        try:
            for process in self._processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LEAVE_S)
        finally:
            self._kill()

    def run(
        self, on_progress: Callable[[int], None], on_answered: Callable[[], None]
    ) -> list[ShareResult]:
        """Analyse all files once; the result of each process.

        Args:
            on_progress: Called with the number of files done so far, over all processes.
            on_answered: Called when the last process has its last answer.

        Raises:
            TieredCacheError: A process ended too early.
        """
        for process in self._processes:
            _send(process, "run")
        done = [0] * len(self._processes)
        results: dict[int, ShareResult] = {}
        answered = 0
        for number, kind, content in self._messages():
            if kind == "progress":
                done[number] = cast(int, content)
            elif kind == "answered":
                done[number] = len(self._shares[number]["files"])
                answered += 1
                if answered == len(self._processes):
                    on_answered()
            else:
                results[number] = cast("ShareResult", content)
            on_progress(sum(done))
        return [results[number] for number in range(len(self._processes))]

    def _messages(self) -> Iterator[tuple[int, str, Any]]:
        """Process number, kind and content of each message, until every process sent its result."""
        with selectors.DefaultSelector() as selector:
            for number, process in enumerate(self._processes):
                assert process.stdout is not None
                selector.register(process.stdout, selectors.EVENT_READ, (number, bytearray()))
            while selector.get_map():
                for key, _ in selector.select():
                    number, pending = key.data
                    chunk = os.read(key.fd, _CHUNK)
                    if not chunk:
                        _fail(self._processes[number])
                    pending += chunk
                    *lines, rest = bytes(pending).split(b"\n")
                    pending[:] = rest
                    for line in lines:
                        ((kind, content),) = json.loads(line).items()
                        yield number, kind, content
                        if kind == "result":
                            selector.unregister(key.fileobj)

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            _close(process.stdin)
            _close(process.stdout)


def _fail(process: subprocess.Popen[bytes]) -> NoReturn:
    status = process.wait(_LEAVE_S)
    msg = f"a process of the demo ended too early, with status {status}: see above"
    raise TieredCacheError(msg)


def _send(process: subprocess.Popen[bytes], command: object) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # the end of the process shows when it is read from
        process.stdin.write(json.dumps(command).encode() + b"\n")
        process.stdin.flush()


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(BrokenPipeError):  # unsent commands of a process that ended
            pipe.close()
