"""The exporters of a stack: they send its statistics and events to another system."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

from tiered_cache._extensions import EXPORTERS, extension, extensions
from tiered_cache.config.redaction import safe
from tiered_cache.config.signatures import check_signature
from tiered_cache.errors import ConfigurationError, TieredCacheError
from tiered_cache_policies.suggestions import suggestion_before

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tiered_cache.cache import TieredCache

    Start = Callable[..., Callable[[], object]]

__all__ = ["check_exporter", "start_exporters"]

_log = logging.getLogger("tiered_cache.config")


def check_exporter(name: str, options: Mapping[str, Any]) -> None:
    """Check an exporter and its options without starting it; imports its module.

    Raises:
        ConfigurationError: No package registers it, or two do, it can't be loaded, or it does not
            accept the options.
        MissingExtraError: It needs an extra that is not installed.
    """
    check_signature(f"the exporter {name}", _start_of(name), options, "the cache")


def start_exporters(cache: TieredCache, chosen: Mapping[str, Mapping[str, Any]]) -> None:
    """Start exporters, which stop when the cache is closed.

    One that fails to start is logged and left out: no cache depends on its exporters.

    Args:
        cache: The open cache.
        chosen: The options of each exporter, by its name.

    Raises:
        ConfigurationError: As for `check_exporter`.
    """
    for name, options in chosen.items():
        check_exporter(name, options)
        try:
            stop = _start_of(name)(cache, **options)
        except TieredCacheError:
            raise
        except Exception:
            _log.warning("The exporter %r failed to start", name, exc_info=True)
        else:
            cache._call_at_close(functools.partial(_stop, name, stop))  # noqa: SLF001 - a hook of the face


def _stop(name: str, stop: Callable[[], object]) -> None:
    try:
        stop()
    except Exception:
        _log.warning("The exporter %r failed to stop", name, exc_info=True)


def _start_of(name: str) -> Start:
    found = extension(EXPORTERS, name)
    if found is None:
        names = [each.name for each in extensions(EXPORTERS)]
        problem = (
            f"there is no exporter called {safe('exporters', name)!r}: expected one of "
            f"{', '.join(names)}; packages register others under the entry point group {EXPORTERS}"
        )
        raise ConfigurationError(suggestion_before(problem, name, names))
    start: Start = found.load()
    return start
