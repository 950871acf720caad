"""The four runs of the demo, and what came of them."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tiered_cache import TierStats
from tiered_cache.demo.crew import Crew, shares
from tiered_cache.errors import MissingExtraError, TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from tiered_cache.demo.tree import Tree
    from tiered_cache.demo.worker import Outcome, Task

__all__ = ["Demo", "Onlooker", "Run", "Watcher", "conducted", "first_difference"]


class Watcher(Protocol):
    """Who is told how it goes."""

    def begin(self, title: str, files: int) -> None:
        """A run over so many files begins."""
        ...

    def advance(self, files: int) -> None:
        """So many files of the run are done."""
        ...


Onlooker = Callable[[Path, str | None], AbstractContextManager[object]]


def _nobody(_disk: Path, _url: str | None) -> AbstractContextManager[object]:
    return contextlib.nullcontext()


class Run(NamedTuple):
    """One run over all files.

    Attributes:
        name: `cold`, `warm`, `restart` or `machine 2`.
        wall_s: Seconds from the first process's start, or from the word to run, to the last answer.
        lookups: Questions that were asked of the cache.
        computes: Answers that had to be computed.
        compute_s: Seconds that this took, over all processes.
        tiers: What each tier did, over all processes.
        digests: A digest of the answers about each file.
        lines: How many lines the files have.
        failed: The files that got no full answer, only why there is none.
    """

    name: str
    wall_s: float
    lookups: int
    computes: int
    compute_s: float
    tiers: list[TierStats]
    digests: dict[str, str]
    lines: int
    failed: list[str]


class Demo(NamedTuple):
    """All runs.

    Attributes:
        tree: What was analysed.
        jobs: How many processes each run had.
        runs: The runs, in order.
        no_redis: Why there was no third tier; empty if there was one.
    """

    tree: Tree
    jobs: int
    runs: list[Run]
    no_redis: str


def first_difference(runs: Sequence[Run]) -> tuple[str, str] | None:
    """The first file about which some run gives other answers than the first, and that run."""
    cold = runs[0].digests
    for run in runs[1:]:
        for name in sorted(cold.keys() | run.digests.keys()):
            if cold.get(name) != run.digests.get(name):
                return name, run.name
    return None


@contextlib.contextmanager
def conducted(
    tree: Tree,
    *,
    jobs: int,
    redis: bool,
    watcher: Watcher,
    keep: Path | None = None,
    onlooker: Onlooker = _nobody,
) -> Generator[Demo]:
    """Do all runs, in directories and with a server of their own that are there until the block ends.

    Args:
        tree: What to analyse.
        jobs: How many processes each run has.
        redis: Whether there is a server and a second machine.
        watcher: Who is told how it goes.
        keep: Where to put the first machine's disk, which stays there.
        onlooker: Given the first machine's disk and the server, comes before the runs begin and
            leaves when the block ends.

    Raises:
        TieredCacheError: A process of a run ended too early.
    """
    parts = shares(tree.files, jobs)
    with contextlib.ExitStack() as stack:
        places = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tiered-cache-demo-")))
        machine_1 = places / "machine-1" if keep is None else keep
        url, no_redis = _start_server(stack) if redis else (None, "as asked")
        stack.enter_context(onlooker(machine_1, url))
        first = [_task(tree, part, machine_1, url) for part in parts]
        runs = [*_run_twice(first, watcher), _run_anew("restart", first, watcher)]
        if url is not None:
            second = [_task(tree, part, places / "machine-2", url) for part in parts]
            runs.append(_run_anew("machine 2", second, watcher))
        yield Demo(tree, len(parts), runs, no_redis)


def _start_server(stack: contextlib.ExitStack) -> tuple[str | None, str]:
    from tiered_cache.testing.valkey import ValkeyServer

    try:
        return stack.enter_context(ValkeyServer()).url, ""
    except MissingExtraError as error:
        return None, str(error)
    except (TieredCacheError, OSError) as error:
        # The server's log is part of the message; its last line says why.
        why = str(error).strip(". \n").splitlines()[-1]
        return None, f"the embedded Valkey server does not start here: {why}"


def _task(tree: Tree, files: list[str], disk: Path, url: str | None) -> Task:
    return {"root": str(tree.root), "files": files, "disk": str(disk), "redis": url}


def _run_twice(tasks: Sequence[Task], watcher: Watcher) -> Iterator[Run]:
    started = time.perf_counter()
    with Crew(tasks) as crew:
        yield _timed("cold", crew, tasks, watcher, started)
        yield _timed("warm", crew, tasks, watcher, time.perf_counter())


def _run_anew(name: str, tasks: Sequence[Task], watcher: Watcher) -> Run:
    started = time.perf_counter()
    with Crew(tasks) as crew:
        return _timed(name, crew, tasks, watcher, started)


def _timed(name: str, crew: Crew, tasks: Sequence[Task], watcher: Watcher, started: float) -> Run:
    watcher.begin(name, sum(len(task["files"]) for task in tasks))
    ended = started

    def stop_the_clock() -> None:
        nonlocal ended
        ended = time.perf_counter()

    outcomes = crew.run(watcher.advance, stop_the_clock)
    return _merge(name, ended - started, outcomes)


def _merge(name: str, wall_s: float, outcomes: Sequence[Outcome]) -> Run:
    stats = [outcome["stats"] for outcome in outcomes]
    return Run(
        name=name,
        wall_s=wall_s,
        lookups=sum(each["lookups"] for each in stats),
        computes=sum(each["computes"] for each in stats),
        compute_s=sum(each["compute_seconds"] for each in stats),
        tiers=[_merge_tiers(same) for same in zip(*(each["tiers"] for each in stats), strict=True)],
        digests={file: digest for each in outcomes for file, digest in each["digests"].items()},
        lines=sum(each["lines"] for each in outcomes),
        failed=sorted(name for each in outcomes for name in each["failed"]),
    )


def _merge_tiers(same: Sequence[dict[str, Any]]) -> TierStats:
    """The statistics of one tier as several processes saw it."""
    first = same[0]
    merged = {field.name: first[field.name] for field in dataclasses.fields(TierStats)}
    for name, value in merged.items():
        if isinstance(value, int | float):
            merged[name] = sum(each[name] for each in same)
    if first["name"] != "memory":
        # One store that all see: who looked last saw how full it is.
        for level in ("entries", "bytes", "max_entries", "max_bytes"):
            merged[level] = max(
                (each[level] for each in same if each[level] is not None), default=None
            )
    return TierStats(**merged)
