"""The closed registry of user-defined types that records may contain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.codec.extensions import BY_TYPE
from tiered_cache.codec.kinds import Mechanism, mechanism_for
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RegisteredType", "TypeRegistry"]

T = TypeVar("T")

_BUILT_IN = frozenset({type(None), bool, float, bytes, list, object, type, *BY_TYPE})


class RegisteredType(NamedTuple):
    """A type, its name in records, and how its objects become plain data and come back."""

    cls: type[Any]
    name: str
    to_plain: Callable[[Any], object]
    from_plain: Callable[[Any], object]


class TypeRegistry:
    """The types whose objects records may contain, by the name that stands for them.

    Names that come in records are looked up here and never imported, so nothing that a tier
    returns can make a class appear that the program did not register.

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
        """Allow objects of exactly `cls` in records; may be used as a decorator.

        Enums, NamedTuples, dataclasses, attrs classes, pydantic models and `msgspec.Struct`s need
        nothing more. Their objects come back field by field, without running `__init__` or
        `__post_init__`; what is not a field is not kept.

        Args:
            cls: The type. Subclasses are other types.
            name: What stands for it in records, by default its module and qualified name. Keep it
                when the class moves, change it when what the fields mean changes.
            to_plain: From an object to anything that can be written itself.
            from_plain: From that to an object. It is given bytes that anyone who can write to an
                unsigned tier may have chosen; whatever it raises makes the record corrupt.

        Returns:
            `cls` itself.

        Raises:
            ConfigurationError: The kind of class needs `to_plain` and `from_plain`, the name
                stands for another class, or the class already has another name.
        """
        if not isinstance(cls, type) or cls in _BUILT_IN:
            msg = f"{cls!r} can't be registered: only user-defined classes can, and need to"
            raise ConfigurationError(msg)
        ways = _ways(cls, to_plain, from_plain)
        registered = RegisteredType(cls, name or _default_name(cls), *ways)
        with self._lock:
            self._check_new(registered)
            self._by_name[registered.name] = registered
            self._by_type[cls] = registered
        return cls

    def by_type(self, cls: type[Any]) -> RegisteredType | None:
        """How exactly `cls` is registered; `None` if it is not."""
        return self._by_type.get(cls)

    def by_name(self, name: str) -> RegisteredType | None:
        """What `name` stands for; `None` for an unknown name."""
        return self._by_name.get(name)

    def _check_new(self, new: RegisteredType) -> None:
        same_name = self._by_name.get(new.name)
        if same_name is not None and same_name.cls is not new.cls:
            msg = f"The name {new.name!r} already stands for another class: pass name= to register"
            raise ConfigurationError(msg)
        same_type = self._by_type.get(new.cls)
        if same_type is not None and same_type.name != new.name:
            msg = f"{new.cls.__qualname__} is already registered, as {same_type.name!r}"
            raise ConfigurationError(msg)


def _default_name(cls: type[Any]) -> str:
    if "<" in cls.__qualname__:
        msg = (
            f"{cls.__qualname__} is defined inside a function, so its name does not identify it: "
            "move it to the module, or pass name="
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
