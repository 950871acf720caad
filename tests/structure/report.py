"""The figures as a table."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Figure", "print_figures"]


class Figure(NamedTuple):
    """A measured figure and the most that it may be."""

    name: str
    value: float
    most: float
    detail: str = ""

    @property
    def missed(self) -> bool:
        """Whether the figure is over its bound."""
        return self.value > self.most


def print_figures(figures: list[Figure]) -> None:
    """Print one row a figure."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        verdict = "MISSED" if figure.missed else "held"
        print(
            f"{figure.name:{width}}  {figure.value:>7g}  at most {figure.most:<5g}"
            f" {verdict:6}  {figure.detail}"
        )
