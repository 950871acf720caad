"""The four runs of the demo, in directories and with a server of their own."""

from __future__ import annotations

import contextlib
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tiered_cache.demo.analyzer_processes import AnalyzerProcesses, partition
from tiered_cache.demo.run_results import DemoResult, merged_run
from tiered_cache.errors import MissingExtraError, TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from tiered_cache.demo.analyzer import FileShare
    from tiered_cache.demo.run_results import RunResult
    from tiered_cache.demo.source_tree import SourceTree

__all__ = ["FirstMachine", "RunProgress", "all_runs"]


class RunProgress(Protocol):
    """Receives the progress of each run."""

    def begin(self, title: str, files: int) -> None:
        """A run over `files` files begins."""
        ...

    def advance(self, files: int) -> None:
        """So many files of the run are done."""
        ...


class FirstMachine(NamedTuple):
    """The places of the first machine's tiers.

    Attributes:
        disk: The directory of its disk tier.
        redis_url: The URL of the server; `None` if there is none.
    """

    disk: Path
    redis_url: str | None


@contextlib.contextmanager
def all_runs(
    tree: SourceTree,
    *,
    jobs: int,
    redis: bool,
    progress: RunProgress,
    first_disk: Path | None = None,
    beside: Callable[[FirstMachine], AbstractContextManager[object]] = contextlib.nullcontext,
) -> Generator[DemoResult]:
    """Do all runs. Their directories and their server exist until the block ends.

    Args:
        tree: The files to analyse.
        jobs: Processes in each run.
        redis: Whether there is a server and a second machine.
        progress: Receives the progress of each run.
        first_disk: Directory for the first machine's disk, which stays there.
        beside: Entered with the first machine before the runs begin, left when the block ends.

    Raises:
        TieredCacheError: A process of a run ended too early.
    """
    parts = partition(tree.files, jobs)
    with contextlib.ExitStack() as stack:
        places = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tiered-cache-demo-")))
        machine_1 = places / "machine-1" if first_disk is None else first_disk
        url, no_redis = _start_server(stack) if redis else (None, "--no-redis was given")
        stack.enter_context(beside(FirstMachine(machine_1, url)))
        first = [_share(tree, part, machine_1, url) for part in parts]
        runs = [*_cold_and_warm(first, progress), _fresh_run("restart", first, progress)]
        if url is not None:
            second = [_share(tree, part, places / "machine-2", url) for part in parts]
            runs.append(_fresh_run("machine 2", second, progress))
        yield DemoResult(tree, len(parts), runs, no_redis)


def _start_server(stack: contextlib.ExitStack) -> tuple[str | None, str]:
    """The server's URL, or `None` and the reason why there is no server."""
    from tiered_cache.testing.valkey import ValkeyServer

    try:
        return stack.enter_context(ValkeyServer()).url, ""
    except MissingExtraError as error:
        return None, str(error)
    except (TieredCacheError, OSError) as error:
        # The message ends with the server's log. The last line of the log names the cause.
        cause = str(error).strip(". \n").splitlines()[-1]
        return None, f"the embedded Valkey server does not start here: {cause}"


def _share(tree: SourceTree, files: list[str], disk: Path, url: str | None) -> FileShare:
    return {"root": str(tree.root), "files": files, "disk": str(disk), "redis": url}


def _cold_and_warm(shares: Sequence[FileShare], progress: RunProgress) -> Iterator[RunResult]:
    """Two runs in the same processes."""
    started_s = time.perf_counter()
    with AnalyzerProcesses(shares) as processes:
        yield _timed("cold", processes, shares, progress, started_s)
        yield _timed("warm", processes, shares, progress, time.perf_counter())


def _fresh_run(name: str, shares: Sequence[FileShare], progress: RunProgress) -> RunResult:
    """A run in new processes."""
    started_s = time.perf_counter()
    with AnalyzerProcesses(shares) as processes:
        return _timed(name, processes, shares, progress, started_s)


def _timed(
    name: str,
    processes: AnalyzerProcesses,
    shares: Sequence[FileShare],
    progress: RunProgress,
    started_s: float,
) -> RunResult:
    progress.begin(name, sum(len(share["files"]) for share in shares))
    ended_s = started_s

    def stop_clock() -> None:
        nonlocal ended_s
        ended_s = time.perf_counter()

    results = processes.run(progress.advance, stop_clock)
    return merged_run(name, ended_s - started_s, results)
