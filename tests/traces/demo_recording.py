"""Records `demo.trace.xz`: `python -m tests.traces.demo_recording`, with the extra `demo` installed.

Ten days of work on 120 files of the standard library, with the analyses of the demo. Each day begins
with a run over all files. In each session a file changes, and it and its neighbours are analysed twice:
in the editor and before the commit.
"""

from __future__ import annotations

import lzma
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiered_cache import DiskTier, MemoryTier, TieredCache, record_trace
from tiered_cache.demo.analyses import ANALYSES, Source, analyze
from tiered_cache.demo.source_tree import standard_library

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.contracts import Tier

_FILES = 120
_DAYS = 10
_SESSIONS = 10
_NEIGHBOURS = 6


class _Work:
    """The files and their versions, analysed through `cache`."""

    def __init__(self, cache: TieredCache, rng: random.Random) -> None:
        tree = standard_library()
        first = rng.randrange(len(tree.files) - _FILES)
        self.names = [name for name, _ in tree.files[first : first + _FILES]]
        self._contents = {name: (tree.root / name).read_bytes() for name in self.names}
        self._versions = dict.fromkeys(self.names, 0)
        self._cache = cache

    def change(self, name: str) -> None:
        """Write the next version of a file."""
        self._versions[name] += 1
        self._contents[name] += b"\n# changed\n"

    def analyze(self, names: Sequence[str]) -> None:
        """Request each analysis of each of the files."""
        for name in names:
            source = Source(self._contents[name], name.endswith("__init__.py"))
            for analysis in ANALYSES:
                key = f"{analysis.name}:{name}:{self._versions[name]}"
                self._cache.get_or_compute(key, lambda a=analysis, s=source: analyze(a, s))  # type: ignore[misc] # bound now


def _work(cache: TieredCache) -> None:
    rng = random.Random(12)
    work = _Work(cache, rng)
    for _ in range(_DAYS):
        work.analyze(work.names)
        for _ in range(_SESSIONS):
            at = rng.randrange(_FILES - _NEIGHBOURS)
            neighbours = work.names[at : at + _NEIGHBOURS]
            for _ in range(rng.randrange(1, 4)):
                work.change(rng.choice(neighbours))
                work.analyze(neighbours * 2)


def main() -> None:
    """Record the trace and write it beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests"
        tiers: list[Tier[Any]] = [MemoryTier(100_000), DiskTier(Path(folder) / "disk")]
        with TieredCache(tiers) as cache, record_trace(path, cache):
            _work(cache)
        (Path(__file__).parent / "demo.trace.xz").write_bytes(lzma.compress(path.read_bytes()))


if __name__ == "__main__":
    main()
