"""Layers of settings: one for each source, the stronger laid over the weaker."""

from __future__ import annotations

from typing import Any, NamedTuple

from tiered_cache.config.name_lists import exporter_tables

__all__ = ["DEFAULT_STACK", "FieldPath", "Layer", "StackLayers", "at", "overlay"]

DEFAULT_STACK = "default"

FieldPath = tuple[str, ...]


class Layer(NamedTuple):
    """The settings of one source.

    Attributes:
        name: The source, as it is shown to people.
        data: Nested settings.
        names: The variable of each field, in the layer of the variables; empty in any other.
        is_trusted: Whether the user trusts the source; that of an untrusted file has only settings that
            such a file may set.
    """

    name: str
    data: dict[str, Any]
    names: dict[FieldPath, str]
    is_trusted: bool = True

    def source_of(self, path: FieldPath) -> str | None:
        """The place where this layer sets the field at `path`; `None` if it does not set it."""
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
        # The data may hold secrets.
        return f"<Layer {self.name}>"


class StackLayers:
    """All layers as one stack reads them: in each layer, its table `stacks.NAME` over the top level.

    Args:
        layers: The layers, the strongest first.
        name: The name of the stack.
    """

    def __init__(self, layers: list[Layer], name: str) -> None:
        self.name = name
        self._layers = layers

    def merged(self) -> dict[str, Any]:
        """The stack's settings. A named stack inherits all but the namespace, which is its name."""
        data: dict[str, Any] = {}
        for layer in reversed(self._layers):
            left_out = {"stacks"}
            if self.name != DEFAULT_STACK or not layer.is_trusted:
                left_out.add("namespace")
            data = overlay(data, {k: v for k, v in layer.data.items() if k not in left_out})
            own = self._own_table(layer)
            if not layer.is_trusted:
                own.pop("namespace", None)
            data = overlay(data, own)
        return {**data, "namespace": self._namespace(data.get("namespace"))}

    def _own_table(self, layer: Layer) -> dict[str, Any]:
        stacks = layer.data.get("stacks")
        own = stacks.get(self.name) if isinstance(stacks, dict) else None
        return dict(own) if isinstance(own, dict) else {}

    def _has_table(self, layer: Layer) -> bool:
        stacks = layer.data.get("stacks")
        return isinstance(stacks, dict) and isinstance(stacks.get(self.name), dict)

    def appends_namespace(self, layer: Layer) -> bool:
        """Whether an untrusted layer appends a part to the namespace."""
        own = self._own_table(layer)
        return not layer.is_trusted and (
            "namespace" in own or (self.name == DEFAULT_STACK and "namespace" in layer.data)
        )

    def _namespace(self, chosen: object) -> object:
        """The namespace that the trusted layers choose, with the parts that untrusted ones append."""
        if chosen is None:
            chosen = self.name
            if not any(layer.is_trusted and self._has_table(layer) for layer in self._layers):
                # A stack of an untrusted file alone: it must not take the name of another cache.
                chosen = self._below_default()
        parts = [chosen]
        for layer in self._layers:
            named = self._own_table(layer).get("namespace")
            if named is None and self.name == DEFAULT_STACK:
                named = layer.data.get("namespace")
            if not layer.is_trusted and named is not None:
                parts.append(named)
        return chosen if len(parts) == 1 else ".".join(str(part) for part in parts)

    def _below_default(self) -> str:
        if self.name == DEFAULT_STACK:
            return DEFAULT_STACK
        trusted = [layer for layer in self._layers if layer.is_trusted]
        default = StackLayers(trusted, DEFAULT_STACK).merged()["namespace"]
        return f"{default}.{self.name}"

    def sets(self, path: FieldPath) -> bool:
        """Whether the stack's own table sets the field."""
        own = ("stacks", self.name, *path)
        return any(layer.source_of(own) is not None for layer in self._layers)

    def inherits(self, path: FieldPath) -> bool:
        """Whether the field comes from the same place as in the default stack."""
        if self.name == DEFAULT_STACK or path == ("namespace",) or self.sets(path):
            return False
        return not StackLayers(self._layers, DEFAULT_STACK).sets(path)

    def source_of(self, path: FieldPath) -> str:
        """The source of a field's value."""
        for layer in self._layers:
            for whole in (("stacks", self.name, *path), path):
                for length in range(len(whole), 0, -1):
                    found = layer.source_of(whole[:length])
                    if found is not None and (
                        length == len(whole) or not isinstance(at(layer.data, whole[:length]), dict)
                    ):
                        return found
        return "default"

    def field_name(self, path: FieldPath) -> str:
        """The field with dots, as it is written in a file."""
        own = self.name != DEFAULT_STACK or (path and self.sets(path))
        return ".".join(("stacks", self.name, *path) if own else path)


def at(data: Any, path: FieldPath) -> Any:
    """The value at `path` in nested dictionaries.

    Raises:
        KeyError: There is none.
    """
    for step in path:
        if not isinstance(data, dict):
            raise KeyError(step)
        data = data[step]
    return data


def overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` merged over `below`, section by section.

    `redis_url` and `redis.url` are one setting. Either of them in `above` replaces both.
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
    if isinstance(above.get("exporters"), dict) and "exporters" in below:
        # A list replaces what is weaker; a table is added to it.
        merged["exporters"] = exporter_tables(below["exporters"])
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(value, dict) and isinstance(old, dict)
        merged[key] = _merge(old, value) if both and isinstance(old, dict) else value
    return merged
