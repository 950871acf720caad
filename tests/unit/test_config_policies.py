"""Policies from the settings: names, options and their mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tiered_cache import TieredCache
from tiered_cache.config import build_stack, load_settings
from tiered_cache.config.mistakes import SettingsMistakesError
from tiered_cache.errors import ConfigurationError
from tiered_cache.policies import (
    AllOf,
    Durability,
    Jittered,
    OnHit,
    RefreshAhead,
    WriteBack,
)

WHOLE = """
tiers = ["memory", "disk"]
writing = "write-back"
promotion = "on_hit"
expiry = ["negative", "jittered"]
refreshing = "refresh_ahead"
stale_for = "5s"
[single_flight]
scope = "host"
lease = "3s"
timeout = "1m"
on_timeout = "stale"
[coherence]
bound = "500ms"
when_cut = "serve"
[max_ttl]
memory = "1m"
[admission]
disk = ["min_cost", "max_bytes"]
[policies.write_back]
durability = "disk"
max_pending = 7
[policies.on_hit]
hits = 3
[policies.jittered]
fraction = 0.25
[policies.min_cost]
least = "50ms"
[policies.max_bytes]
most = "8MB"
"""


def test_every_kind_of_policy_is_made_with_its_options() -> None:
    Path("tiered-cache.toml").write_text(WHOLE)
    with TieredCache.from_settings() as cache:
        options = cache._source.core().stack.options
        assert isinstance(options.writing, WriteBack)
        assert options.writing.durability is Durability.DISK
        assert options.writing.limits.max_pending == 7
        assert isinstance(options.promotion, OnHit)
        assert options.promotion.hits == 3
        assert isinstance(options.expiry[1], Jittered)
        assert options.expiry[1].fraction == 0.25
        assert isinstance(options.refreshing, RefreshAhead)
        assert isinstance(options.admission["disk"], AllOf)
        shown = "SingleFlight(scope='host', lease=3, timeout=60.0, on_timeout='stale')"
        assert repr(options.single_flight) == shown
        assert repr(options.coherence) == "Coherence(bound=0.5, when_cut='serve')"
        assert (options.stale_for_s, options.longest_s) == (5.0, {"memory": 60.0})


def test_variables_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "WRITING": "write_back",
        "POLICIES__WRITE_BACK__DURABILITY": "disk",
        "POLICIES__JITTERED": '{"fraction": 0.5}',
        "EXPIRY": "jittered",
        "ADMISSION__DISK": "second_hit,break_even",
        "MAX_TTL__MEMORY": "2m",
        "SINGLE_FLIGHT__LEASE": "3s",
        "COHERENCE__WHEN_CUT": "serve",
    }.items():
        monkeypatch.setenv(f"TIERED_CACHE_{name}", value)
    with TieredCache.from_settings() as cache:
        options = cache._source.core().stack.options
        assert isinstance(options.writing, WriteBack)
        assert options.writing.durability is Durability.DISK
        assert isinstance(options.expiry[0], Jittered)
        assert options.expiry[0].fraction == 0.5
        assert isinstance(options.admission["disk"], AllOf)
        assert options.longest_s == {"memory": 120.0}
        assert options.single_flight.lease_s == 3.0
        assert options.coherence.when_cut == "serve"


@pytest.mark.parametrize("bound", ["none", "1h"])
def test_a_coherence_may_be_without_a_bound(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERED_CACHE_COHERENCE__BOUND", bound)
    with TieredCache.from_settings() as cache:
        assert cache._source.core().stack.options.coherence.is_bounded == (bound != "none")
        assert cache.staleness_bound == (float("inf") if bound == "none" else 3600.0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"policies": {"write_bak": {}}},
            "policies.write_bak: did you mean 'write_back'? found an unknown policy; expected one of ",
        ),
        ({"policies": {"write_back": {"durable": True}}}, "it takes durability, flush_interval"),
        ({"policies": {"write_back": {"durability": "marble"}}}, "'memory' or 'disk'"),
        ({"policies": {"jittered": {"fraction": 2}}}, "fraction=2 must be above 0.0"),
        ({"policies": {"sieve": {"speed": 9}}}, "it takes no options"),
        ({"policies": {"on_hit": 5}}, "policies.on_hit"),
        (
            {"admission": {"disk": ["cheap"]}},
            "'cheap', which is not a policy of the kind admission",
        ),
        ({"admission": {"disk": []}}, "admission.disk"),
        ({"expiry": ["never"]}, "'never', which is not a policy of the kind expiry"),
        ({"refreshing": "sometimes"}, "not a policy of the kind refreshing"),
        ({"max_ttl": {"memory": "0s"}}, "max_ttl.memory"),
        ({"stale_for": "-1s"}, "stale_for"),
    ],
)
def test_mistakes_are_named_with_the_allowed_values(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings(**given)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"admission": {"disk": ["min_cost"]}}, "policies"),
        ({"refreshing": "sliding"}, "it takes ttl"),
        ({"admission": {"floppy": ["second_hit"]}}, "admission='floppy' is not a tier"),
        ({"max_ttl": {"floppy": "1s"}}, "max_ttl='floppy' is not a tier"),
    ],
)
def test_mistakes_only_the_stack_can_find_are_raised_when_it_is_built(
    given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        build_stack(settings=load_settings(**given))
