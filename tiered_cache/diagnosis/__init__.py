"""Diagnosis: whether the stacks of the settings work here, and what to change."""

from __future__ import annotations

from tiered_cache.diagnosis.diagnose import diagnose
from tiered_cache.diagnosis.findings import Check, Diagnosis, Verdict, Watcher

__all__ = ["Check", "Diagnosis", "Verdict", "Watcher", "diagnose"]
