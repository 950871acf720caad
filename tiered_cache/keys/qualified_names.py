"""Qualified names of functions and classes, the same in every process."""

from __future__ import annotations

import os.path
import sys
from typing import TYPE_CHECKING, Any

from tiered_cache.keys.encoding import parts, text
from tiered_cache.keys.unstable import UnstableError

if TYPE_CHECKING:
    from tiered_cache.keys.encoding import Encode

__all__ = ["encode_named", "module_identity", "qualified"]

_MAIN = ("__main__", "__mp_main__")
"""The names of the main program: in its own process, and in those that `multiprocessing` spawns."""


def module_identity(module: str, namespace: dict[str, Any]) -> tuple[str, str]:
    """A module's name for messages, and the text that distinguishes it from all others.

    Every script is called `__main__`, so a script is distinguished by its file, and a module that
    runs with `python -m` by its real name. An interactive session has neither.

    Args:
        module: The module's `__name__`.
        namespace: The module's globals.
    """
    if module not in _MAIN:
        return module, ""
    spec = namespace.get("__spec__")
    if spec is not None and spec.name not in _MAIN:
        return spec.name, ""
    file = namespace.get("__file__")
    return "__main__", "" if file is None else os.path.abspath(file)  # noqa: PTH100 - pathlib is slow to import


def qualified(kind: type) -> bytes:
    """The encoding of a class, as part of the encodings of its instances."""
    return _identified(b"q", kind.__module__, kind.__qualname__)


def encode_named(value: Any, _depth: int, _encode: Encode) -> bytes:
    """The encoding of a function or class: its qualified name.

    Raises:
        UnstableError: The name does not lead back to the value. It is a lambda, local, bound to an
            object, or a wrapper that took the name of the function that it wraps.
    """
    name: str = value.__qualname__
    module: str = getattr(value, "__module__", None) or ""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not value:
        kind = "class" if isinstance(value, type) else "function"
        reason = f"is the {kind} {name}, which can't be found under that name in its module"
        raise UnstableError(reason)
    return _identified(b"Q", module, name)


def _identified(tag: bytes, module: str, name: str) -> bytes:
    namespace = vars(sys.modules[module]) if module in sys.modules else {}
    shown, rest = module_identity(module, namespace)
    return parts(tag, [text(b"s", shown), text(b"s", rest), text(b"s", name)])
