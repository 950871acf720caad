"""The results of lookups and writes."""

from __future__ import annotations

import pytest

from tiered_cache.results import Lookup, LookupStatus, TierWrite, WriteOutcome, WriteResult


@pytest.mark.proves("law-6/status-decides")
@pytest.mark.parametrize(
    ("status", "found"),
    [
        (LookupStatus.HIT, True),
        (LookupStatus.STALE, True),
        (LookupStatus.MISS, False),
        (LookupStatus.ERROR, False),
    ],
)
def test_law_6_a_lookup_is_found_by_its_status_and_not_by_its_value(
    status: LookupStatus, found: bool
) -> None:
    values: tuple[object, ...] = (None, 0, "", {}, "value")
    for value in values:
        assert Lookup(status, value).found is found


@pytest.mark.proves("law-6/four-outcomes")
def test_law_6_the_four_outcomes_are_four() -> None:
    assert [each.value for each in LookupStatus] == ["hit", "stale_hit", "miss", "error", "skip"]
    assert Lookup(LookupStatus.MISS) != Lookup(LookupStatus.ERROR)


@pytest.mark.proves("writing/result")
@pytest.mark.parametrize(
    ("outcomes", "went_well", "stored"),
    [
        ([WriteOutcome.WRITTEN, WriteOutcome.WRITTEN], True, True),
        ([WriteOutcome.WRITTEN, WriteOutcome.REFUSED], True, True),
        ([WriteOutcome.SKIPPED, WriteOutcome.WRITTEN], True, True),
        ([WriteOutcome.QUEUED, WriteOutcome.SKIPPED], True, False),
        ([WriteOutcome.REFUSED, WriteOutcome.REFUSED], True, False),
        ([WriteOutcome.WRITTEN, WriteOutcome.FAILED], False, True),
        ([WriteOutcome.FAILED, WriteOutcome.FAILED], False, False),
        ([], True, False),
    ],
)
def test_a_write_went_well_when_no_tier_failed(
    outcomes: list[WriteOutcome], went_well: bool, stored: bool
) -> None:
    result = WriteResult(tuple(TierWrite("tier", outcome) for outcome in outcomes))
    assert bool(result) is went_well
    assert result.stored is stored
