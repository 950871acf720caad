"""The registry of types, as the packages that declare types use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NotPlain", "TypeRegistry"]

T = TypeVar("T")


class NotPlain(Exception):  # noqa: N818 - a verdict, which authors of types raise
    """A value is not plain data. The message names the part at fault.

    The `to_plain` of a registered type raises it for an object that it can't convert. The object is
    then treated as if its type were not registered.
    """


class TypeRegistry(Protocol):
    """The user-defined types that the records of a cache may contain. Thread-safe.

    A package declares types under the entry-point group `tiered_cache.types`: a function that gets
    the registry, under the name of the module that its types are from, such as `numpy`. It is called
    when a cache first meets a type of that module, or a name in a record that begins with it.
    """

    def register(
        self,
        cls: type[T],
        *,
        name: str | None = None,
        to_plain: Callable[[T], object] | None = None,
        from_plain: Callable[[Any], T] | None = None,
        subclasses: bool = False,
    ) -> type[T]:
        """Allow objects of `cls` in records. May be used as a decorator.

        Enums, NamedTuples, dataclasses, attrs classes, pydantic models and `msgspec.Struct`s need
        no further argument. Their objects are restored field by field, without `__init__` or
        `__post_init__`; attributes that are not fields are not kept.

        Args:
            cls: The type.
            name: Its name in records, by default the module and qualified name. Keep the name when
                the class moves; change it when the meaning of a field changes.
            to_plain: Makes plain data, or data of registered types, from an object. Raises
                `NotPlain` for an object that it can't convert.
            from_plain: Makes an object from that data. The data is untrusted: any writer to an
                unsigned tier may have chosen it. Any exception makes the record corrupt.
            subclasses: Whether objects of subclasses count as well, unless the subclass is
                registered itself. `from_plain` must then restore the exact type, so `to_plain` must
                tell the subclasses apart.

        Returns:
            `cls` itself.

        Raises:
            ConfigurationError: The kind of class or `subclasses` needs `to_plain` and `from_plain`,
                the name is that of another class, or the class already has another name.
        """
        ...
