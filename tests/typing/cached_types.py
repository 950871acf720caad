"""Types of cached functions and methods, on both faces; type checkers check this file."""

from __future__ import annotations

from typing import assert_type

from tiered_cache import AsyncTieredCache, TieredCache, tiered


class Report:
    pass


def analyze(path: str, depth: int = 1) -> Report:
    raise NotImplementedError


async def analyze_later(path: str, depth: int = 1) -> Report:
    raise NotImplementedError


@tiered.cached
def measure(path: str) -> float:
    return 1.0


@tiered.cached(ttl="1d", tags={"x"}, version="2", ignore=["verbose"], scope="host")
def count(path: str, *, verbose: bool = False) -> int:
    return 1


@tiered.cached()
def name(path: str) -> str:
    return path


def calls_functions() -> None:
    assert_type(measure("a"), float)
    assert_type(count("a", verbose=True), int)
    assert_type(name(path="a"), str)
    assert_type(measure.__name__, str)
    measure(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    count("a", True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue] # must be refused
    tiered.cached(tll="1d")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue] # must be refused
    tiered.cached("1d")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType] # must be refused


def uses_attributes_of_functions(cache: TieredCache) -> None:
    plain = cache.cached(analyze)
    assert_type(plain("a", depth=2), Report)
    assert_type(plain.key_for("a"), str)
    assert_type(plain.refresh("a", depth=2), Report)
    assert_type(plain.invalidate("a", 3), bool)
    assert_type(plain.uncached("a"), Report)
    assert_type(count.key_for("a", verbose=True), str)
    assert_type(count.refresh("a"), int)
    assert_type(count.uncached("a"), int)
    plain(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    plain.key_for(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    plain.refresh()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue] # must be refused
    plain.invalidate("a", width=3)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue] # must be refused


def uses_methods(cache: TieredCache) -> None:
    class Linter:
        @cache.cached(ignore=["self"])
        def lint(self, path: str) -> list[str]:
            return [path]

        @cache.cached
        def fix(self, path: str) -> str:
            return path

        @staticmethod
        @cache.cached
        def parse(path: str) -> Report:
            return analyze(path)

    linter = Linter()
    assert_type(linter.lint("a"), list[str])
    assert_type(linter.fix("a"), str)
    assert_type(Linter.parse("a"), Report)
    assert_type(Linter.lint(linter, "a"), list[str])
    assert_type(Linter.lint.key_for(linter, "a"), str)
    assert_type(Linter.lint.refresh(linter, "a"), list[str])
    assert_type(Linter.lint.invalidate(linter, "a"), bool)
    assert_type(Linter.lint.uncached(linter, "a"), list[str])
    linter.lint(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    Linter.lint.key_for("a")  # type: ignore[call-arg,arg-type] # pyright: ignore[reportCallIssue] # must be refused


async def uses_async_functions(cache: AsyncTieredCache) -> None:
    plain = cache.cached(analyze_later)
    assert_type(await plain("a", depth=2), Report)
    assert_type(plain.key_for("a"), str)
    assert_type(await plain.refresh("a", depth=2), Report)
    assert_type(await plain.invalidate("a", 3), bool)
    assert_type(await plain.uncached("a"), Report)
    await plain(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    plain.key_for(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    cache.cached(analyze)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused

    @cache.cached(ttl="1d", tags={"x"})
    async def size(path: str) -> int:
        return 1

    assert_type(await size("a"), int)
    assert_type(await size.refresh("a"), int)
    assert_type(await size.uncached("a"), int)


async def uses_async_methods(cache: AsyncTieredCache) -> None:
    class Linter:
        @cache.cached(ignore=["self"])
        async def lint(self, path: str) -> list[str]:
            return [path]

    linter = Linter()
    assert_type(await linter.lint("a"), list[str])
    assert_type(Linter.lint.key_for(linter, "a"), str)
    assert_type(await Linter.lint.refresh(linter, "a"), list[str])
    assert_type(await Linter.lint.invalidate(linter, "a"), bool)
    assert_type(await Linter.lint.uncached(linter, "a"), list[str])
    await linter.lint(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
