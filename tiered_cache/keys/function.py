"""Keys of function calls: the function's name and a digest of its arguments."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from tiered_cache.errors import ConfigurationError, InvalidKeyError
from tiered_cache.keys.canonical import digest_of, encode
from tiered_cache.keys.encoding import parts, text
from tiered_cache.keys.qualified_names import module_identity, qualified
from tiered_cache.keys.unstable import UnstableError

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["FunctionKey", "check_version", "closed_over"]


class FunctionKey:
    """Makes the keys of the calls of one function: `module.qualname:digest`. Thread-safe.

    Calls that bind the same values to the same parameters have the same key, whether an argument
    is positional, a keyword or a default.

    Variables that the function closes over are part of the key if they are hashable and have a
    stable encoding when this object is made. So two functions that one factory made with different
    parameters have different keys. Other values that the function uses, and its code, are not part
    of the key: pass such a value as a parameter, and change `version` with the code.

    Args:
        func: The function. Its module and qualified name must identify it.
        version: Part of the digest.
        ignore: The names of parameters that the digest leaves out.

    Attributes:
        prefix: The text before the colon: `module.qualname`.

    Raises:
        InvalidKeyError: `func` is a lambda, bound to an object, or has no name or signature.
        ConfigurationError: `version` is not text, or `ignore` names an unknown parameter.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        *,
        version: str = "",
        ignore: Iterable[str] = (),
    ) -> None:
        self.prefix: str
        self.prefix, self._salt = _identify(func, check_version(version))
        self._salt += closed_over(func)
        self._signature = _signature(func, self.prefix)
        parameters = self._signature.parameters
        digested = parameters.keys() - _ignored(ignore, self.prefix, parameters)
        self._slots = [(name, text(b"s", name)) for name in sorted(digested)]
        every = parameters.values()
        self._defaults = {
            each.name: each.default for each in every if each.default is not each.empty
        }
        self._positional = [each.name for each in every if each.kind is each.POSITIONAL_OR_KEYWORD]
        # False for signatures that only inspect can bind.
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
            InvalidKeyError: An argument has no stable encoding. The message names it and the
                remedies.
            TypeError: The arguments don't fit the signature, as in the call itself.
        """
        if not kwargs and len(args) == self._arity:
            values = [args[index] for index in self._indexes]
        else:
            bound = self._bind(args, kwargs)
            values = [bound[name] for name, _ in self._slots]
        return f"{self.prefix}:{digest_of(self._salt, self.prefix, self._slots, values)}"

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The value of each parameter."""
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


def check_version(version: str) -> str:
    """`version` itself, if it is text.

    Raises:
        ConfigurationError: It is not.
    """
    if not isinstance(version, str):
        msg = f"version={version!r} must be text, such as version='2'"
        raise ConfigurationError(msg)
    return version


def closed_over(func: Callable[..., Any]) -> bytes:
    """The encodings of the immutable variables that `func` closes over."""
    names = getattr(getattr(func, "__code__", None), "co_freevars", ())
    encoded = []
    for name, cell in zip(names, getattr(func, "__closure__", None) or (), strict=False):
        try:
            value = cell.cell_contents
            hash(value)  # a list would change the key with each change of the list
            encoded.append(parts(b"c", [text(b"s", name), encode(value)]))
        except (UnstableError, TypeError, ValueError, RecursionError):
            continue  # also a recursive function: its own cell is still empty
    return b"".join(encoded)


def _identify(func: Callable[..., Any], version: str) -> tuple[str, bytes]:
    """The prefix of the function's keys, and a salt that distinguishes it from other functions."""
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


def _ignored(ignore: Iterable[str], function: str, parameters: Mapping[str, object]) -> set[str]:
    if isinstance(ignore, str):
        ignore = (ignore,)
    try:
        ignored = set(ignore)
    except TypeError:
        msg = f"ignore={ignore!r} must be names of parameters, such as ignore=('self',)"
        raise ConfigurationError(msg) from None
    if not ignored <= parameters.keys():
        unknown = ", ".join(sorted(map(str, ignored - parameters.keys())))
        msg = f"ignore= names {unknown}, and {function} has the parameters {', '.join(parameters)}"
        raise ConfigurationError(msg)
    return ignored


def _signature(func: Callable[..., Any], name: str) -> inspect.Signature:
    import inspect  # takes as long to import as the rest of this package

    try:
        return inspect.signature(func)
    except ValueError as error:
        msg = f"{name} has no signature to take arguments from: wrap it in a def, or give key="
        raise InvalidKeyError(msg) from error
