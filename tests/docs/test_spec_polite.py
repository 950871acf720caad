"""The rows of SPEC.md about law 12 that need a process or a server of their own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import redis

from tests.patience import patient_redis
from tiered_cache import MemoryTier, TieredCache
from tiered_cache.testing import ValkeyServer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.proves("law-12/import")
def test_law_12_importing_opens_and_starts_nothing(isolated_home: Path) -> None:
    program = """
import threading, psutil
before = psutil.Process().num_fds()
import tiered_cache, tiered_cache.policies
for name in tiered_cache.__all__:
    getattr(tiered_cache, name)
print(threading.active_count(), psutil.Process().num_fds() - before)
"""
    found = set(isolated_home.rglob("*"))
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.split() == ["1", "0"]
    assert set(isolated_home.rglob("*")) == found


@pytest.mark.proves("law-12/no-flush")
def test_law_12_no_flush_and_no_keys_is_ever_sent(namespace: str) -> None:
    with ValkeyServer() as server:
        with TieredCache([MemoryTier(), patient_redis(server.url)], namespace=namespace) as cache:
            cache.set_many({str(number): number for number in range(600)})
            cache.get_or_compute("key", lambda: 1, ttl=60)
            cache.touch("key", 90)
            assert len(list(cache.keys())) == 601
            cache.delete_many(["1", "2"])
            cache.explain("key")
            cache.namespace("view").clear()
            assert cache.clear() == 599
        with redis.Redis.from_url(server.url) as client:
            sent = client.info("commandstats")
    assert "cmdstat_scan" in sent
    assert not {"cmdstat_flushall", "cmdstat_flushdb", "cmdstat_keys"} & set(sent)
