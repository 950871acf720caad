"""The command line: `tiered-cache`, or `python -m tiered_cache`."""

from __future__ import annotations

from tiered_cache.cli.main import main

__all__ = ["main"]
