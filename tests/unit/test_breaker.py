"""The circuit breaker's states."""

from __future__ import annotations

import pytest

from tiered_cache._engine.state.breaker import Breaker, BreakerState
from tiered_cache.testing import FakeClock, race


def make(clock: FakeClock) -> tuple[Breaker, list[BreakerState]]:
    changes: list[BreakerState] = []
    return Breaker(3, 10.0, clock.monotonic, changes.append), changes


@pytest.mark.proves("law-8/consecutive-failures")
def test_it_opens_after_failures_in_a_row_only(clock: FakeClock) -> None:
    breaker, changes = make(clock)
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.allows()
    assert changes == []
    for _ in range(3):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()
    assert changes == [BreakerState.OPEN]


@pytest.mark.proves("law-8/one-probe")
def test_one_probe_an_interval_decides(clock: FakeClock) -> None:
    breaker, changes = make(clock)
    for _ in range(3):
        breaker.failed()
    clock.advance(9.99)
    assert not breaker.allows()
    clock.advance(0.01)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.failed()
    assert not breaker.allows()
    clock.advance(10)
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
    assert [each.value for each in changes] == ["open", "half_open", "open", "half_open", "closed"]


@pytest.mark.proves("law-8/probe-lost")
def test_a_probe_that_never_reports_is_replaced(clock: FakeClock) -> None:
    breaker, _ = make(clock)
    breaker.trip()
    clock.advance(10)
    assert breaker.allows()
    clock.advance(9)
    assert not breaker.allows()
    clock.advance(1)
    assert breaker.allows()


@pytest.mark.proves("law-8/failures-while-open")
def test_a_failure_that_comes_late_delays_no_probe(clock: FakeClock) -> None:
    breaker, changes = make(clock)
    for _ in range(3):
        breaker.failed()
    clock.advance(9)
    breaker.failed()
    clock.advance(1)
    assert breaker.allows()
    assert [each.value for each in changes] == ["open", "half_open"]


@pytest.mark.proves("law-8/one-probe")
def test_of_many_threads_one_probes(clock: FakeClock) -> None:
    breaker, _ = make(clock)
    breaker.trip()
    clock.advance(10)
    assert sum(race(16, lambda _: breaker.allows())) == 1
