"""Mistakes from the errors that pydantic finds in the settings of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.config.environment import SECTIONS
from tiered_cache.config.mistakes import Mistake
from tiered_cache.config.redaction import shown
from tiered_cache.config.schema import StackSettings
from tiered_cache_policies.suggestions import split_suggestion, suggestion

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from tiered_cache.config.layers import FieldPath, StackLayers

__all__ = ["field_path", "mistake_of"]

_PHRASES = {
    "Input should be ": "expected ",
    "List should have ": "expected ",
    "Value should have ": "expected ",
    "String should match pattern ": "expected text that matches the pattern ",
    " after validation, not 0": "",
    "a valid boolean, unable to interpret input": "true or false",
    "a valid boolean": "true or false",
    "a valid integer": "a whole number",
    "a valid list": "a list",
    "a valid string": "text",
    ", unable to parse string as an integer": "",
}
"""Phrases of pydantic, and ours."""


def mistake_of(error: ErrorDetails, stack: StackLayers) -> Mistake:
    """The mistake that a validation error of `stack` stands for."""
    path = field_path(error)
    source, field = stack.source_of(path), stack.field_name(path)
    if error["type"] == "extra_forbidden":
        # The value of an unknown setting is not shown: it may be a secret.
        return Mistake(source, field, "an unknown setting", *_known_names(path))
    if error["type"] in ("model_type", "dict_type"):
        found = f"a value of type {type(error['input']).__name__}"
        expected = "expected a table (a JSON object, in a variable)"
        return Mistake(source, field, found, expected, _remedy(path))
    fix, message = split_suggestion(error["msg"].removeprefix("Value error, "))
    found, expected = _clauses(path, error, message)
    return Mistake(source, field, found, expected, fix or _remedy(path))


def field_path(error: ErrorDetails) -> FieldPath:
    """The field of a validation error."""
    return tuple(str(step) for step in error["loc"])


def _known_names(path: FieldPath) -> tuple[str, str]:
    """The names that are allowed in place of an unknown one, and the remedy."""
    section = path[:-1]
    model = SECTIONS.get(section[0], StackSettings) if section else StackSettings
    names = [each.alias or name for name, each in model.model_fields.items()]
    fix = suggestion(path[-1], names) or "rename it, or remove it"
    return f"expected one of {', '.join(names)}", fix


def _clauses(path: FieldPath, error: ErrorDetails, message: str) -> tuple[str, str]:
    """The value with its problem, and the clause with the accepted values.

    A message of ours is `name=value is not a duration: write seconds`, in which the value may be a
    secret. One of pydantic is `Input should be a valid string`.
    """
    found = shown(path, error["input"])
    if error["input"] is not None:
        message = message.replace(repr(error["input"]), found)
    if error["type"] != "value_error":
        for theirs, ours in _PHRASES.items():
            message = message.replace(theirs, ours)
        return found, message
    for name in (path[-1], path[0]):
        message = message.removeprefix(f"{name}={found} ")
        message = message.replace(f"{name} must", "it must")
    problem, colon, remedy = message.removeprefix(f"{found} ").partition(": ")
    if not colon:
        return found, problem
    is_clause = problem.startswith(("is ", "would "))
    return f"{found}, which {problem}" if is_clause else f"{found}: {problem}", remedy


def _remedy(path: FieldPath) -> str:
    model = StackSettings if len(path) == 1 else SECTIONS.get(path[0])
    for name, each in model.model_fields.items() if model is not None else ():
        if (each.alias or name) == path[min(1, len(path) - 1)] and each.default_factory is None:
            default = "" if each.default is None else f", {each.default!r}"
            return f"correct it, or leave it out for the default{default}"
    return "correct it, or leave it out"
