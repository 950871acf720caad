"""Mistakes in policies and their options: the error comes when the cache is made."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache import ConfigurationError, MemoryTier, TieredCache
from tiered_cache.policies import (
    BreakEven,
    EarlyRefresh,
    Jittered,
    MaxBytes,
    MinCost,
    Negative,
    Never,
    Off,
    Probabilistic,
    RefreshAhead,
    Sampled,
    Until,
    WriteBack,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.proves("configuration/policy-options")
@pytest.mark.parametrize("value", ["0.5", None, math.nan, -1.0, 0, math.inf, True, [0.5]])
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Probabilistic, "probability={} must be above 0.0 and at most 1.0"),
        (Jittered, "fraction={} must be above 0.0 and below 1.0"),
        (RefreshAhead, "fraction={} must be above 0.0 and below 1.0"),
        (BreakEven, "factor={} must be a positive, finite number"),
        (EarlyRefresh, "beta={} must be a positive, finite number"),
        (Sampled, "rate={} must be above 0.0 and at most 1.0"),
    ],
)
def test_a_bad_number_is_reported_with_its_option_and_the_allowed_range(
    make: Callable[[Any], object], told: str, value: Any
) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        make(value)
    assert str(caught.value) == told.format(repr(value))


@pytest.mark.proves("configuration/policy-options")
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Until(330), "time=330 is not a time of day"),  # type: ignore[arg-type] # wrong
        (lambda: Until("03:30", 1), "zone=1 is not a time zone"),  # type: ignore[arg-type] # wrong
        (lambda: Negative("1m", when=True), "when=True must be a function"),  # type: ignore[arg-type] # wrong
        (lambda: MinCost("1s") & 3, "3 is not an admission policy"),  # type: ignore[operator] # wrong
        (lambda: MinCost("1s") | MaxBytes, "MaxBytes'> is not an admission policy"),
    ],
)
def test_other_bad_options_name_themselves(make: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


@pytest.mark.proves("configuration/policy-options")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"writing": "write_back"}, "writing='write_back' is not a writing policy: .* with plan"),
        (
            {"writing": WriteBack},
            r"writing=WriteBack is a class, not a policy: write writing=WriteBack\(",
        ),
        ({"promotion": "never"}, "an object with promote, .*always, by_bytes, never"),
        ({"promotion": Never}, "promotion=Never is a class"),
        ({"admission": "min_cost"}, "admission='min_cost' is not an admission policy"),
        ({"admission": {"memory": MinCost}}, "admission=MinCost is a class"),
        ({"expiry": "jittered"}, "expiry='jittered' is not an expiry policy"),
        ({"expiry": [Jittered(), Negative]}, "expiry=Negative is a class"),
        ({"refreshing": "sliding"}, "with window_s and on_hit"),
        ({"statistics": "off"}, "with one_in and latencies"),
        ({"statistics": Off}, "statistics=Off is a class"),
        ({"max_ttl": "1h"}, "max_ttl='1h' must map names of tiers"),
        ({"failures_to_open": "5"}, "failures_to_open='5' must be a whole number of at least 1"),
    ],
)
def test_an_object_that_is_no_policy_is_refused_when_the_cache_is_made(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        TieredCache([MemoryTier()], **options)
