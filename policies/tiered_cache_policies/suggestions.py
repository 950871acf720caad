"""Suggestions for mistyped names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["split_suggestion", "suggestion", "suggestion_before"]

_QUESTION = "did you mean "


def suggestion(name: str, known: Iterable[str], *, similarity: float = 0.6) -> str:
    """A question with the most similar known name: `did you mean 'disk'?`; `""` if none is similar.

    Args:
        name: An unknown name.
        known: The known names.
        similarity: The least ratio of `difflib` that counts as similar.
    """
    import difflib  # for messages only, and slow to import

    near = difflib.get_close_matches(name, sorted(known), 1, similarity)
    return f"{_QUESTION}{near[0]!r}?" if near else ""


def suggestion_before(problem: str, name: str, known: Iterable[str]) -> str:
    """`problem`, an error message about `name`, with a suggestion in front if there is one."""
    return f"{suggestion(name, known)} {problem}".lstrip()


def split_suggestion(message: str) -> tuple[str, str]:
    """The suggestion at the beginning of `message`, or `""`, and the rest."""
    if not message.startswith(_QUESTION):
        return "", message
    question, mark, rest = message.partition("?")
    return question + mark, rest.lstrip()
