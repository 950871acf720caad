"""`python -m tiered_cache` is `tiered-cache`."""

from __future__ import annotations

import sys

from tiered_cache.cli import main

if __name__ == "__main__":
    sys.exit(main())
