"""A scope that no tier can keep is refused, and the default says how far it reaches."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_disk, patient_redis
from tiered_cache import AsyncTieredCache, MemoryTier, SingleFlight, TieredCache
from tiered_cache.contracts import WrappedTier
from tiered_cache.diagnosis.offer_check import check_offers
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tiered_cache.contracts import Tier


def without(tier: Tier[bytes], **offers: Any) -> Tier[bytes]:
    wrapped = WrappedTier(tier)
    wrapped.offers = replace(wrapped.offers, **offers)
    return wrapped


@pytest.fixture
def stacks(tmp_path: Path, redis_url: str) -> dict[str, Callable[[], list[Tier[Any]]]]:
    return {
        "memory": lambda: [MemoryTier()],
        "disk": lambda: [MemoryTier(), patient_disk(tmp_path)],
        "disk without leases": lambda: [
            MemoryTier(),
            without(patient_disk(tmp_path), leases=None),
        ],
        "redis": lambda: [MemoryTier(), patient_redis(redis_url)],
        "disk and redis without leases": lambda: [
            patient_disk(tmp_path),
            without(patient_redis(redis_url), leases=None),
        ],
    }


@pytest.mark.parametrize(
    ("stack", "scope", "remedy"),
    [
        ("memory", "host", "add a DiskTier, or write scope='thread'"),
        ("memory", "cluster", "add a RedisTier, or write scope='thread'"),
        ("disk", "cluster", "add a RedisTier, or write scope='host'"),
        ("disk without leases", "host", "'disk' offers no leases; give it Offers.leases=CasLeases"),
        ("redis", "host", "add a DiskTier, or write scope='cluster'"),
        ("disk and redis without leases", "cluster", "'redis' offers no leases; .*scope='host'"),
    ],
)
def test_a_scope_that_no_tier_can_keep_is_refused_with_a_remedy(
    stack: str, scope: str, remedy: str, stacks: dict[str, Callable[[], list[Tier[Any]]]]
) -> None:
    message = f"scope='{scope}' can't be kept: .*{remedy}"
    for face in (TieredCache, AsyncTieredCache):
        with pytest.raises(ConfigurationError, match=message):
            face(stacks[stack](), single_flight=SingleFlight(scope=scope))
    with TieredCache(stacks[stack]()) as cache:
        with pytest.raises(ConfigurationError, match=message):
            cache.get_or_compute("key", str, scope=scope)
        assert cache.get_or_compute("key", lambda: "value", scope="thread") == "value"


@pytest.mark.parametrize(
    ("stack", "text"),
    [
        ("memory", "among the threads of this process"),
        ("disk", "among the processes of this host"),
        ("redis", "among all hosts"),
        ("disk without leases", "of this process; tier 'disk' offers no leases for more"),
        ("disk and redis without leases", "of this host; tier 'redis' offers no leases for more"),
    ],
)
def test_one_line_of_the_log_says_how_far_the_default_reaches(
    stack: str,
    text: str,
    stacks: dict[str, Callable[[], list[Tier[Any]]]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "tiered_cache")
    with TieredCache(stacks[stack]()):
        pass
    told = [each.getMessage() for each in caplog.records if "concurrent misses" in each.message]
    assert len(told) == 1
    assert told[0].endswith(text)


@pytest.mark.parametrize(
    ("offers", "finding"),
    [
        ({"leases": None}, "no leases: other processes that miss a key at the same time compute"),
        ({"change_log": None}, "no change log: copies above it are compared with it once"),
        ({"board": None}, "no board: it carries no statistics between processes"),
        ({"durable": False}, "not durable: its values may not survive its server"),
        ({"compare_and_set": False}, "no compare-and-set: it gets no computed values"),
    ],
)
def test_a_diagnosis_says_what_follows_from_a_missing_offer(
    offers: dict[str, Any], finding: str, tmp_path: Path
) -> None:
    whole, part = patient_disk(tmp_path), without(patient_disk(tmp_path), **offers)
    assert check_offers(whole).verdict.value == "ok"
    result = check_offers(part)
    assert result.verdict.value == "advice"
    assert result.finding.startswith(finding)
    assert "Write a tier" in result.advice
