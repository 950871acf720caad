"""Mistakes in settings, each with its source, all of them in one error."""

from __future__ import annotations

from typing import NamedTuple

from tiered_cache.errors import ConfigurationError
from tiered_cache_policies.suggestions import split_suggestion

__all__ = ["Mistake", "SettingsMistakesError"]


class Mistake(NamedTuple):
    """One mistake. As text, a suggestion comes before the problem, any other remedy after it.

    Attributes:
        source: The file or the variable, or `argument`.
        field: The setting, with dots.
        found: The value, with secrets masked.
        allowed: The values that are accepted.
        fix: The remedy.
    """

    source: str
    field: str
    found: str
    allowed: str
    fix: str

    @property
    def problem(self) -> str:
        """The value and the accepted values, without place and remedy."""
        return f"found {self.found}; {self.allowed}" if self.allowed else f"found {self.found}"

    def __str__(self) -> str:
        place = f"{self.source}: {self.field}"
        if split_suggestion(self.fix)[0]:
            return f"{place}: {self.fix} {self.problem}"
        return f"{place}: {self.problem}; {self.fix}"


class SettingsMistakesError(ConfigurationError):
    """The settings have mistakes.

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
