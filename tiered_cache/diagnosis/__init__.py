"""Diagnosis: whether the stacks of the settings work here, and what to change."""

from __future__ import annotations

from tiered_cache.diagnosis.diagnosing import diagnose
from tiered_cache.diagnosis.results import Check, Diagnosis, Verdict, Watcher

__all__ = ["Check", "Diagnosis", "Verdict", "Watcher", "diagnose"]
