"""The types of settings. Each checks its value, and raises a message of its own."""

from __future__ import annotations

import datetime as dt
import os
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_settings import NoDecode

from tiered_cache.codec.signing import MIN_SECRET_BYTES
from tiered_cache.config.expansion import expand, expand_path
from tiered_cache.config.name_lists import exporter_tables, name_list
from tiered_cache.config.redis_urls import expand_url
from tiered_cache.config.registered_tiers import check_tier_names
from tiered_cache.units import Duration, Size, parse_duration, parse_lifetime, parse_size
from tiered_cache_policies.policy_registry import PolicyKind, find_policy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "NO_BOUND",
    "AdmissionNames",
    "BoundText",
    "DirectoryText",
    "DurationText",
    "EvictionName",
    "ExpiryNames",
    "ExporterTables",
    "LifetimeText",
    "PromotionName",
    "RefreshName",
    "SigningKeyText",
    "SizeText",
    "StatisticsName",
    "TierNames",
    "TimeoutText",
    "UrlText",
    "Whole",
    "WritingName",
]

_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)


NO_BOUND = "none"
"""The bound of a coherence without one: TOML has no word for nothing."""


def _quantity(parse: Callable[..., object]) -> PlainValidator:
    """Accept a value that `parse` accepts, and keep its unit as written."""

    def check(value: Any, info: ValidationInfo) -> Any:
        parse(value, name=info.field_name)
        if isinstance(value, dt.timedelta):
            return value.total_seconds()
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            # The text of a variable. As a number it is shown like one from a file.
            return float(value) if "." in value else int(value)
        return value

    return PlainValidator(check)


def _bound(value: Duration, *, name: str) -> None:
    if value != NO_BOUND:
        _timeout(value, name=name)


def _timeout(value: Any, *, name: str) -> None:
    if parse_duration(value, name=name) == 0:
        msg = f"{name}={value!r} is over at once: it must be longer than zero"
        raise ValueError(msg)


def _lifetime(value: Any, *, name: str) -> None:
    parse_lifetime(value, name=name, no_limit="leave it out for no limit")


def _policy(kind: PolicyKind) -> AfterValidator:
    def check(name: str) -> str:
        try:
            find_policy(kind, name)
        except LookupError as error:
            raise ValueError(str(error.args[0])) from error
        return name

    return AfterValidator(check)


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        msg = "it must be a whole number, not true or false"
        raise ValueError(msg)
    return value


def _path_text(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _signing_key(key: SecretStr) -> SecretStr:
    expanded = expand(key.get_secret_value())
    count = len(expanded.encode("utf-8", "surrogatepass"))
    if count < MIN_SECRET_BYTES:
        msg = (
            f"it has {count} bytes and must have at least {MIN_SECRET_BYTES}: make one with "
            "`python -c 'import secrets; print(secrets.token_hex(32))'`"
        )
        raise ValueError(msg)
    return SecretStr(expanded)


_SECONDS = WithJsonSchema({"type": ["number", "string"], "description": "Seconds, or '10m'."})
_BYTES = WithJsonSchema({"type": ["integer", "string"], "description": "Bytes, or '512MiB'."})
_TABLES = WithJsonSchema(
    {
        "anyOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": {"type": "object"}},
        ]
    }
)

DurationText = Annotated[Duration, _quantity(parse_duration), _SECONDS]
TimeoutText = Annotated[Duration, _quantity(_timeout), _SECONDS]
BoundText = Annotated[Duration, _quantity(_bound), _SECONDS]
LifetimeText = Annotated[Duration, _quantity(_lifetime), _SECONDS]
SizeText = Annotated[Size, _quantity(parse_size), _BYTES]
Whole = Annotated[int, BeforeValidator(_not_bool)]
DirectoryText = Annotated[str, BeforeValidator(_path_text), AfterValidator(expand_path)]
UrlText = Annotated[str | None, AfterValidator(expand_url)]
SigningKeyText = Annotated[SecretStr, AfterValidator(_signing_key)]
TierNames = Annotated[
    list[str] | None, NoDecode, BeforeValidator(name_list), AfterValidator(check_tier_names)
]
AdmissionNames = Annotated[
    list[Annotated[str, _policy("admission")]], BeforeValidator(name_list), Field(min_length=1)
]
ExporterTables = Annotated[dict[str, dict[str, Any]], BeforeValidator(exporter_tables), _TABLES]
ExpiryNames = Annotated[
    list[Annotated[str, _policy("expiry")]], NoDecode, BeforeValidator(name_list)
]
RefreshName = Annotated[str, _policy("refreshing")]
StatisticsName = Annotated[str, _policy("statistics")]
EvictionName = Annotated[str, _policy("eviction")]
PromotionName = Annotated[str, _policy("promotion")]
WritingName = Annotated[str, _policy("writing")]
