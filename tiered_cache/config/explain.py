"""From what the models find wrong to mistakes that people can act on."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from tiered_cache.config.environment import SECTIONS
from tiered_cache.config.extensions import BUILT_IN_TIERS
from tiered_cache.config.layers import FieldPath, Layer, at
from tiered_cache.config.mistakes import Mistake
from tiered_cache.config.schema import StackSettings
from tiered_cache.config.text import MASK, expand, safe
from tiered_cache.config.values import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

__all__ = [
    "DEFAULT_STACK",
    "contradictions",
    "field_path",
    "is_own",
    "show",
    "source",
    "to_mistake",
]

DEFAULT_STACK = "default"
_SHOWN = 200
_UNKNOWN = "an unknown setting"


def to_mistake(layers: list[Layer], stack: str, error: ErrorDetails) -> Mistake:
    """What pydantic says of a field of `stack`."""
    path = field_path(error)
    found = show(path, error["input"])
    allowed = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        # Its value is not shown: nobody knows what it is that has no known name.
        fields = _fields(path[:-1])
        near = difflib.get_close_matches(path[len(path) - 1], fields, 1)
        allowed = f"no such setting, only {', '.join(fields)}"
        fix = f"did you mean {near[0]}?" if near else "rename it, or take it out"
        return Mistake(
            source(layers, stack, path), _name(layers, stack, path), _UNKNOWN, allowed, fix
        )
    if error["type"] in ("model_type", "dict_type"):
        allowed = "a table (a JSON object, in a variable)"
        found = f"a value of type {type(error['input']).__name__}"
    # A message of ours may quote what it was given.
    allowed = allowed.replace(repr(error["input"]), found)
    fix = _way_out(path)
    return Mistake(source(layers, stack, path), _name(layers, stack, path), found, allowed, fix)


def contradictions(layers: list[Layer], stack: str, data: dict[str, Any]) -> Iterator[Mistake]:
    """What is wrong with the settings of `stack` together, however wrong each is by itself."""

    def told(path: FieldPath, found: str, allowed: str, fix: str) -> Mistake:
        where = source(layers, stack, path)
        return Mistake(where, _name(layers, stack, path), found, allowed, fix)

    redis = data.get("redis")
    own = redis.get("url") if isinstance(redis, dict) else None
    short = data.get("redis_url")
    if own and short:
        allowed = "one of the two: redis_url is short for redis.url"
        yield told(("redis_url",), "redis.url as well", allowed, "take one of them out")
    if "redis" in _tiers(data) and not _is_address(own) and not _is_address(short):
        found = "redis, and there is no redis_url"
        fix = "set redis_url, such as redis://localhost:6379/0, or take redis out of the tiers"
        yield told(("tiers",), found, "redis with a URL", fix)
    custom = data.get("custom")
    for name in custom if isinstance(custom, dict) else ():
        if name in BUILT_IN_TIERS:
            found = f"options of the built-in tier {name}"
            fix = f"move them to [{name}]" if name in SECTIONS else "take them out"
            yield told(("custom", name), found, "options of registered tiers", fix)


def _tiers(data: dict[str, Any]) -> list[Any]:
    try:
        tiers = listed(data.get("tiers"))
    except ValueError:
        return []
    return tiers if isinstance(tiers, list) else []


def _is_address(url: object) -> bool:
    """Whether it will be one, or a mistake of its own."""
    if not isinstance(url, str):
        return url is not None
    try:
        return bool(expand(url))
    except ValueError:
        return True


def field_path(error: ErrorDetails) -> FieldPath:
    """The field that pydantic found wrong."""
    return tuple(str(step) for step in error["loc"])


def is_own(layers: list[Layer], stack: str, path: FieldPath) -> bool:
    """Whether the table of `stack` says something about the field, which it else inherits."""
    return any(layer.source_of(("stacks", stack, *path)) is not None for layer in layers)


def source(layers: list[Layer], stack: str, path: FieldPath) -> str:
    """The source of a field's value in `stack`."""
    for whole in (("stacks", stack, *path), path):
        for length in range(len(whole), 0, -1):
            for layer in layers:
                found = layer.source_of(whole[:length])
                if found is not None and (
                    length == len(whole) or not isinstance(at(layer.data, whole[:length]), dict)
                ):
                    return found
    return "default"


def show(path: FieldPath, value: Any) -> str:
    """`value` for people: short, on one line, without secrets."""
    if value is None:
        return "none"
    if isinstance(value, SecretStr) or "signing_key" in path:
        return MASK
    # Any name on the way to an option of a foreign tier may say that it is a secret.
    shown = value
    for name in path[1:] if path[:1] == ("custom",) else path[-1:]:
        shown = safe(name, shown)
    if isinstance(shown, dict) and shown:
        return "a table"
    text = repr(shown)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _fields(section: FieldPath) -> list[str]:
    model = SECTIONS.get(section[0], StackSettings) if section else StackSettings
    return [each.alias or name for name, each in model.model_fields.items()]


def _name(layers: list[Layer], stack: str, path: FieldPath) -> str:
    own = stack != DEFAULT_STACK or (path and is_own(layers, stack, path))
    return ".".join(("stacks", stack, *path) if own else path)


def _way_out(path: FieldPath) -> str:
    model = StackSettings if len(path) == 1 else SECTIONS.get(path[0])
    for name, each in model.model_fields.items() if model is not None else ():
        if (each.alias or name) == path[min(1, len(path) - 1)] and each.default_factory is None:
            unset = "" if each.default is None else f", {each.default!r}"
            return f"correct it, or leave it out for the default{unset}"
    return "correct it, or leave it out"
