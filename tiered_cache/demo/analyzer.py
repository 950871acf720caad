"""A process of a run: analyses its share of the files through a cache.

Started as `python -m tiered_cache.demo.analyzer`. It reads JSON lines from standard input: first its
`FileShare`, then `"run"` for each run. It writes JSON lines to standard output: progress, and the
`ShareResult` of each run. It ends when its input ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from tiered_cache.demo.analyses import ANALYSES, Source, analyze
from tiered_cache.demo.answer_keys import answer_key
from tiered_cache.demo.machine import open_machine
from tiered_cache.demo.source_tree import MAX_FILE_BYTES
from tiered_cache.keys import arguments_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache import TieredCache

__all__ = ["FileShare", "ShareResult", "main"]

_REPORT_S = 0.1


class FileShare(TypedDict):
    """The work of a process.

    Attributes:
        root: The directory that the files are relative to.
        files: Its share of the files.
        disk: The directory of the disk tier.
        redis: The URL of the server; `None` for a stack without Redis.
    """

    root: str
    files: list[str]
    disk: str
    redis: str | None


class ShareResult(TypedDict):
    """The result of a process in one run.

    Attributes:
        digests: For each file, a digest of the answers about it.
        lines: Lines in all files.
        failed: The files that could not be read, decoded, parsed or measured.
        stats: The cache's statistics of this run, as `CacheStats.to_dict` returns them.
    """

    digests: dict[str, str]
    lines: int
    failed: list[str]
    stats: dict[str, Any]


class _ParentPipe:
    """Writes JSON lines to the parent; progress at most ten times a second."""

    def __init__(self) -> None:
        # Analyzers may print. Their output goes to standard error, so that it can't mix with ours.
        self._pipe = os.fdopen(os.dup(1), "w", encoding="ascii")
        os.dup2(2, 1)
        self._reported_s = 0.0

    def close(self) -> None:
        self._pipe.close()

    def send(self, kind: str, content: object = None) -> None:
        self._pipe.write(json.dumps({kind: content}) + "\n")
        self._pipe.flush()

    def progress(self, files: int) -> None:
        now_s = time.monotonic()
        if now_s - self._reported_s >= _REPORT_S:
            self._reported_s = now_s
            self.send("progress", files)


def main(read_line: Callable[[], bytes]) -> None:
    """Serve the parent until its end of the pipe closes.

    Args:
        read_line: Returns the next line of input, `b""` at its end.
    """
    order = read_line()
    if not order:
        return  # the parent was interrupted before it sent the share
    share: FileShare = json.loads(order)
    # The memory tier holds all answers of the share: an evicted one would be a miss in the warm run.
    answers = max(len(share["files"]) * len(ANALYSES), 1)
    with (
        closing(_ParentPipe()) as parent,
        open_machine(share["disk"], share["redis"], max_entries=answers) as cache,
    ):
        while read_line():
            parent.send("result", _run(cache, share, parent))


def _run(cache: TieredCache, share: FileShare, parent: _ParentPipe) -> ShareResult:
    before = cache.stats()
    answers: dict[str, dict[str, Any]] = {}
    lines = 0
    for done, name in enumerate(share["files"]):
        parent.progress(done)
        source = _read(share["root"], name)
        if isinstance(source, str):
            # Without content there is no key, so the failure is not cached.
            answers[name] = {"failed": source}
            continue
        lines += source.content.count(b"\n")
        answers[name] = _answers(cache, source)
    parent.send("answered")  # the parent stops its clock: the digests are not part of the run
    return {
        "digests": {name: arguments_key("answers", each) for name, each in answers.items()},
        "lines": lines,
        "failed": [name for name, each in answers.items() if _has_failed(each)],
        "stats": (cache.stats() - before).to_dict(),
    }


def _read(root: str, name: str) -> Source | str:
    """The file, or the reason why it can't be read."""
    try:
        with (Path(root) / name).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    if len(content) > MAX_FILE_BYTES:
        return f"longer than {MAX_FILE_BYTES} bytes"
    return Source(content, Path(name).name == "__init__.py")


def _answers(cache: TieredCache, source: Source) -> dict[str, Any]:
    """The answers of all analyses about a file. A program that uses the cache looks like this."""
    answers: dict[str, Any] = {}
    for analysis in ANALYSES:
        key = answer_key(analysis, source)
        try:
            answers[analysis.name] = cache.get_or_compute(key, partial(analyze, analysis, source))
        except MemoryError:
            answers[analysis.name] = {"failed": "out of memory"}
    return answers


def _has_failed(answers: dict[str, Any]) -> bool:
    return "failed" in answers or any("failed" in each for each in answers.values())


if __name__ == "__main__":
    try:
        main(sys.stdin.buffer.readline)
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(1)  # the parent is gone, and nothing reads a traceback
