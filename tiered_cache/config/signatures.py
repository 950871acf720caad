"""The options of an extension, checked against the signature of its factory."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["check_signature", "option_names", "takes"]


def check_signature(
    name: str,
    factory: Callable[..., object],
    options: Mapping[str, Any],
    *positional: object,
    implied: str = "",
) -> None:
    """Check that `factory` accepts `options` by name, after the positional arguments.

    Args:
        name: The extension, for the message: `the tier flies`.
        factory: The class or function. One without a signature accepts any options.
        options: The options.
        positional: The arguments that are not options.
        implied: An option that the user did not give.

    Raises:
        ConfigurationError: It does not accept them, or needs others. No value is quoted, because
            some may be secret.
    """
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*positional, **options)
    except TypeError as error:
        given = ", ".join(sorted(options.keys() - {implied})) or "no options"
        accepted = ", ".join(option_names(factory, skip=len(positional))) or "no options"
        msg = f"{name} can't be made from {given} ({error}): it takes {accepted}"
        raise ConfigurationError(msg) from error


def option_names(factory: Callable[..., object], *, skip: int = 0) -> list[str]:
    """The names of the parameters of a factory, without the first ones."""
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):
        return []
    return [f"{(each.kind is each.VAR_KEYWORD and '**') or ''}{each.name}" for each in parameters][
        skip:
    ]


def takes(factory: Callable[..., object], name: str) -> bool:
    """Whether a factory has a parameter `name`, or accepts any."""
    names = option_names(factory)
    return name in names or any(each.startswith("**") for each in names)
