"""`cached`: functions whose results are cached."""

# pyright: reportPrivateUsage=false, reportUnnecessaryIsInstance=false
# The decorators use private members of the caches, and check arguments that types cannot.
from __future__ import annotations

import functools
import inspect
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    cast,
    overload,
)

from tiered_cache.codec import RecordCodec
from tiered_cache.codec.annotations import register_results
from tiered_cache.errors import ConfigurationError, InvalidKeyError
from tiered_cache.keys import FunctionKey, arguments_key
from tiered_cache.keys.function import check_version, closed_over
from tiered_cache.keys.qualified_names import module_identity
from tiered_cache.options import Scope
from tiered_cache.units import parse_lifetime

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from tiered_cache._face.decorated import AwaitedCache, SyncCache
    from tiered_cache.contracts import Codec
    from tiered_cache.units import TTL

__all__ = ["AsyncCached", "Cached", "async_cached", "cached"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_MAX_MEMOS = 16_384
"""Keys that a function remembers by its raw argument. Beyond that it starts over."""


class Cached(Protocol[P, R_co]):
    """A function whose results are cached."""

    __name__: str
    __qualname__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """The function's result, cached or computed."""
        ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self: Cached[Concatenate[Any, Q], R], instance: object, owner: type | None = None, /
    ) -> Callable[Q, R]: ...

    def key_for(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key under which the result of this call is stored."""
        ...

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Remove the result of this call from every tier. Returns whether any held it."""
        ...

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Compute the result of this call and store it, even where a fresh one is stored."""
        ...

    @property
    def uncached(self) -> Callable[P, R_co]:
        """The function itself."""
        ...


class AsyncCached(Protocol[P, R_co]):
    """An async function whose results are cached."""

    __name__: str
    __qualname__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """The function's result, cached or computed."""
        ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...
    @overload
    def __get__(
        self: AsyncCached[Concatenate[Any, Q], R], instance: object, owner: type | None = None, /
    ) -> Callable[Q, Coroutine[Any, Any, R]]: ...

    def key_for(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key under which the result of this call is stored."""
        ...

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, bool]:
        """Remove the result of this call from every tier. Returns whether any held it."""
        ...

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Compute the result of this call and store it, even where a fresh one is stored."""
        ...

    @property
    def uncached(self) -> Callable[P, Coroutine[Any, Any, R_co]]:
        """The function itself."""
        ...


def cached(
    cache: SyncCache,
    function: Callable[P, R],
    *,
    ttl: TTL = None,
    tags: Iterable[str] = (),
    key: Callable[P, str] | None = None,
    version: str = "",
    ignore: Iterable[str] = (),
    scope: str | None = None,
) -> Cached[P, R]:
    """`function`, with its results cached.

    The key is the function's qualified name and a digest of its arguments, the same in every
    process. `1`, `1.0` and `True` are different keys; the order of keyword arguments and of
    dictionaries does not matter. An argument without a stable encoding raises `InvalidKeyError`,
    which names it. The object of a method is an argument like the others: give it
    `__cache_key__()`, or ignore it. Hashable values with a stable encoding that the function closes
    over are part of the key too.

    The first call registers the classes in the return annotation, and those of their fields, with
    the cache's codec, so that records hold their objects without a pickle.

    Args:
        cache: The cache.
        function: A function or method; not an async function or generator function.
        ttl: The lifetime of a result.
        tags: The tags of a result.
        key: Makes, from the arguments, the text that stands for them in the key.
        version: A part of the key; change it when the function's results change.
        ignore: The names of arguments that don't change the result.
        scope: The scope of the computation, as for `TieredCache.get_or_compute`.

    Raises:
        ConfigurationError: `function` can't be cached, or an option is wrong.
        InvalidDurationError: `ttl` is not a lifetime.

    Cost: a hit of a function of one `str` argument in a memory tier needs no digest, as long as
    the function has seen the argument before.
    """
    _check_function(function)
    _check_options(ttl, scope, key)
    ignored = tuple(ignore)
    tags = frozenset(tags) if not isinstance(tags, str) else tags
    make_key, prefix = _key_maker(function, key, version, ignored)
    hits = cache._function_hits(prefix)  # noqa: SLF001 - the inlined hit
    memo: dict[str, str] = {}
    ready_for: Codec | None = None

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal ready_for
        if cache.codec is not ready_for:
            ready_for = _prepare(cache.codec, function)
        full = make_key(args, kwargs)
        if len(args) == 1 and not kwargs and type(args[0]) is str:
            if len(memo) >= _MAX_MEMOS:
                memo.clear()
            memo[args[0]] = full
        node = hits.live.get(full)
        if node is not None and hits.now() < (held := node.value).until:
            node.visits += 1
            next(hits.counter)
            kept: R = held.value
            return kept
        if args or kwargs:
            return cache.get_or_compute(
                full, functools.partial(function, *args, **kwargs), ttl=ttl, tags=tags, scope=scope
            )
        return cache.get_or_compute(full, function, ttl=ttl, tags=tags, scope=scope)

    def hit_or_call(argument: Any) -> Any:
        if argument.__class__ is str:  # faster than type()
            try:
                node = hits.live[memo[argument]]
                if hits.now() < (held := node.value).until:
                    node.visits += 1
                    next(hits.counter)
                    return held.value
            except KeyError:
                pass
        return call(argument)  # type: ignore[call-arg] # it has one parameter

    one = _only_parameter(function)
    wrapper: Any = call if one is None else _with_parameter(hit_or_call, one)
    functools.update_wrapper(wrapper, function)

    def refresh(*args: P.args, **kwargs: P.kwargs) -> R:
        _prepare(cache.codec, function)
        compute = functools.partial(function, *args, **kwargs)
        return cache.get_or_compute(make_key(args, kwargs), compute, ttl, tags, scope, force=True)

    wrapper.key_for = _of_arguments(make_key, str)
    wrapper.refresh = refresh
    wrapper.invalidate = _of_arguments(make_key, cache.delete)
    wrapper.uncached = function
    return cast("Cached[P, R]", wrapper)


def async_cached(
    cache: AwaitedCache,
    function: Callable[P, Coroutine[Any, Any, R]],
    *,
    ttl: TTL = None,
    tags: Iterable[str] = (),
    key: Callable[P, str] | None = None,
    version: str = "",
    ignore: Iterable[str] = (),
    scope: str | None = None,
) -> AsyncCached[P, R]:
    """`function`, an `async def`, with its results cached.

    Arguments and keys are those of `cached`: an async function shares its results with a plain
    function of the same name.
    """
    _check_function(function, awaited=True)
    _check_options(ttl, scope, key)
    tags = frozenset(tags) if not isinstance(tags, str) else tags
    make_key, prefix = _key_maker(function, key, version, tuple(ignore))
    hits = cache._function_hits(prefix)  # noqa: SLF001 - for this module
    memo: dict[str, str] = {}
    ready_for: Codec | None = None

    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal ready_for
        plain = len(args) == 1 and not kwargs and type(args[0]) is str
        full = memo.get(cast("str", args[0])) if plain else None
        core = cache._source.current  # noqa: SLF001 - the inlined hit
        if core is None or core.stack.codec is not ready_for:
            ready_for = _prepare((await cache._side()).stack.codec, function)  # noqa: SLF001
        if full is None:
            full = make_key(args, kwargs)
            if plain:
                if len(memo) >= _MAX_MEMOS:
                    memo.clear()
                memo[cast("str", args[0])] = full
        node = hits.live.get(full)
        if node is not None and hits.now() < (held := node.value).until:
            node.visits += 1
            next(hits.counter)
            kept: R = held.value
            return kept
        compute = functools.partial(function, *args, **kwargs)
        return await cache.get_or_compute(full, compute, ttl=ttl, tags=tags, scope=scope)

    async def invalidate(*args: P.args, **kwargs: P.kwargs) -> bool:
        return await cache.delete(make_key(args, kwargs))

    wrapper: Any = functools.update_wrapper(call, function)

    async def refresh(*args: P.args, **kwargs: P.kwargs) -> R:
        _prepare((await cache._side()).stack.codec, function)  # noqa: SLF001
        compute = functools.partial(function, *args, **kwargs)
        full = make_key(args, kwargs)
        return await cache.get_or_compute(full, compute, ttl, tags, scope, force=True)

    wrapper.key_for = _of_arguments(make_key, str)
    wrapper.refresh = refresh
    wrapper.invalidate = invalidate
    wrapper.uncached = function
    return cast("AsyncCached[P, R]", wrapper)


def _check_options(ttl: TTL, scope: str | None, key: Callable[..., str] | None) -> None:
    """Raise for a wrong option when decorating, not at the first call."""
    if key is not None and not callable(key):
        msg = (
            f"key={key!r} is not a function: expected a function that makes a string from the "
            "arguments; write key=lambda name: name, for example"
        )
        raise ConfigurationError(msg)
    if scope is not None:
        Scope.of(scope)
    if ttl is not None and not callable(ttl):
        parse_lifetime(ttl)


def _check_function(function: Callable[..., Any], *, awaited: bool = False) -> None:
    if isinstance(function, classmethod | staticmethod | property):
        kind = type(function).__name__  # pyright: ignore[reportUnknownArgumentType] # a decorator of any function
        msg = f"A {kind} can't be cached: put the cache's decorator below @{kind}"
        raise ConfigurationError(msg)
    if not callable(function):
        msg = f'cached() takes a function, not {function!r}; options have names, such as @cache.cached(ttl="1d")'
        raise ConfigurationError(msg)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        msg = f"{function.__qualname__} is a generator function: its result can be used only once, so it can't be cached"
        raise ConfigurationError(msg)
    if inspect.iscoroutinefunction(function) and not awaited:
        msg = f"{function.__qualname__} is an async function, which only AsyncTieredCache can await: use AsyncTieredCache.of(cache).cached"
        raise ConfigurationError(msg)
    if awaited and not inspect.iscoroutinefunction(function):
        msg = f"{function.__qualname__} is not an async function, so there is nothing to await: use cache.sync.cached"
        raise ConfigurationError(msg)


def _prepare(codec: Codec, function: Callable[..., Any]) -> Codec:
    """Register the classes in the return annotation of `function`."""
    if isinstance(codec, RecordCodec):
        register_results(codec.registry, function)
    return codec


def _key_maker(
    function: Callable[..., Any],
    key: Callable[..., str] | None,
    version: str,
    ignored: tuple[str, ...],
) -> tuple[Callable[[tuple[Any, ...], dict[str, Any]], str], str]:
    """The function that makes keys, and their common beginning."""
    if key is None:
        maker = FunctionKey(function, version=version, ignore=ignored)
        return maker, maker.prefix
    namespace = getattr(function, "__globals__", {})
    module, rest = module_identity(function.__module__, namespace)
    prefix = f"{module}.{function.__qualname__}"
    always: dict[str, object] = {"module": rest, "version": check_version(version)}
    if around := closed_over(function):
        always["closed over"] = around

    def given_key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        text = key(*args, **kwargs)
        if not isinstance(text, str):
            msg = f"key= of {prefix} must return a string, not {type(text).__name__}: {text!r}"
            raise InvalidKeyError(msg)
        return arguments_key(prefix, {**always, "key": text})

    return given_key, prefix


def _of_arguments(
    make_key: Callable[[tuple[Any, ...], dict[str, Any]], str], use: Callable[[str], R]
) -> Callable[..., R]:
    """A function that calls `use` with the key of its arguments."""

    def of_arguments(*args: Any, **kwargs: Any) -> R:
        return use(make_key(args, kwargs))

    return of_arguments


def _only_parameter(function: Callable[..., Any]) -> inspect.Parameter | None:
    """The only parameter of a function, if it is taken by position or name; else `None`."""
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 1 or parameters[0].kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        return None
    return parameters[0]


def _with_parameter(wrapper: Any, parameter: inspect.Parameter) -> Any:
    """`wrapper`, with the name and default of `parameter` for its one parameter.

    A wrapper with `*args, **kwargs` would build a tuple and a dictionary for each call, which costs
    as much as the hit.
    """
    code = wrapper.__code__
    names = (parameter.name, *code.co_varnames[1:])
    wrapper.__code__ = code.replace(co_varnames=names)
    if parameter.default is not inspect.Parameter.empty:
        wrapper.__defaults__ = (parameter.default,)
    return wrapper
