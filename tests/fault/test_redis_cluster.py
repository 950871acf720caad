"""A cluster with nodes that die, freeze, replace each other and move slots."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
from redis.crc import key_slot

from tests.patience import patient_redis
from tiered_cache import (
    ConfigurationError,
    MemoryTier,
    RedisTier,
    TieredCache,
    TierUnavailableError,
)
from tiered_cache.testing import FakeClock, ValkeyCluster, ValkeyServer, in_forked_child
from tiered_cache.testing.valkey_cluster import ask, port
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S = 1.0
GENEROUS_S = 30.0
BOUND_S = 2.0


@pytest.fixture
def cluster() -> Iterator[ValkeyCluster]:
    """A cluster that the test may break."""
    with ValkeyCluster() as started:
        yield started


@pytest.fixture
def replicated() -> Iterator[ValkeyCluster]:
    """A cluster that the test may break, with a replica for each node."""
    with ValkeyCluster(replicas=1) as started:
        yield started


def open_cache(url: str, namespace: str, **options: Any) -> TieredCache:
    return TieredCache([MemoryTier(), patient_redis(url)], namespace=namespace, **options)


def open_impatient(url: str, namespace: str, clock: FakeClock) -> TieredCache:
    tier = RedisTier(url, timeout=DEADLINE_S, connect_timeout=DEADLINE_S)
    return TieredCache([MemoryTier(), tier], namespace=namespace, clock=clock)


def tag_of(namespace: str) -> str:
    return f"tiered-cache:{{{namespace}}}:"


def move_slot(namespace: str, old: ValkeyServer, new: ValkeyServer) -> tuple[int, Any, Any]:
    """Begin to move the slot of a namespace; the slot, and clients of both nodes."""
    slot = key_slot(tag_of(namespace).encode())
    source: Any = redis.Redis(port=port(old))
    target: Any = redis.Redis(port=port(new))
    target.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ask(old, "CLUSTER", "MYID"))
    source.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ask(new, "CLUSTER", "MYID"))
    return slot, source, target


def migrate(source: Any, target: Any, keys: list[bytes]) -> None:
    place = target.connection_pool.connection_kwargs["port"]
    source.execute_command("MIGRATE", "127.0.0.1", place, "", 0, 5000, "KEYS", *keys)


def another(cluster: ValkeyCluster, owner: ValkeyServer) -> ValkeyServer:
    return next(each for each in cluster.nodes if each is not owner)


@pytest.mark.proves("keys/redis-names")
def test_a_namespace_is_on_one_node_with_all_that_belongs_to_it(
    valkey_cluster: ValkeyCluster, namespace: str
) -> None:
    with open_cache(valkey_cluster.url, namespace) as cache:
        cache.set_many({f"{number} {{x}}": number for number in range(50)})
        cache.get_or_compute("computed", lambda: 1)
        cache.delete("0 {x}")
        owner = valkey_cluster.owner_of(tag_of(namespace))
        for node in valkey_cluster.nodes:
            with redis.Redis(port=port(node)) as client:
                found = list(client.scan_iter(f"tiered-cache:{{{namespace}}}*", count=1000))
                assert bool(found) == (node is owner)


@pytest.mark.proves("configuration/cluster-url")
def test_any_node_of_the_url_is_enough(cluster: ValkeyCluster, namespace: str) -> None:
    owner = cluster.owner_of(tag_of(namespace))
    dead = another(cluster, owner)
    dead.kill()
    third = next(each for each in cluster.nodes if each not in (owner, dead))
    for first in (dead, third, owner):
        url = f"redis+cluster://127.0.0.1:{port(first)},127.0.0.1:{port(owner)}/0"
        with open_cache(url, namespace) as cache:
            assert cache.set("key", "value")
            assert cache.stats().tier("redis").errors == 0


@pytest.mark.proves("law-8/cluster-node")
def test_law_8_a_node_that_dies_is_an_error_until_another_takes_its_place(
    replicated: ValkeyCluster, namespace: str, clock: FakeClock
) -> None:
    owner = replicated.owner_of(tag_of(namespace))
    replica = replicated.replica_of(owner)
    via_replica = f"redis+cluster://127.0.0.1:{port(replica)}"
    with (
        open_impatient(via_replica, namespace, clock) as cache,
        open_impatient(replicated.url, namespace, clock) as elsewhere,
    ):
        cache.set("key", "old")
        assert elsewhere.get("key") == "old"
        ask(owner, "WAIT", "1", "5000")
        owner.kill()
        started = time.monotonic()
        clock.advance(BOUND_S)
        for number in range(10):
            assert cache.get_or_compute(f"{number}", lambda: "computed") == "computed"
        assert elsewhere.lookup("key").status.value == "error", "it may have changed"
        assert time.monotonic() - started < GENEROUS_S
        assert cache.stats().tier("redis").errors >= 1
        replicated.promote(replica)

        def is_back(each: TieredCache) -> bool:
            clock.advance(60)
            return bool(each.set("key", "new"))

        wait_until(lambda: is_back(cache), "the replica has taken its place", 30)
        clock.advance(60)
        wait_until(lambda: elsewhere.get("key") == "new", "the other one has found it as well", 30)


@pytest.mark.proves("law-8/cluster-node")
def test_law_8_a_node_that_freezes_does_not_hold_anybody_up(
    cluster: ValkeyCluster, namespace: str, clock: FakeClock
) -> None:
    with open_impatient(cluster.url, namespace, clock) as cache:
        cache.set("key", "old")
        owner = cluster.owner_of(tag_of(namespace))
        owner.freeze()
        try:
            started = time.monotonic()
            for number in range(10):
                assert cache.get_or_compute(f"{number}", lambda: "computed") == "computed"
            assert time.monotonic() - started < GENEROUS_S
            assert cache.stats().tier("redis").breaker == "open"
        finally:
            owner.thaw()
        clock.advance(60)
        assert cache.get_or_compute("back", lambda: "computed") == "computed"
        assert cache.stats().tier("redis").breaker == "closed"


@pytest.mark.proves("law-4/cluster")
def test_a_slot_that_is_handed_over_is_followed(cluster: ValkeyCluster, namespace: str) -> None:
    owner = cluster.owner_of(tag_of(namespace))
    with open_cache(cluster.url, namespace) as cache, open_cache(cluster.url, namespace) as other:
        cache.set_many({f"{number}": number for number in range(20)})
        slot, source, target = move_slot(namespace, owner, another(cluster, owner))
        names = [tag_of(namespace).encode() + b"%d" % number for number in range(10)]
        migrate(source, target, names)
        # Half of the keys are moved: a reader is redirected key by key.
        assert other.get_many([f"{number}" for number in range(20)]) == {
            f"{number}": number for number in range(20)
        }
        # A command with keys on both nodes is refused there, and so is a walk over all keys.
        with pytest.raises(TierUnavailableError, match="is being moved"):
            list_all_and_clear(cluster.url, namespace)
        assert not other.set("0", "new")
        migrate(source, target, source.execute_command("CLUSTER GETKEYSINSLOT", slot, 1000))
        new = ask(another(cluster, owner), "CLUSTER", "MYID")
        for client in (target, source):
            client.execute_command("CLUSTER SETSLOT", slot, "NODE", new)
        source.close()
        target.close()
        assert other.set("0", "new")
        assert other.get("19") == 19
        with open_cache(cluster.url, namespace) as third:
            assert third.get("0") == "new"
            assert third.clear() == 20
            assert third.get("19") is None


def list_all_and_clear(url: str, namespace: str) -> None:
    with open_cache(url, namespace, strict=True) as cache:
        assert cache.clear()


def test_law_12_a_forked_child_has_connections_of_its_own(
    valkey_cluster: ValkeyCluster, namespace: str
) -> None:
    with open_cache(valkey_cluster.url, namespace) as cache:
        cache.set("key", 1)

        def child() -> Any:
            return [bool(cache.set("child", 2)), cache.get("key")]

        assert in_forked_child(child) == [True, 1]
        assert cache.get("child") == 2


@pytest.mark.proves("configuration/cluster-url")
def test_a_cluster_node_behind_a_plain_url_names_the_right_scheme(
    valkey_cluster: ValkeyCluster, namespace: str
) -> None:
    owner = valkey_cluster.owner_of(tag_of(namespace))
    node = next(each for each in valkey_cluster.nodes if each is not owner)
    with pytest.raises(TierUnavailableError, match=r"begin the URL with redis\+cluster://"):
        TieredCache([RedisTier(node.url)], namespace=namespace)


@pytest.mark.proves("configuration/cluster-url")
def test_a_server_that_is_no_cluster_is_told(namespace: str) -> None:
    with ValkeyServer(port=0) as server:
        url = f"redis+cluster://127.0.0.1:{port(server)}"
        with pytest.raises(TierUnavailableError, match="cluster support disabled"):
            TieredCache([RedisTier(url)], namespace=namespace)


@pytest.mark.proves("configuration/cluster-url")
@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://",
        "redis+cluster://u:secret/x@host",
        "redis+cluster://:secret@host:notaport",
        "redis+cluster://:secret@a,,b",
        "redis+cluster://:secret@host/3",
        "unix+cluster://:secret@host",
    ],
)
def test_a_url_that_is_not_usable_is_told_without_its_secret(url: str) -> None:
    with pytest.raises(ConfigurationError, match="URL of a Redis cluster is not usable") as told:
        RedisTier(url)
    assert "secret" not in str(told.value)


def test_a_url_names_nodes_and_options() -> None:
    tier = RedisTier(
        "rediss+cluster://user:pa%2Fss@one,[::1]:7001,two:7002/0?ssl_check_hostname=no"
    )
    assert tier.info().detail == "one:6379,[::1]:7001,two:7002"
