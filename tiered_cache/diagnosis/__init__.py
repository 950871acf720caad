"""Diagnosis: checks whether the stacks of the settings work here, with a remedy for each problem.

Above the cache and the configuration. The command line may import it.
"""

from __future__ import annotations

from tiered_cache.diagnosis.diagnose import diagnose
from tiered_cache.diagnosis.verdicts import Check, Diagnosis, Verdict, Watcher

__all__ = ["Check", "Diagnosis", "Verdict", "Watcher", "diagnose"]
