"""Prints the figures of the source's structure, and exits 1 where one misses its bound.

python -m tests.structure            # `make structure`
python -m tests.structure --list     # with the files that a hit and a miss pass
"""

from __future__ import annotations

import sys

from tests.structure.cycles import cycles
from tests.structure.names import repeated_classes, repeated_files
from tests.structure.passages import disk_hit, full_miss
from tests.structure.report import Figure, print_figures
from tests.structure.shapes import shapes
from tests.structure.sources import read_sources
from tests.structure.words import habits_per_thousand


def main(arguments: list[str]) -> int:
    sources = read_sources()
    hit, miss = disk_hit(), full_miss()
    shape = shapes(sources)
    figures = [
        Figure("files that a disk hit passes", len(hit.files), 18, hit.detail),
        Figure("files that a full miss passes", len(miss.files), 34, miss.detail),
        Figure("lines of a file, median", shape.file_median, 100, f"{shape.files} files"),
        Figure("lines of a file, most", shape.file_most, 400, shape.longest_file),
        Figure("lines of a function, 90th percentile", shape.function_p90, 18, shape.functions),
        Figure(
            "import cycles, typing included", len(found := cycles(sources)), 0, "; ".join(found)
        ),
        Figure("file names with two meanings", len(names := repeated_files()), 0, "; ".join(names)),
        Figure("class names twice", len(twice := repeated_classes(sources)), 0, "; ".join(twice)),
        Figure(
            "habits of words in 1,000 of docstrings",
            round(habits_per_thousand(sources), 2),
            0.7,
            "clauses with what, who, nobody …",
        ),
    ]
    print_figures(figures)
    if "--list" in arguments:
        for passage in (hit, miss):
            print(f"\n{passage.detail}")
            print("\n".join(f"  {path}" for path in passage.files))
    return 1 if any(figure.missed for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
