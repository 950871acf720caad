"""Replays of a trace under eviction policies, at several sizes, in worker processes."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tiered_cache.errors import ConfigurationError
from tiered_cache.traces import Replay, Trace, read_trace, replay
from tiered_cache.traces.reader import TraceError
from tiered_cache.units import parse_size
from tiered_cache_policies.policy_registry import PolicyLookupError, find_policy, policy_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Curves", "TraceFile", "capacities_of", "eviction_names", "load_trace", "replay_all"]

Curves = dict[str, dict[int, Replay]]
"""The replays of each policy, by capacity."""

ReplayTask = tuple[str, int]

_LEAST = 10
_MAX_JOBS = 4
_MOSTLY = 0.75
"""Share of distinct lines above which a text with spaces counts as prose."""
_SHOW = "'tiered-cache simulate --help' shows what a trace looks like"

_trace: Trace | None = None
"""In a worker process: the trace, read once for all of its replays."""


def eviction_names(chosen: Sequence[str]) -> list[str]:
    """The chosen eviction policies; by default all that need no options.

    Raises:
        ConfigurationError: A name is unknown, or its policy needs options.
    """
    names = list(chosen) or [name for name in policy_names("eviction") if name != "ttl"]
    for name in names:
        try:
            find_policy("eviction", name)(_LEAST)
        except (PolicyLookupError, TypeError) as error:
            raise ConfigurationError(str(error.args[0])) from error
    return names


class TraceFile(NamedTuple):
    """A trace and its file, which worker processes read again.

    Attributes:
        path: The file.
        column: The column of the keys in a CSV file.
        trace: Its requests.
    """

    path: str
    column: str
    trace: Trace


def load_trace(path: str, column: str) -> TraceFile:
    """The trace in the file `path`; see `read_trace`.

    Any text can be read as a trace with one key per line. Prose, code and logs are refused here,
    because a replay of them says nothing: most lines have spaces, and few occur twice.

    Raises:
        TraceError: The file is missing, damaged, or not a trace.
        OSError: The file can't be read.
    """
    try:
        trace = read_trace(path, column=column)
    except FileNotFoundError:
        msg = f"no such file: {path}"
        raise TraceError(msg) from None
    if isinstance(trace.keys[0], str) and ".csv" not in Path(path).suffixes:
        _check_keys([str(key) for key in trace.keys], Path(path).name)
    return TraceFile(path, column, trace)


def _check_keys(keys: Sequence[str], name: str) -> None:
    distinct = set(keys)
    if len(distinct) == len(keys):
        msg = (
            f"{name} is not a trace: none of its {len(keys):,} lines occurs twice. A text trace has "
            f"the key of one request per line, and repeats the keys that are asked for again; {_SHOW}"
        )
        raise TraceError(msg)
    spaced = sum(len(key.split()) > 1 for key in distinct)
    if spaced > len(distinct) / 2 and len(distinct) > _MOSTLY * len(keys):
        msg = (
            f"{name} is not a trace: its lines have spaces and few occur twice. A text trace has the "
            "key of one request per line. Put keys with spaces into a .csv file with a column 'key'; "
            f"{_SHOW}"
        )
        raise TraceError(msg)


def capacities_of(sizes: str, trace: Trace) -> list[int]:
    """The sizes of `--sizes` in entries or bytes, smallest first, each once.

    Raises:
        ConfigurationError: One of them is not a size.
    """
    return sorted({_capacity(text.strip(), trace) for text in sizes.split(",")})


def _capacity(text: str, trace: Trace) -> int:
    try:
        if not text.endswith("%"):
            return parse_size(text, name="--sizes")
        share = float(text[:-1])
        if not 0 < share <= 100:
            raise ValueError
        return max(_LEAST, round(trace.volume * share / 100))
    except ValueError:
        msg = (
            f"--sizes={text!r} is not a size: write entries or bytes ('500', '64MiB'), or a share of "
            "all different keys ('5%')"
        )
        raise ConfigurationError(msg) from None


def replay_all(
    file: TraceFile, tasks: Sequence[ReplayTask], jobs: int | None, on_done: Callable[[int], object]
) -> Curves:
    """Replay a trace for each task.

    Args:
        file: The trace.
        tasks: Pairs of an eviction policy's name and a capacity in entries or bytes.
        jobs: Worker processes; by default one per core, at most 4. With 1 none is started.
        on_done: Called after each replay with the number of replays done.
    """
    workers = min(jobs or min(_MAX_JOBS, os.cpu_count() or 1), len(tasks))
    replays = _in_turn(file.trace, tasks) if workers == 1 else _in_processes(file, tasks, workers)
    curves: Curves = {name: {} for name, _ in tasks}
    for done, ((name, capacity), found) in enumerate(replays, start=1):
        curves[name][capacity] = found
        on_done(done)
    return curves


def _in_turn(trace: Trace, tasks: Sequence[ReplayTask]) -> Iterator[tuple[ReplayTask, Replay]]:
    for name, capacity in tasks:
        yield (name, capacity), replay(trace, find_policy("eviction", name), capacity)


def _in_processes(
    file: TraceFile, tasks: Sequence[ReplayTask], workers: int
) -> Iterator[tuple[ReplayTask, Replay]]:
    with ProcessPoolExecutor(workers, initializer=_load, initargs=file[:2]) as pool:
        pending = {pool.submit(_replay, *task): task for task in tasks}
        for future in as_completed(pending):
            yield pending[future], future.result()


def _load(path: str, column: str) -> None:
    global _trace  # noqa: PLW0603 - a worker process has one trace
    _trace = read_trace(path, column=column)


def _replay(name: str, capacity: int) -> Replay:
    assert _trace is not None
    return replay(_trace, find_policy("eviction", name), capacity)
