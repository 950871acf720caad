"""`simulate`: what each eviction policy would keep of a trace, at several sizes."""

from __future__ import annotations

import contextlib
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from tiered_cache.cli.exits import OK
from tiered_cache.cli.output import print_json, print_table, say
from tiered_cache.errors import ConfigurationError, MissingExtraError
from tiered_cache.traces import Replay, Trace, read_trace, replay
from tiered_cache.units import parse_size
from tiered_cache_policies.policy_registry import PolicyLookupError, eviction_policy, policy_names

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["run"]

Curves = dict[str, dict[int, Replay]]
"""Of each policy the replays by capacity."""

_LEAST = 10
_MAX_JOBS = 4
_trace: Trace | None = None
"""In a worker process: the trace, read once for all of its replays."""


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    policies = _policies(arguments.policy)
    trace = read_trace(arguments.trace, column=arguments.column)
    capacities = _capacities(arguments.sizes, trace)
    drawn = _plotter(arguments.plot) if arguments.plot else None
    curves: Curves = {name: {} for name in policies}
    tasks = [(name, capacity) for name in policies for capacity in capacities]
    jobs = min(arguments.jobs or min(_MAX_JOBS, os.cpu_count() or 1), len(tasks))
    with _progress(len(tasks)) as done:
        for name, capacity, found in _replays(arguments, trace, tasks, jobs):
            curves[name][capacity] = found
            done()
    if arguments.json:
        print_json(_document(trace, curves))
    else:
        _print(trace, curves, capacities)
    if drawn is not None:
        drawn(trace, curves)
    return OK


def _policies(asked: Sequence[str]) -> list[str]:
    names = list(asked) or [name for name in policy_names("eviction") if name != "ttl"]
    for name in names:
        try:
            eviction_policy(name)(_LEAST)
        except (PolicyLookupError, TypeError) as error:
            raise ConfigurationError(str(error.args[0])) from error
    return names


def _capacities(sizes: str, trace: Trace) -> list[int]:
    """The sizes in entries or bytes, smallest first, each once."""
    volume = trace.volume
    found = set()
    for text in (each.strip() for each in sizes.split(",")):
        try:
            if text.endswith("%"):
                share = float(text[:-1])
                if not 0 < share <= 100:
                    raise ValueError
                found.add(max(_LEAST, round(volume * share / 100)))
            else:
                found.add(parse_size(int(text) if text.isdecimal() else text, name="--sizes"))
        except ValueError:
            msg = f"--sizes={text!r} is no size: write entries or bytes ('500', '64MiB'), or a share of all ('5%')"
            raise ConfigurationError(msg) from None
    return sorted(found)


def _replays(
    arguments: argparse.Namespace, trace: Trace, tasks: Sequence[tuple[str, int]], jobs: int
) -> Iterator[tuple[str, int, Replay]]:
    if jobs == 1:
        for name, capacity in tasks:
            yield name, capacity, replay(trace, eviction_policy(name), capacity)
        return
    with ProcessPoolExecutor(
        jobs, initializer=_load, initargs=(arguments.trace, arguments.column)
    ) as pool:
        waiting = {pool.submit(_replay, *task): task for task in tasks}
        for future in as_completed(waiting):
            yield *waiting[future], future.result()


def _load(path: str, column: str) -> None:
    global _trace  # noqa: PLW0603 - a worker process has one trace
    _trace = read_trace(path, column=column)


def _replay(name: str, capacity: int) -> Replay:
    assert _trace is not None
    return replay(_trace, eviction_policy(name), capacity)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal, where `rich` is installed; gives what to call after each."""
    if sys.stderr.isatty():
        with contextlib.suppress(ImportError):
            from rich.console import Console
            from rich.progress import Progress

            with Progress(console=Console(stderr=True), transient=True) as bars:
                task = bars.add_task("replays", total=total)
                yield lambda: bars.advance(task)
            return
    yield lambda: None


def _print(trace: Trace, curves: Curves, capacities: Sequence[int]) -> None:
    unit = "entries" if trace.sizes is None else "bytes"
    say(
        f"{len(trace.keys):,} requests, {trace.volume:,} {unit} in all; hit ratio in %, by size in {unit}"
    )
    _print_figure(curves, capacities, lambda each: f"{100 * each.hit_ratio:.2f}")
    if trace.costs is not None:
        total_s = next(iter(curves.values()))[capacities[0]].cost_s
        say(f"\nseconds saved, of {total_s:,.1f} s without a cache")
        _print_figure(curves, capacities, lambda each: f"{each.saved_s:,.1f}")


def _print_figure(
    curves: Curves, capacities: Sequence[int], figure: Callable[[Replay], str]
) -> None:
    best = {size: max(each[size].hits for each in curves.values()) for size in capacities}
    rows = [
        (
            name,
            *(
                figure(each[size]) + ("*" if each[size].hits == best[size] else "")
                for size in capacities
            ),
        )
        for name, each in curves.items()
    ]
    print_table(("policy", *(f"{size:,}" for size in capacities)), rows)


def _document(trace: Trace, curves: Curves) -> dict[str, Any]:
    return {
        "requests": len(trace.keys),
        "volume": trace.volume,
        "unit": "entries" if trace.sizes is None else "bytes",
        "policies": {
            name: [
                {
                    "capacity": capacity,
                    "hit_ratio": each.hit_ratio,
                    "byte_hit_ratio": each.byte_hit_ratio,
                    "hits": each.hits,
                    "seconds_saved": each.saved_s,
                    "seconds": each.cost_s,
                }
                for capacity, each in sorted(found.items())
            ]
            for name, found in curves.items()
        },
    }


def _plotter(path: str) -> Callable[[Trace, Curves], None]:
    """What draws the curves into a file; made before the replays, so that it can't fail after them."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        msg = "--plot needs matplotlib: pip install 'tiered-cache[plot]'"
        raise MissingExtraError(msg) from error
    if not path.lower().endswith((".png", ".svg")):
        msg = f"--plot={path!r} must end in .png or .svg"
        raise ConfigurationError(msg)
    mpl.use("Agg")

    def draw(trace: Trace, curves: Curves) -> None:
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
        for name, found in curves.items():
            sizes = sorted(found)
            axes.plot(sizes, [1 - found[size].hit_ratio for size in sizes], marker="o", label=name)
        axes.set(
            xscale="log",
            xlabel="entries" if trace.sizes is None else "bytes",
            ylabel="miss ratio",
            ylim=(0, None),
        )
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
        figure.savefig(path)
        plt.close(figure)
        say(f"drawn into {path}")

    return draw
