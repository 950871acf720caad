"""Guarantees, and their limits, while hosts are cut off from shared tiers (laws 2, 4 and 5)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.patience import patient_redis
from tiered_cache import Coherence, MemoryTier, RedisTier, SingleFlight, TieredCache
from tiered_cache.testing import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.testing import ChaosProxy

WAIT_S = 30.0
LEASE_S = 0.3


@pytest.fixture
def proxy(chaos_proxy: Callable[[str], ChaosProxy], redis_url: str) -> ChaosProxy:
    """The proxy between one host and the server."""
    return chaos_proxy(redis_url)


@pytest.fixture
def hosts(
    proxy: ChaosProxy, redis_url: str, namespace: str
) -> Iterator[tuple[TieredCache, TieredCache]]:
    """Two hosts that share a server, of which the first one can be cut off."""
    here, there = [
        TieredCache(
            [MemoryTier(), tier],
            namespace=namespace,
            single_flight=SingleFlight(lease=LEASE_S),
            coherence=Coherence(bound=2.0),
            probe_interval=0.02,
        )
        for tier in (RedisTier(proxy.url), patient_redis(redis_url))
    ]
    with here, there:
        yield here, there


@pytest.mark.proves("law-2/not-frozen-leader")
@pytest.mark.parametrize("cut", ["refuse", "blackhole"])
def test_law_2_a_host_that_is_cut_off_for_longer_than_its_lease_is_replaced(
    cut: str, proxy: ChaosProxy, hosts: tuple[TieredCache, TieredCache]
) -> None:
    here, there = hosts
    began, go_on = threading.Event(), threading.Event()

    def compute() -> str:
        began.set()
        assert go_on.wait(WAIT_S)
        return "here"

    with ThreadPoolExecutor(1) as pool:
        computing = pool.submit(here.get_or_compute, "key", compute)
        assert began.wait(WAIT_S)
        getattr(proxy, cut)()
        # Both compute, and each is right.
        assert there.get_or_compute("key", lambda: "there") == "there"
        go_on.set()
        assert computing.result(WAIT_S) == "here"
    proxy.forward()
    # The value of the replaced host has landed in no tier that other hosts see.
    assert there.lookup("key").value == "there"
    wait_until(lambda: here.get("key") == "there", "the host is back")
    assert there.get("key") == "there"


@pytest.mark.proves("law-4/cut-off-host")
def test_law_4_a_host_that_is_cut_off_while_a_key_is_deleted_does_not_bring_it_back(
    proxy: ChaosProxy, hosts: tuple[TieredCache, TieredCache]
) -> None:
    here, there = hosts
    there.set("key", "old")
    assert here.get("key") == "old"
    proxy.refuse()
    there.delete("key")
    proxy.forward()
    # From the bound on, whether or not the host could hear of it meanwhile.
    wait_until(lambda: here.get("key") is None, "the host is back")
    assert there.get("key") is None
    assert not there.exists("key")


@pytest.mark.proves("law-5/not-unreached-changes")
def test_law_5_two_hosts_cut_off_from_each_other_agree_after_the_partition(
    proxy: ChaosProxy, hosts: tuple[TieredCache, TieredCache]
) -> None:
    here, there = hosts
    proxy.refuse()
    written = here.set("key", "here")
    assert not written  # it says that not every tier has it
    assert written.stored
    assert here.get("key") == "here"
    assert there.set("key", "there")
    assert there.get("key") == "there"
    proxy.forward()
    # The change that did not reach the shared tier is lost.
    wait_until(lambda: there.get("key") == here.get("key"), "both agree")
