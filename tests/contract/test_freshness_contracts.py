"""Our expiry, refresh and statistics policies pass the public conformance suites."""

from __future__ import annotations

from tiered_cache.policies import (
    Counters,
    EarlyRefresh,
    ExpiryPolicy,
    Histograms,
    Jittered,
    Negative,
    Off,
    RefreshAhead,
    RefreshPolicy,
    Sampled,
    Sliding,
    StatisticsPolicy,
    Until,
)
from tiered_cache.testing import ExpiryContract, RefreshContract, StatisticsContract


class TestJittered(ExpiryContract):
    def make_policy(self) -> ExpiryPolicy:
        return Jittered()


class TestNegative(ExpiryContract):
    def make_policy(self) -> ExpiryPolicy:
        return Negative()


class TestUntil(ExpiryContract):
    def make_policy(self) -> ExpiryPolicy:
        return Until("03:30", "Europe/Berlin")


class TestEarlyRefresh(RefreshContract):
    def make_policy(self) -> RefreshPolicy:
        return EarlyRefresh()


class TestRefreshAhead(RefreshContract):
    def make_policy(self) -> RefreshPolicy:
        return RefreshAhead()


class TestSliding(RefreshContract):
    def make_policy(self) -> RefreshPolicy:
        return Sliding("30m")


class TestCounters(StatisticsContract):
    def make_policy(self) -> StatisticsPolicy:
        return Counters()


class TestHistograms(StatisticsContract):
    def make_policy(self) -> StatisticsPolicy:
        return Histograms()


class TestSampled(StatisticsContract):
    def make_policy(self) -> StatisticsPolicy:
        return Sampled(0.01)


class TestOff(StatisticsContract):
    def make_policy(self) -> StatisticsPolicy:
        return Off()
