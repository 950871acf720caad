"""The common part of the synchronous and the asynchronous face of a cache."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, Self, TypeVar

from tiered_cache._engine.effects import Plan  # noqa: TC001 - a NamedTuple's field
from tiered_cache._engine.plans.clear import clear
from tiered_cache._engine.plans.delete import delete
from tiered_cache._engine.plans.tags import invalidate_tags
from tiered_cache._engine.plans.touch import touch
from tiered_cache._engine.plans.write import store
from tiered_cache._engine.scopes import check_scope
from tiered_cache._engine.stack import StackOptions
from tiered_cache._face.arguments import (
    admission_by_tier,
    by_tier,
    check_prefix,
    in_turn,
    level_of,
    tag_keys,
    terms_of,
)
from tiered_cache._face.core import Core
from tiered_cache._face.core_source import BuiltOnce, CoreSource
from tiered_cache._face.live_hits import MISSING, NO_NODES, FunctionHits
from tiered_cache._face.registered_types import register_types
from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.codec import RecordCodec
from tiered_cache.contracts.checks import check_policy, check_tiers
from tiered_cache.errors import ConfigurationError, InvalidKeyError
from tiered_cache.keys import VIEW_SEPARATOR, check_key, check_namespace
from tiered_cache.options import Coherence, SingleFlight
from tiered_cache.units import TTL, Duration, parse_duration, parse_lifetime
from tiered_cache_policies.promotion.always import Always
from tiered_cache_policies.statistics.counters import Counters
from tiered_cache_policies.suggestions import suggestion
from tiered_cache_policies.writing.write_through import WriteThrough

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tiered_cache._engine.effects import Progress
    from tiered_cache._engine.stack import Stack
    from tiered_cache._face.live_hits import HitSource
    from tiered_cache._face.registered_types import Types
    from tiered_cache.clock import Clock
    from tiered_cache.contracts import Codec, Tier
    from tiered_cache.results import WriteResult
    from tiered_cache_policies.contracts import (
        AdmissionPolicy,
        ExpiryPolicy,
        PromotionPolicy,
        RefreshPolicy,
        StatisticsPolicy,
        WritePolicy,
    )

__all__ = ["Face", "KeyedPlan"]

T = TypeVar("T")


_OPTIONS_OF_CALLS = {"ttl": "write default_ttl", "tags": "write tags= of set() or cached()"}
"""Options of single calls that people give to the constructor, and where they belong."""


class KeyedPlan(NamedTuple):
    """A plan, and the keys that it changes."""

    keys: Sequence[str]
    plan: Plan[Any]


class Face:
    """One face of a cache, or of a view of it: its options, its keys and its inlined hits.

    Several faces may share one core. `TieredCache` documents the arguments.
    """

    __slots__ = ("__weakref__", "_hits", "_live", "_now", "_prefix", "_source", "_view_hit")
    __signature__: ClassVar[inspect.Signature]

    def __new__(cls, *_: Any, **options: Any) -> Self:
        """Raise `ConfigurationError` for an unknown option, and name the right one."""
        # A subclass with a constructor of its own may have other options.
        if not options.keys() <= _OPTIONS and cls.__init__ is Face.__init__:
            raise _unknown_option(cls.__name__, min(options.keys() - _OPTIONS))
        return super().__new__(cls)

    def __init__(
        self,
        tiers: Sequence[Tier[Any]],
        *,
        namespace: str = "default",
        writing: WritePolicy | None = None,
        promotion: PromotionPolicy | None = None,
        admission: AdmissionPolicy | Mapping[str, AdmissionPolicy] | None = None,
        default_ttl: Duration | None = None,
        expiry: ExpiryPolicy | Sequence[ExpiryPolicy] = (),
        refreshing: RefreshPolicy | None = None,
        single_flight: SingleFlight | None = None,
        coherence: Coherence | None = None,
        stale_for: Duration = 0,
        max_ttl: Mapping[str, Duration] | None = None,
        statistics: StatisticsPolicy | None = None,
        codec: Codec | None = None,
        types: Iterable[Types] = (),
        strict: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        failures_to_open: int = 5,
        probe_interval: Duration = "5s",
    ) -> None:
        if type(failures_to_open) is not int or failures_to_open < 1:
            msg = f"failures_to_open={failures_to_open!r} must be a whole number of at least 1"
            raise ConfigurationError(msg)
        check_namespace(namespace)
        tiers = check_tiers(tiers)
        single_flight = SingleFlight() if single_flight is None else single_flight
        if single_flight.scope is not None:
            check_scope(single_flight.scope, tiers)
        codec = RecordCodec(namespace) if codec is None else codec
        register_types(codec, types)
        options = StackOptions(
            namespace=namespace,
            codec=codec,
            writing=WriteThrough() if writing is None else check_policy("writing", writing),
            promotion=_chosen(promotion),
            admission=admission_by_tier(tiers, admission),
            expiry=in_turn(expiry),
            refreshing=None if refreshing is None else check_policy("refreshing", refreshing),
            single_flight=single_flight,
            coherence=Coherence() if coherence is None else coherence,
            stale_for_s=parse_duration(stale_for, name="stale_for"),
            longest_s={
                name: parse_lifetime(longest, name="max_ttl")
                for name, longest in by_tier("max_ttl", tiers, max_ttl or {}).items()
            },
            clock=clock,
            default_lifetime_s=parse_lifetime(default_ttl, name="default_ttl"),
            failures_to_open=failures_to_open,
            probe_interval_s=parse_duration(probe_interval, name="probe_interval"),
            strict=strict,
        )
        counting = Counters() if statistics is None else check_policy("statistics", statistics)
        self._join(CoreSource(BuiltOnce(lambda: Core(tiers, options, counting))), "")
        self._begin()

    def _begin(self) -> None:
        """Open the tiers, where they are not opened by the first use."""

    @classmethod
    def _over(cls, source: CoreSource, prefix: str) -> Self:
        """A face of the core of `source`, for the keys that begin with `prefix`."""
        face = cls.__new__(cls)
        face._join(source, prefix)
        return face

    def _join(self, source: CoreSource, prefix: str) -> None:
        self._source = source
        self._prefix = prefix
        self._live = NO_NODES
        self._now = SYSTEM_CLOCK.monotonic
        self._view_hit: Callable[[], object] = _count_nothing
        source.add(self)

    def _rebind(self, source: HitSource | None) -> None:
        """Take the live nodes of `source` for the inlined hits."""
        if source is None:
            self._live = NO_NODES
            return
        self._now = source.monotonic
        self._hits = source.hits.counter
        self._live = NO_NODES if self._prefix else source.live
        self._view_hit = source.hits.of_view(self._prefix) if self._prefix else _count_nothing

    @property
    def name(self) -> str:
        """The namespace, with the views under it: `default`, or `default/reports`."""
        core = self._source.core()
        return "/".join([core.stack.options.namespace, *self._views()])

    def _views(self) -> list[str]:
        return [each for each in self._prefix.split(VIEW_SEPARATOR) if each]

    def _call_at_close(self, stop: Callable[[], object]) -> None:
        """Have `stop`, which must not raise, called when the cache is closed."""
        self._source.core().at_close.append(stop)

    @property
    def codec(self) -> Codec:
        """The codec of this cache. `cache.codec.registry.register(…)` adds a type."""
        return self._source.core().stack.codec

    @property
    def staleness_bound(self) -> float:
        """Seconds for which a value may still be served here after it was changed elsewhere.

        Counted from the moment the change is in a tier that both share; 0.0 where no tier stands
        above a shared one, `inf` where nothing bounds it.
        """
        return self._source.core().stack.logs.staleness_bound_s

    def namespace(self, name: str) -> Self:
        """A view with keys of its own, in the same tiers, with the same settings and statistics.

        Args:
            name: Letters, digits, `_`, `-` and `.`, at most 64 of them.
        """
        check_namespace(name)
        separator = VIEW_SEPARATOR
        return self._over(self._source, f"{self._prefix}{separator}{name}{separator}")

    def _function_hits(self, name: str) -> FunctionHits:
        """The nodes and the counter for the inlined hits of a cached function.

        Args:
            name: The function's name; its keys are this, a colon and a digest.
        """
        reader = FunctionHits(name, self._prefix)
        self._source.add(reader)
        return reader

    def __repr__(self) -> str:
        core = self._source.current
        if core is None:
            view = "/".join(self._views())
            return f"<{type(self).__name__}{view and ' ' + view}: not built yet>"
        tiers = ", ".join([level.name for level in core.stack.levels])
        return f"<{type(self).__name__} {self.name}: {tiers}>"

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Raise: a cache is not a decorator."""
        msg = "a cache is not a decorator or function: write @cache.cached, such as @tiered.cached"
        raise ConfigurationError(msg)

    def _to_set(
        self,
        stack: Stack,
        key: str,
        value: Any,
        ttl: TTL,
        tags: Iterable[str],
        durability: str | None,
    ) -> KeyedPlan:
        full, terms = self._full(key), terms_of(stack, ttl, tags)
        return KeyedPlan(
            [full], self._set(stack, {full: value}, terms, level_of(durability, stack.facts))
        )

    def _set(self, stack: Stack, values: Mapping[str, Any], *arguments: Any) -> Plan[WriteResult]:
        results = yield from store(stack, values, *arguments)
        (result,) = results.values()
        return result

    def _to_set_many(
        self,
        stack: Stack,
        values: Mapping[str, Any],
        ttl: TTL,
        tags: Iterable[str],
        durability: str | None,
    ) -> KeyedPlan:
        full = self._full_keys(values)
        named = {key: values[self._short(key)] for key in full}
        terms = terms_of(stack, ttl, tags)
        return KeyedPlan(
            full, self._set_many(stack, named, terms, level_of(durability, stack.facts))
        )

    def _set_many(self, stack: Stack, *arguments: Any) -> Plan[dict[str, WriteResult]]:
        results = yield from store(stack, *arguments)
        return {self._short(key): result for key, result in results.items()}

    def _to_delete(self, stack: Stack, key: str) -> KeyedPlan:
        full = self._full(key)
        return KeyedPlan([full], delete(stack, [full]))

    def _to_delete_many(self, stack: Stack, keys: Iterable[str]) -> KeyedPlan:
        full = self._full_keys(keys)
        return KeyedPlan(full, delete(stack, full))

    def _to_touch(self, stack: Stack, key: str, ttl: Duration | None) -> KeyedPlan:
        lifetime_s = parse_lifetime(ttl)
        full = self._full(key)
        return KeyedPlan([full], touch(stack, full, lifetime_s, stack.clock.wall()))

    def _to_clear(self, stack: Stack, prefix: str, progress: Progress | None) -> KeyedPlan:
        return KeyedPlan([], clear(stack, self._full_prefix(prefix), progress))

    def _to_invalidate_tags(self, stack: Stack, tags: Iterable[str]) -> KeyedPlan:
        names = sorted({check_key(tag) for tag in tags})
        return KeyedPlan(tag_keys(names), invalidate_tags(stack, names))

    def _walk(self, core: Core, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix` and that some tier holds, each once."""
        seen: set[str] = set()
        start = len(self._prefix)
        for level in core.stack.levels:
            for key in level.walk(prefix):
                if key not in seen and not key.startswith(VIEW_SEPARATOR, start):
                    seen.add(key)
                    yield key[start:]
        core.stack.events.emit()

    def _hit_in_view(self, core: Core, key: str) -> Any:
        value = core.hits.read(core.live, key)
        if value is not MISSING:
            self._view_hit()
        return value

    def _full(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _full_prefix(self, prefix: str) -> str:
        return self._prefix + check_prefix(prefix)

    def _full_keys(self, keys: Iterable[str]) -> list[str]:
        if isinstance(keys, str):
            msg = "keys must be several keys, not one string: write [key]"
            raise InvalidKeyError(msg)
        unique = dict.fromkeys([check_key(key) for key in keys])
        return [self._prefix + key for key in unique]

    def _short(self, key: str) -> str:
        return key[len(self._prefix) :]


# `inspect.signature` and `help` would show the arguments of `__new__` instead.
_INIT = inspect.signature(Face.__init__)
Face.__signature__ = _INIT.replace(
    parameters=list(_INIT.parameters.values())[1:], return_annotation=inspect.Signature.empty
)
_OPTIONS = frozenset(Face.__signature__.parameters)


def _unknown_option(face: str, name: str) -> ConfigurationError:
    remedy = _OPTIONS_OF_CALLS.get(name) or suggestion(name, _OPTIONS)
    if not remedy:
        remedy = f"expected one of {', '.join(Face.__signature__.parameters)}"
    return ConfigurationError(f"{face}() has no option {name!r}: {remedy}")


def _chosen(promotion: PromotionPolicy | None) -> PromotionPolicy | None:
    """The promotion policy; `None` for `Always`, which need not be asked."""
    if promotion is None or type(promotion) is Always:
        return None
    return check_policy("promotion", promotion)


def _count_nothing() -> None:
    """For a cache, whose hits are counted where they are read."""
