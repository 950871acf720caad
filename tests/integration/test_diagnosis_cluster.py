"""Diagnoses of stacks on a cluster, or on one of its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis import Redis

from tests.patience import PATIENCE
from tiered_cache.config import build_stack, load_settings
from tiered_cache.diagnosis import Verdict, diagnose
from tiered_cache.diagnosis.redis_permissions import COMMANDS
from tiered_cache.testing.valkey_cluster import port

if TYPE_CHECKING:
    from tiered_cache.diagnosis import Check
    from tiered_cache.testing.valkey_cluster import ValkeyCluster


def problems(url: str, namespace: str) -> dict[tuple[str, str], Check]:
    """The problems of a stack of memory and Redis, by subject and name."""
    settings = load_settings(
        tiers=["memory", "redis"], redis={"url": url, **PATIENCE}, namespace=namespace
    )
    (diagnosis,) = diagnose(settings=settings)
    return {
        (each.subject, each.name): each
        for each in diagnosis.checks
        if each.verdict is Verdict.PROBLEM
    }


def test_a_cluster_that_works(valkey_cluster: ValkeyCluster, namespace: str) -> None:
    assert problems(valkey_cluster.url, namespace) == {}


def test_the_rights_that_are_asked_for_are_enough_in_a_cluster(
    valkey_cluster: ValkeyCluster, namespace: str
) -> None:
    rights = f"on >secret ~tiered-cache:* {COMMANDS}".split()
    for node in valkey_cluster.nodes:
        with Redis(port=port(node)) as client:
            setting: Any = client.execute_command  # redis-py has no type for it
            setting("ACL", "SETUSER", "limited", *rights)
    url = valkey_cluster.url.replace("://", "://limited:secret@")
    assert problems(url, namespace) == {}
    settings = load_settings(
        tiers=["memory", "redis"],
        redis={"url": url, **PATIENCE},
        namespace=namespace,
        strict=True,
    )
    with build_stack(settings=settings) as cache:
        assert cache.get_or_compute("key", lambda: 1) == 1
        assert sorted(cache.keys()) == ["key"]
        assert cache.clear() == 1


def test_a_node_behind_a_plain_url(valkey_cluster: ValkeyCluster, namespace: str) -> None:
    owner = valkey_cluster.owner_of(f"{{{namespace}}}")
    node = next(each for each in valkey_cluster.nodes if each is not owner)
    (wrong,) = problems(node.url, namespace).values()
    assert wrong.finding.startswith("the server is a node of a cluster")
    assert "redis+cluster://" in wrong.advice


def test_a_server_that_is_no_cluster(valkey: Any, namespace: str, chaos_proxy: Any) -> None:
    proxy = chaos_proxy(valkey.url)
    (wrong,) = problems(proxy.url.replace("redis://", "redis+cluster://"), namespace).values()
    assert wrong.finding.startswith("the server is not a cluster")
