"""The closed registry of user-defined types that records may contain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.codec.extension_types import BY_TYPE
from tiered_cache.codec.mechanisms import Mechanism, mechanism_for
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RegisteredType", "TypeRegistry"]

T = TypeVar("T")

_BUILT_IN = frozenset({type(None), bool, float, bytes, list, object, type, *BY_TYPE})


class RegisteredType(NamedTuple):
    """A type, its name in records, and the conversion of its objects to plain data and back."""

    cls: type[Any]
    name: str
    to_plain: Callable[[Any], object]
    from_plain: Callable[[Any], object]


class TypeRegistry:
    """The user-defined types that records may contain, by their names in records.

    A name in a record is looked up here and never imported. So bytes from a tier can only make
    objects of classes that the program registered.

    Reading needs no lock; registering takes one. Types are never removed.
    """

    def __init__(self) -> None:
        self._by_type: dict[type[Any], RegisteredType] = {}
        self._by_name: dict[str, RegisteredType] = {}
        self._lock = fork_safe_lock()

    def register(
        self,
        cls: type[T],
        *,
        name: str | None = None,
        to_plain: Callable[[T], object] | None = None,
        from_plain: Callable[[Any], T] | None = None,
    ) -> type[T]:
        """Allow objects of exactly `cls` in records. May be used as a decorator.

        Enums, NamedTuples, dataclasses, attrs classes, pydantic models and `msgspec.Struct`s need
        no further argument. Their objects are restored field by field, without `__init__` or
        `__post_init__`; attributes that are not fields are not kept.

        Args:
            cls: The type. Subclasses are other types.
            name: Its name in records, by default the module and qualified name. Keep the name when
                the class moves; change it when the meaning of a field changes.
            to_plain: Makes plain data, or data of registered types, from an object.
            from_plain: Makes an object from that data. The data is untrusted: any writer to an
                unsigned tier may have chosen it. Any exception makes the record corrupt.

        Returns:
            `cls` itself.

        Raises:
            ConfigurationError: The kind of class needs `to_plain` and `from_plain`, the name is
                that of another class, or the class already has another name.
        """
        if not isinstance(cls, type) or cls in _BUILT_IN:
            msg = f"{cls!r} can't be registered: register user-defined classes only, built-in types need none"
            raise ConfigurationError(msg)
        ways = _ways(cls, to_plain, from_plain)
        registered = RegisteredType(cls, name or _default_name(cls), *ways)
        with self._lock:
            self._check_new(registered)
            self._by_name[registered.name] = registered
            self._by_type[cls] = registered
        return cls

    def by_type(self, cls: type[Any]) -> RegisteredType | None:
        """The registration of exactly `cls`; `None` for an unknown type."""
        return self._by_type.get(cls)

    def by_name(self, name: str) -> RegisteredType | None:
        """The registration under `name`; `None` for an unknown name."""
        return self._by_name.get(name)

    def _check_new(self, new: RegisteredType) -> None:
        same_name = self._by_name.get(new.name)
        if same_name is not None and same_name.cls is not new.cls:
            msg = f"The name {new.name!r} is already the name of another class: pass another name="
            raise ConfigurationError(msg)
        same_type = self._by_type.get(new.cls)
        if same_type is not None and same_type.name != new.name:
            msg = f"{new.cls.__qualname__} is already registered, as {same_type.name!r}"
            raise ConfigurationError(msg)


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
