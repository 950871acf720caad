"""One process of a run: answers the questions about its share of the files through a cache.

It reads JSON lines from its standard input, first what to do (see `Task`), then `"run"` for each
run, and writes JSON lines to its standard output: progress, and the outcome of each run. It ends
when its input ends.
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

from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.demo.analyses import ANALYSES, Source, analyze
from tiered_cache.demo.identity import answer_key
from tiered_cache.demo.tree import MAX_FILE_BYTES
from tiered_cache.keys import arguments_key

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NAMESPACE", "Outcome", "Task", "main"]

NAMESPACE = "demo"

_REPORT_S = 0.1


class Task(TypedDict):
    """What a process is to do.

    Attributes:
        root: The directory that the files are relative to.
        files: Its share of the files.
        disk: The directory of the disk tier.
        redis: The URL of the server, `None` to go without.
    """

    root: str
    files: list[str]
    disk: str
    redis: str | None


class Outcome(TypedDict):
    """What a run gave.

    Attributes:
        digests: A digest of the answers about each file.
        lines: How many lines the files have.
        failed: The files that could not be read, decoded, parsed or measured.
        stats: The cache's statistics of this run, as `CacheStats.to_dict` gives them.
    """

    digests: dict[str, str]
    lines: int
    failed: list[str]
    stats: dict[str, Any]


class _Reporter:
    """Writes lines to the parent, progress no more often than a terminal needs it."""

    def __init__(self) -> None:
        # A line that an analyzer prints must not end up between ours.
        self._pipe = os.fdopen(os.dup(1), "w", encoding="ascii")
        os.dup2(2, 1)
        self._reported = 0.0

    def close(self) -> None:
        self._pipe.close()

    def send(self, kind: str, content: object = None) -> None:
        self._pipe.write(json.dumps({kind: content}) + "\n")
        self._pipe.flush()

    def progress(self, files: int) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_S:
            self._reported = now
            self.send("progress", files)


def _open_cache(task: Task) -> TieredCache:
    questions = len(task["files"]) * len(ANALYSES)
    # Room for all answers: SIEVE would make room by letting go of answers that the next run asks for.
    tiers: list[Any] = [MemoryTier(max_entries=max(questions, 1)), DiskTier(task["disk"])]
    if task["redis"] is not None:
        tiers.append(RedisTier(task["redis"], timeout="2s"))
    return TieredCache(tiers, namespace=NAMESPACE)


def _read(root: str, name: str) -> Source | str:
    """The file, or why it can't be read."""
    try:
        with (Path(root) / name).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    if len(content) > MAX_FILE_BYTES:
        return f"longer than {MAX_FILE_BYTES} bytes"
    return Source(content, Path(name).name == "__init__.py")


def _ask(cache: TieredCache, source: Source) -> dict[str, Any]:
    """All answers about one file. This is what a program that uses the cache looks like."""
    answers: dict[str, Any] = {}
    for analysis in ANALYSES:
        key = answer_key(analysis, source)
        try:
            answers[analysis.name] = cache.get_or_compute(key, partial(analyze, analysis, source))
        except MemoryError:
            answers[analysis.name] = {"failed": "out of memory"}
    return answers


def _run(cache: TieredCache, task: Task, report: _Reporter) -> Outcome:
    before = cache.stats()
    answers: dict[str, dict[str, Any]] = {}
    lines = 0
    for done, name in enumerate(task["files"]):
        report.progress(done)
        source = _read(task["root"], name)
        if isinstance(source, str):
            # Nothing was read, so there is no content to make a key of, and nothing to cache.
            answers[name] = {"failed": source}
            continue
        lines += source.content.count(b"\n")
        answers[name] = _ask(cache, source)
    report.send("answered")  # here the clock stops: the rest is the demo's own bookkeeping
    return {
        "digests": {name: arguments_key("answers", each) for name, each in answers.items()},
        "lines": lines,
        "failed": [name for name, each in answers.items() if _has_failed(each)],
        "stats": (cache.stats() - before).to_dict(),
    }


def _has_failed(answers: dict[str, Any]) -> bool:
    return "failed" in answers or any("failed" in each for each in answers.values())


def main(commands: Callable[[], bytes]) -> None:
    """Serve the parent until it has no more commands.

    Args:
        commands: Gives the next line, empty when there are no more.
    """
    order = commands()
    if not order:
        return  # the parent was interrupted before it could say what to do
    task: Task = json.loads(order)
    with closing(_Reporter()) as report, _open_cache(task) as cache:
        while commands():
            report.send("outcome", _run(cache, task, report))


if __name__ == "__main__":
    try:
        main(sys.stdin.buffer.readline)
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(1)  # the parent is gone, and with it whoever would read a traceback
