"""The JSON Schema for editors, and the example that the documentation shows."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache.config import SettingsMistakesError, build_stack, json_schema, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)

_TYPES: dict[str, Any] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}
_ANNOTATIONS = {
    "$defs",
    "$schema",
    "default",
    "description",
    "format",
    "title",
    "writeOnly",
}


def complaints(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> list[str]:
    """The complaints of a validator of draft 2020-12, limited to the keywords of our schema."""
    found: list[str] = []
    for word, wanted in schema.items():
        if word == "$ref":
            found += complaints(root["$defs"][wanted.rpartition("/")[2]], value, root)
        elif word == "anyOf":
            each = [complaints(one, value, root) for one in wanted]
            found += [] if [] in each else [str(each)]
        elif word in _INSIDE:
            found += _inside(word, schema, value, root)
        elif word in _FITS:
            found += [] if _FITS[word](value, wanted) else [f"{value!r}: {word} {wanted}"]
        else:
            assert word in _ANNOTATIONS, word
    return found


def _inside(word: str, schema: dict[str, Any], value: Any, root: dict[str, Any]) -> list[str]:
    if word == "items" and isinstance(value, list):
        return [line for one in value for line in complaints(schema[word], one, root)]
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    if word == "properties":
        return [
            line
            for key in value.keys() & known.keys()
            for line in complaints(known[key], value[key], root)
        ]
    other, rest = value.keys() - known.keys(), schema[word]
    if isinstance(rest, dict):
        return [line for key in other for line in complaints(rest, value[key], root)]
    return [] if rest else [f"{key} is not known" for key in other]


def _is_of(value: Any, types: str | list[str]) -> bool:
    return any(
        isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
        for name in ([types] if isinstance(types, str) else types)
    )


_INSIDE = {"items", "properties", "additionalProperties"}
_FITS: dict[str, Callable[[Any, Any], bool]] = {
    "type": _is_of,
    "enum": lambda value, wanted: value in wanted,
    "minimum": lambda value, wanted: not _is_of(value, "number") or value >= wanted,
    "minItems": lambda value, wanted: not isinstance(value, list) or len(value) >= wanted,
    "pattern": lambda value, wanted: (
        not isinstance(value, str) or re.search(wanted, value) is not None
    ),
}


def check(text: str) -> list[str]:
    schema = json.loads(json.dumps(json_schema()))
    return complaints(schema, tomllib.loads(text), schema)


def test_the_schema_is_json_and_knows_every_setting() -> None:
    schema = json.loads(json.dumps(json_schema()))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) >= {"tiers", "memory", "disk", "redis", "stacks", "writing"}
    memory = schema["$defs"]["MemorySettings"]
    assert set(memory["properties"]) == {"max_entries", "max_bytes", "eviction", "copy"}
    assert memory["additionalProperties"] is False


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_schema_takes_the_documented_examples(example: str) -> None:
    assert check(example) == []


@pytest.mark.parametrize(
    "text",
    [
        "tierss = []",
        "tiers = []",
        "namespace = '../up'",
        "default_ttl = []",
        "memory = 5",
        "memory.max_entries = 0",
        "memory.max_entries = true",
        "memory.copy = 'shallow'",
        "redis.port = 5",
        "stacks.ci = 5",
        "stacks.ci.tierss = []",
        "stacks.ci.memory.max_entrys = 1",
        "stacks.ci.stacks.x = {}",
        "custom.floppy = 5",
    ],
)
def test_the_schema_refuses_the_same_files_as_loading(text: str) -> None:
    assert check(text)
    Path("tiered-cache.toml").write_text(text)
    with pytest.raises(SettingsMistakesError):
        load_settings()


@pytest.mark.parametrize("text", ["tiers = 'memory'", "strict = 'yes'"])
def test_the_schema_is_stricter_where_variables_have_only_text(text: str) -> None:
    assert check(text)
    Path("tiered-cache.toml").write_text(text)
    load_settings()


def test_the_documented_example_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tiered-cache.toml").write_text(EXAMPLES[0])
    monkeypatch.setenv("LINT_CACHE_KEY", "a key that is long enough")
    monkeypatch.setenv("REDIS_PASSWORD", "secret")
    settings = load_settings()
    unset = [each.field for each in settings.resolved() if each.source == "default"]
    assert set(unset) == {"redis_url", "custom"}, "the example names every setting"
    assert settings.stack("ci").memory.max_entries == 100_000
    key = settings.stack().signing_key
    assert key is not None
    assert key.get_secret_value() == "a key that is long enough"


def test_the_documented_example_can_be_built(
    monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    Path("tiered-cache.toml").write_text(EXAMPLES[0])
    monkeypatch.setenv("LINT_CACHE_KEY", "a key that is long enough")
    monkeypatch.setenv("TIERED_CACHE_REDIS__URL", redis_url)
    for name in ("default", "ci"):
        with build_stack(name) as cache:
            assert cache.set("key", {"a": 1}).stored
            assert cache.get("key") == {"a": 1}
            cache.clear()
