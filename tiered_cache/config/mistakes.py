"""Mistakes in settings: each with its source, and all of them at once."""

from __future__ import annotations

from typing import NamedTuple

from tiered_cache.errors import ConfigurationError

__all__ = ["Mistake", "SettingsMistakesError"]


class Mistake(NamedTuple):
    """One thing that is wrong.

    Attributes:
        source: The file, the variable or `argument`.
        field: The setting, with dots.
        found: What was found there; secrets are masked.
        allowed: What may stand there.
        fix: What to do.
    """

    source: str
    field: str
    found: str
    allowed: str
    fix: str

    def __str__(self) -> str:
        return (
            f"{self.source}: {self.field}: found {self.found}; allowed: {self.allowed}; {self.fix}"
        )


class SettingsMistakesError(ConfigurationError):
    """The settings are wrong.

    Args:
        mistakes: All of them.
    """

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        lines = "".join(f"\n  {each}" for each in mistakes)
        super().__init__(f"The settings have {count}:{lines}")
        self.mistakes = mistakes

    def __reduce__(self) -> tuple[type[SettingsMistakesError], tuple[tuple[Mistake, ...]]]:
        return type(self), (self.mistakes,)
