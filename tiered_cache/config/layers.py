"""Layers: what each source says, and how a stronger one is laid over a weaker one."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["FieldPath", "Layer", "at", "overlay"]

FieldPath = tuple[str, ...]


class Layer(NamedTuple):
    """What one source says.

    Attributes:
        name: The source, for people.
        data: Nested settings.
        names: For a source whose fields have names of their own, the name of each field.
    """

    name: str
    data: dict[str, Any]
    names: dict[FieldPath, str]

    def source_of(self, path: FieldPath) -> str | None:
        """Where this layer sets the field at `path`; `None` if it does not."""
        here: Any = self.data
        for step in path:
            if not isinstance(here, dict) or step not in here:
                return None
            here = here[step]
        for length in range(len(path), 0, -1):
            if path[:length] in self.names:
                return self.names[path[:length]]
        return self.name

    def __repr__(self) -> str:
        return f"<Layer {self.name}>"


def at(data: Any, path: FieldPath) -> Any:
    """What is at `path` in nested dictionaries.

    Raises:
        KeyError: Nothing is.
    """
    for step in path:
        if not isinstance(data, dict):
            raise KeyError(step)
        data = data[step]
    return data


def overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` merged over `below`, section by section.

    `redis_url` and `redis.url` are one setting: whichever stands above replaces both.
    """
    below = dict(below)
    redis, above_redis = below.get("redis"), above.get("redis")
    if "redis_url" in above and isinstance(redis, dict):
        below["redis"] = {key: value for key, value in redis.items() if key != "url"}
    if isinstance(above_redis, dict) and "url" in above_redis:
        below.pop("redis_url", None)
    return _merge(below, above)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(value, dict) and isinstance(old, dict)
        merged[key] = _merge(old, value) if both and isinstance(old, dict) else value
    return merged
