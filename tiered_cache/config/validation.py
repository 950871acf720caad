"""The settings of one stack: merged from the layers, and validated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from tiered_cache.config.contradictions import CONTRADICTORY, contradictions
from tiered_cache.config.exporters import check_exporter
from tiered_cache.config.layers import DEFAULT_STACK
from tiered_cache.config.mistakes import Mistake
from tiered_cache.config.name_lists import exporter_tables
from tiered_cache.config.policy_factory import all_policy_names, check_policy
from tiered_cache.config.registered_tiers import BUILT_IN_TIERS, check_tier_options
from tiered_cache.config.schema import StackSettings
from tiered_cache.config.validation_messages import field_path, mistake_of
from tiered_cache.errors import ConfigurationError, TieredCacheError
from tiered_cache_policies.suggestions import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from tiered_cache.config.layers import StackLayers

__all__ = ["validated"]


def validated(stack: StackLayers, mistakes: list[Mistake]) -> StackSettings | None:
    """The settings of `stack`, or `None` if they are wrong.

    Args:
        stack: The layers.
        mistakes: Every mistake is added here, except those that the stack inherits: the default
            stack has them too.
    """
    data = stack.merged()
    if not all(stack.inherits(path) for path in CONTRADICTORY):
        mistakes += contradictions(stack, data)
    mistakes += _policy_mistakes(stack, data.get("policies"))
    mistakes += _extension_mistakes(stack, "custom", data.get("custom"))
    mistakes += _extension_mistakes(stack, "exporters", exporter_tables(data.get("exporters")))
    try:
        return StackSettings.model_validate(data)
    except ValidationError as error:
        mistakes += _mistakes(error, stack)
    return None


def _mistakes(error: ValidationError, stack: StackLayers) -> Iterator[Mistake]:
    for each in error.errors():
        path = field_path(each)
        if path == ("namespace",) and stack.name != DEFAULT_STACK:
            yield _name_mistake(each, stack)
        elif not stack.inherits(path):
            yield mistake_of(each, stack)


def _policy_mistakes(stack: StackLayers, policies: object) -> Iterator[Mistake]:
    """Unknown policies, and options that a policy does not accept. The model checks their types."""
    for name, options in policies.items() if isinstance(policies, dict) else ():
        path = ("policies", str(name))
        are_options = isinstance(options, dict) and all(isinstance(key, str) for key in options)
        if stack.inherits(path) or not isinstance(name, str) or not are_options:
            continue
        source, field = stack.source_of(path), stack.field_name(path)
        names = all_policy_names()
        if name not in names:
            expected = f"expected one of {', '.join(names)}"
            fix = suggestion(name, names) or "rename it, or remove it"
            yield Mistake(source, field, "an unknown policy", expected, fix)
            continue
        try:
            check_policy(name, options)
        except (ConfigurationError, LookupError) as error:
            given = ", ".join(options) or "no options"
            yield Mistake(source, field, given, str(error), "correct it, or leave it out")


def _extension_mistakes(stack: StackLayers, section: str, tables: object) -> Iterator[Mistake]:
    """Options of a tier or an exporter that no package registers, or that it does not accept."""
    check = check_tier_options if section == "custom" else check_exporter
    for name, options in tables.items() if isinstance(tables, dict) else ():
        path = (section, name)
        if not isinstance(name, str) or not isinstance(options, dict) or stack.inherits(path):
            continue
        if section == "custom" and name in BUILT_IN_TIERS:
            continue  # reported with the contradictions
        try:
            check(name, options)
        except TieredCacheError as error:
            source, field = stack.source_of(path), stack.field_name(path)
            given = ", ".join([str(each) for each in options]) or "no options"
            yield Mistake(source, field, given, error.message, "correct it, or leave it out")


def _name_mistake(error: ErrorDetails, stack: StackLayers) -> Mistake:
    if stack.sets(("namespace",)):
        return mistake_of(error, stack)
    return Mistake(
        stack.source_of(()),
        f"stacks.{stack.name}",
        repr(stack.name),
        "expected a name of up to 64 letters, digits, _, - and . (not in front)",
        "rename the stack, or give it a namespace",
    )
