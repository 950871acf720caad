"""Keys of function calls: the function's name and a digest of its arguments."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from tiered_cache.errors import ConfigurationError, InvalidKeyError
from tiered_cache.keys.canonical import UnstableError, digest_of, encode, parts, text
from tiered_cache.keys.identity import module_identity, qualified

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["FunctionKey", "closed_over"]


class FunctionKey:
    """Makes the keys of the calls of one function: `module.qualname:digest`.

    Calls that bind the same values to the same parameters have the same key, however they are
    written: positionally, by keyword, or by leaving a default out. Thread-safe.

    The values of the variables that it closes over are part of the key as far as they are hashable
    and have a stable encoding when this is made: two functions that one factory made with other
    parameters have other keys. Whatever else it uses is not, nor is its code: make the former a
    parameter, and change `version` with the latter.

    Args:
        func: The function. Its module and qualified name must identify it.
        version: Part of the digest.
        ignore: The names of parameters that are left out of the digest.

    Attributes:
        prefix: What comes before the colon: `module.qualname`.

    Raises:
        InvalidKeyError: `func` is a lambda, bound to an object, or has no name or signature.
        ConfigurationError: `ignore` names something that is not a parameter.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        *,
        version: str = "",
        ignore: Iterable[str] = (),
    ) -> None:
        self.prefix, self._salt = _identify(func, version)
        self._salt += closed_over(func)
        self._signature = _signature(func, self.prefix)
        parameters = self._signature.parameters
        ignored = {ignore} if isinstance(ignore, str) else set(ignore)
        if not ignored <= parameters.keys():
            unknown = ", ".join(sorted(ignored - parameters.keys()))
            msg = f"ignore= names {unknown}, and {self.prefix} has the parameters {', '.join(parameters)}"
            raise ConfigurationError(msg)
        self._slots = [(name, text(b"s", name)) for name in sorted(parameters.keys() - ignored)]
        every = parameters.values()
        self._defaults = {
            each.name: each.default for each in every if each.default is not each.empty
        }
        self._positional = [each.name for each in every if each.kind is each.POSITIONAL_OR_KEYWORD]
        # Where it is false, only inspect knows how arguments bind.
        self._simple = all(
            each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY) for each in every
        )
        names = list(parameters)
        only_positional = self._simple and self._positional == names
        self._arity = len(names) if only_positional else -1
        self._indexes = [names.index(name) for name, _ in self._slots]

    def __repr__(self) -> str:
        return f"FunctionKey({self.prefix})"

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """The key of the call `func(*args, **kwargs)`.

        Raises:
            InvalidKeyError: An argument has no stable encoding; the message says which and what
                to do about it.
            TypeError: The arguments don't fit the signature, as when calling it.
        """
        if not kwargs and len(args) == self._arity:
            values = [args[index] for index in self._indexes]
        else:
            bound = self._bind(args, kwargs)
            values = [bound[name] for name, _ in self._slots]
        return f"{self.prefix}:{digest_of(self._salt, self.prefix, self._slots, values)}"

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The value of every parameter."""
        if self._simple and len(args) <= len(self._positional):
            given = dict(zip(self._positional, args, strict=False))
            bound = {**self._defaults, **given, **kwargs}
            if bound.keys() == self._signature.parameters.keys() and given.keys().isdisjoint(
                kwargs
            ):
                return bound
        bound_arguments = self._signature.bind(*args, **kwargs)
        bound_arguments.apply_defaults()
        return bound_arguments.arguments


def _identify(func: Callable[..., Any], version: str) -> tuple[str, bytes]:
    """The prefix of the function's keys, and what else tells it from other functions."""
    name: str = getattr(func, "__qualname__", "")
    module: str | None = getattr(func, "__module__", None)
    if not name or module is None:
        msg = f"A {type(func).__name__} has no name that identifies it: wrap it in a def, or give key="
        raise InvalidKeyError(msg)
    if name.endswith("<lambda>"):
        msg = f"{module}.{name} has no name that identifies it: use def, or give key="
        raise InvalidKeyError(msg)
    owner = getattr(func, "__self__", None)
    if owner is not None and not isinstance(owner, (type, types.ModuleType)):
        msg = (
            f"{module}.{name} is bound to an object, which is not part of the key: cache the "
            "method in its class, or give key="
        )
        raise InvalidKeyError(msg)
    shown, rest = module_identity(module, getattr(func, "__globals__", {}))
    salt = text(b"v", version) + text(b"m", rest)
    if isinstance(owner, type):
        salt += qualified(owner)
    return f"{shown}.{name}", salt


def closed_over(func: Callable[..., Any]) -> bytes:
    """The encoded variables that `func` closes over, as far as nobody can change their values."""
    names = getattr(getattr(func, "__code__", None), "co_freevars", ())
    encoded = []
    for name, cell in zip(names, getattr(func, "__closure__", None) or (), strict=False):
        try:
            value = cell.cell_contents
            hash(value)  # a list would make another key after each change of it
            encoded.append(parts(b"c", [text(b"s", name), encode(value)]))
        except (UnstableError, TypeError, ValueError, RecursionError):
            continue  # among them a function that calls itself: its cell is still empty
    return b"".join(encoded)


def _signature(func: Callable[..., Any], name: str) -> inspect.Signature:
    import inspect  # as long to import as the rest of this package

    try:
        return inspect.signature(func)
    except ValueError as error:
        msg = f"{name} has no signature to take arguments from: wrap it in a def, or give key="
        raise InvalidKeyError(msg) from error
