"""The closed registry of user-defined types that records may contain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.codec.extension_types import BY_TYPE
from tiered_cache.codec.installed_types import declared_by, register_installed
from tiered_cache.codec.mechanisms import Mechanism, mechanism_for
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RegisteredType", "TypeTable", "top_module"]

T = TypeVar("T")

_BUILT_IN = frozenset({type(None), bool, float, bytes, list, object, type, *BY_TYPE})


class RegisteredType(NamedTuple):
    """A type, its name in records, and the conversion of its objects to plain data and back."""

    cls: type[Any]
    name: str
    to_plain: Callable[[Any], object]
    from_plain: Callable[[Any], object]
    subclasses: bool


class TypeTable:
    """Implements `contracts.TypeRegistry`.

    A name in a record is looked up here and never imported. So bytes from a tier can only make
    objects of classes that the program or an installed package registered.

    Reading needs no lock; registering takes one. Types are never removed.
    """

    def __init__(self) -> None:
        self._by_type: dict[type[Any], RegisteredType] = {}
        self._by_name: dict[str, RegisteredType] = {}
        self._installed: set[str] = set()
        self._lock = fork_safe_lock()

    def register(
        self,
        cls: type[T],
        *,
        name: str | None = None,
        to_plain: Callable[[T], object] | None = None,
        from_plain: Callable[[Any], T] | None = None,
        subclasses: bool = False,
    ) -> type[T]:
        """Register a type, as of `contracts.TypeRegistry.register`."""
        if not isinstance(cls, type) or cls in _BUILT_IN:
            msg = f"{cls!r} can't be registered: register user-defined classes only, built-in types need none"
            raise ConfigurationError(msg)
        if subclasses and (to_plain is None or from_plain is None):
            msg = f"{cls.__qualname__} with subclasses=True needs to_plain= and from_plain="
            raise ConfigurationError(msg)
        ways = _ways(cls, to_plain, from_plain)
        registered = RegisteredType(cls, name or _default_name(cls), *ways, subclasses)
        with self._lock:
            self._check_new(registered)
            self._by_name[registered.name] = registered
            self._by_type[cls] = registered
        return cls

    def by_type(self, cls: type[Any]) -> RegisteredType | None:
        """The registration for objects of `cls`; `None` for an unknown type.

        An unknown type of a module for which an installed package declares types has the package
        imported.
        """
        found = self._of(cls)
        if found is None and self._register_installed(cls.__module__):
            found = self._of(cls)
        return found

    def by_name(self, name: str) -> RegisteredType | None:
        """The registration under `name`; `None` for an unknown name. Imports as `by_type` does."""
        found = self._by_name.get(name)
        if found is None and self._register_installed(name):
            found = self._by_name.get(name)
        return found

    def _of(self, cls: type[Any]) -> RegisteredType | None:
        found = self._by_type.get(cls)
        if found is not None:
            return found
        bases = [self._by_type.get(base) for base in cls.__mro__[1:]]
        return next((each for each in bases if each is not None and each.subclasses), None)

    def _register_installed(self, name: str) -> bool:
        """Register the types of installed packages for a name, once; whether there are some."""
        module = top_module(name)
        if module in self._installed or not declared_by(module):
            return module in self._installed
        # Without a lock, which a package's own code must not run under. Registering twice is harmless.
        register_installed(self, module)
        self._installed.add(module)
        return True

    def _check_new(self, new: RegisteredType) -> None:
        same_name = self._by_name.get(new.name)
        if same_name is not None and same_name.cls is not new.cls:
            msg = f"The name {new.name!r} is already the name of another class: pass another name="
            raise ConfigurationError(msg)
        same_type = self._by_type.get(new.cls)
        if same_type is not None and same_type.name != new.name:
            msg = f"{new.cls.__qualname__} is already registered, as {same_type.name!r}"
            raise ConfigurationError(msg)


def top_module(name: str) -> str:
    """The top-level module of a type's name, or of a module's."""
    return name.partition(".")[0]


def _default_name(cls: type[Any]) -> str:
    if "<" in cls.__qualname__:
        msg = (
            f"{cls.__qualname__} is defined inside a function, so its name does not identify it: "
            "move it to module level, or pass name="
        )
        raise ConfigurationError(msg)
    return f"{cls.__module__}.{cls.__qualname__}"


def _ways(
    cls: type[T],
    to_plain: Callable[[T], object] | None,
    from_plain: Callable[[Any], T] | None,
) -> Mechanism:
    if to_plain is not None and from_plain is not None:
        return Mechanism(to_plain, from_plain)
    if to_plain is not None or from_plain is not None:
        msg = f"{cls.__qualname__} needs both to_plain= and from_plain=, or neither"
        raise ConfigurationError(msg)
    return mechanism_for(cls)
