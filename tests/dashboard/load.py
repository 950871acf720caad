"""A process that uses a cache until it is told to stop: `python -m tests.dashboard.load`.

It reads lines: `run` and `pause`, which prints what it did, as one JSON document.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import threading
import time

from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache

KEYS = 400


def main(folder: str, url: str, namespace: str, seed: str) -> None:
    """Ask for keys, some of them again and again."""
    chance = random.Random(seed)
    go, idle = threading.Event(), threading.Event()
    go.set()
    tiers = [MemoryTier(max_entries=60), DiskTier(folder), RedisTier(url, timeout="500ms")]
    with TieredCache(tiers, namespace=namespace, probe_interval="30s") as cache:  # type: ignore[arg-type] # a list of different tiers

        @cache.cached(tags={"repo:x"})
        def measure(number: int) -> int:
            time.sleep(0.0005)
            return number

        def work() -> None:
            for turn in itertools.count():
                if not go.is_set():
                    idle.set()
                    go.wait()
                    idle.clear()
                measure(int(chance.paretovariate(0.6)) % KEYS + (turn // 4000) * KEYS)
                time.sleep(0.001)

        threading.Thread(target=work, daemon=True).start()
        for line in sys.stdin:
            if line.strip() == "run":
                go.set()
                continue
            go.clear()
            idle.wait()
            print(json.dumps(cache.stats().to_dict()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
