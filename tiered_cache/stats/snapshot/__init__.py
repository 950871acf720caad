"""Frozen statistics: the counters of a cache and its tiers, and how they add up."""
