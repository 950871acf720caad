"""A process that uses a cache until its input ends: `python -m tests.dashboard.load`.

It reads lines: `run`, and `pause`, which prints its statistics as one JSON document.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.policies import Histograms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache.contracts import Tier

FILES = 400

# The sleeps below are the costs that the cache measures and the page shows.


def check_types(file: str) -> str:
    """The slowest of the three analyses."""
    time.sleep(0.004)
    return file * 40


def lint(file: str) -> str:
    """An analysis of medium cost."""
    time.sleep(0.002)
    return file * 10


def measure_complexity(file: str) -> str:
    """The fastest of the three analyses."""
    time.sleep(0.001)
    return file


def main(folder: str, url: str, namespace: str, seed: str) -> None:
    """Analyse files, some of them again and again."""
    chance = random.Random(seed)
    go, idle = threading.Event(), threading.Event()
    go.set()
    tiers: list[Tier[Any]] = [
        MemoryTier(max_entries=150),
        DiskTier(folder),
        RedisTier(url, timeout="500ms"),
    ]
    with TieredCache(
        tiers, namespace=namespace, probe_interval="30s", statistics=Histograms()
    ) as cache:
        analyses = [
            cache.cached(tags={"repo:x"})(each) for each in (check_types, lint, measure_complexity)
        ]

        def work() -> None:
            for turn in itertools.count():
                if not go.is_set():
                    idle.set()
                    go.wait()
                    idle.clear()
                ask(analyses, chance, turn)

        threading.Thread(target=work, daemon=True).start()
        for line in sys.stdin:
            if line.strip() == "run":
                go.set()
                continue
            go.clear()
            idle.wait()
            cache._source.core()._publisher.publish(60.0)
            print(json.dumps(cache.stats().to_dict()), flush=True)


def ask(analyses: Sequence[Callable[[str], str]], chance: random.Random, turn: int) -> None:
    """Analyse one file. The set of files changes with time, as in a repository."""
    number = int(chance.paretovariate(0.7)) % FILES + turn // 40
    chance.choice(analyses)(f"src/module_{number:04}.py")
    time.sleep(0.002)


if __name__ == "__main__":
    main(*sys.argv[1:])
