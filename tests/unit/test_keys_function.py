"""Keys of calls: one key for all calls that bind the same values."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache import MemoryTier, TieredCache
from tiered_cache.errors import ConfigurationError, InvalidKeyError
from tiered_cache.keys import FunctionKey

if TYPE_CHECKING:
    from pathlib import Path


def plain(a: Any, b: Any = 2, *, c: Any = 3) -> None: ...


def simple(a: Any, b: Any = 2) -> None: ...


def positional_only(a: Any, /, b: Any = 2) -> None: ...


def variadic(a: Any = 1, *rest: Any, c: Any = 3, **options: Any) -> None: ...


def nothing() -> None: ...


def same(function: Any, *calls: tuple[tuple[Any, ...], dict[str, Any]], **options: Any) -> str:
    """The key that all `calls` share."""
    make = FunctionKey(function, **options)
    keys = {make(args, kwargs) for args, kwargs in calls}
    assert len(keys) == 1
    return keys.pop()


def test_every_way_to_write_a_call_has_the_same_key() -> None:
    one = same(
        plain,
        ((1,), {}),
        ((1, 2), {}),
        ((), {"a": 1}),
        ((), {"b": 2, "a": 1}),
        ((1,), {"c": 3}),
        ((1, 2), {"c": 3}),
        ((), {"c": 3, "b": 2, "a": 1}),
    )
    two = same(simple, ((1,), {}), ((1, 2), {}), ((1,), {"b": 2}), ((), {"b": 2, "a": 1}))
    three = same(positional_only, ((1,), {}), ((1, 2), {}), ((1,), {"b": 2}))
    assert len({one, two, three}) == 3


def test_variadic_arguments_are_told_apart() -> None:
    same(variadic, ((), {}), ((1,), {}), ((), {"a": 1, "c": 3}))
    same(variadic, ((1, 2), {"x": 1, "y": 2}), ((1, 2), {"y": 2, "x": 1}))
    make = FunctionKey(variadic)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}), ((1, 2), {}), ((1, 2, 3), {}), ((1, (2, 3)), {}), ((1,), {"b": 2}),
        ((1,), {"options": {"b": 2}}), ((1,), {"rest": (2,)}), ((1, 2), {"c": 4}),
    ]  # fmt: skip
    assert len({make(args, kwargs) for args, kwargs in calls}) == len(calls)


def test_different_values_have_different_keys() -> None:
    make = FunctionKey(plain)
    values = [1, 1.0, True, "1", b"1", (1,), [1], None, -0.0, 0.0, 0, {}, set(), ()]
    assert len({make((value,), {}) for value in values}) == len(values)
    assert make((1, 2), {}) != make((2, 1), {})


def test_the_prefix_is_the_functions_name() -> None:
    make = FunctionKey(plain)
    assert make.prefix == f"{plain.__module__}.plain"
    assert make((1,), {}).startswith(f"{make.prefix}:")
    assert FunctionKey(nothing)((), {}) == FunctionKey(nothing)((), {})


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((1, 2, 3), {}),
        ((1,), {"a": 1}),
        ((1,), {"d": 1}),
        ((1, 2), {"b": 2}),
        ((), {"b": 1, "d": 2}),
    ],
)
def test_calls_that_do_not_fit_are_type_errors_as_they_would_be(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        plain(*args, **kwargs)
    with pytest.raises(TypeError) as caught:
        FunctionKey(plain)(args, kwargs)
    assert not isinstance(caught.value, InvalidKeyError)


def test_positional_only_parameters_take_no_keyword() -> None:
    with pytest.raises(TypeError):
        FunctionKey(positional_only)((), {"a": 1})


def test_the_version_is_part_of_the_key() -> None:
    keys = {FunctionKey(plain, version=version)((1,), {}) for version in ("", "1", "2")}
    assert len(keys) == 3


@pytest.mark.parametrize("version", [2, None, b"2", 1.5])
@pytest.mark.parametrize("key", [None, str])
def test_a_version_that_is_no_text_is_refused_by_the_decorator(version: Any, key: Any) -> None:
    said = rf"^version={version!r} must be text, such as version='2'$"
    with pytest.raises(ConfigurationError, match=said):
        FunctionKey(plain, version=version)
    with TieredCache([MemoryTier()]) as cache, pytest.raises(ConfigurationError, match=said):
        cache.cached(key=key, version=version)(simple)


@pytest.mark.parametrize("ignore", [5, None, [["a"]]])
def test_ignored_parameters_that_are_no_names_are_refused(ignore: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^ignore=.* must be names of parameters"):
        FunctionKey(plain, ignore=ignore)


def test_ignored_parameters_are_not_part_of_the_key() -> None:
    same(plain, ((1,), {}), ((1, object()), {}), ((1,), {"b": 5}), ignore=("b",))
    same(plain, ((1,), {}), ((1, 2), {"c": 5}), ((1, 5), {}), ignore=["c", "b"])
    same(plain, ((1,), {"c": 5}), ((1,), {}), ignore="c")
    make = FunctionKey(plain, ignore=["b"])
    assert make((1, 2), {}) != make((2, 2), {})


def test_unknown_parameters_can_not_be_ignored() -> None:
    with pytest.raises(ConfigurationError, match=r"names z, .*the parameters a, b, c"):
        FunctionKey(plain, ignore=["a", "z"])


class Analyzer:
    def run(self, a: Any, b: Any = 2) -> None: ...

    @classmethod
    def build(cls, a: Any) -> None: ...

    @staticmethod
    def helper(a: Any) -> None: ...


class SubAnalyzer(Analyzer):
    pass


def test_the_object_of_a_method_is_an_argument_that_can_be_ignored() -> None:
    one, two = Analyzer(), Analyzer()
    key = same(
        Analyzer.run,
        ((one, 1), {}),
        ((two, 1, 2), {}),
        ((one,), {"b": 2, "a": 1}),
        ignore=["self"],
    )
    assert key.startswith(f"{Analyzer.__module__}.Analyzer.run:")
    with pytest.raises(InvalidKeyError, match="'self'"):
        FunctionKey(Analyzer.run)((one, 1), {})


def test_class_methods_of_different_classes_are_told_apart() -> None:
    keys = {FunctionKey(cls.build)((1,), {}) for cls in (Analyzer, SubAnalyzer)}
    assert len(keys) == 2
    assert FunctionKey(Analyzer.helper)((1,), {})


class Callable:
    def __call__(self, a: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda a: a, "use def"),
        (functools.partial(plain, 1), "wrap it in a def"),
        (Callable(), "wrap it in a def"),
        (Analyzer().run, "bound to an object"),
        ([].append, "wrap it in a def"),
        ({}.get, "wrap it in a def"),
    ],
)
def test_functions_that_nothing_identifies_are_refused(function: Any, said: str) -> None:
    with pytest.raises(InvalidKeyError, match=said):
        FunctionKey(function)


def test_wrappers_get_the_key_of_the_wrapped_function() -> None:
    @functools.wraps(plain)
    def wrapper(*args: Any, **kwargs: Any) -> None: ...

    assert FunctionKey(wrapper)((), {"a": 1}) == FunctionKey(plain)((1,), {})


def test_built_in_functions_have_keys() -> None:
    assert FunctionKey(len)(([1],), {}) != FunctionKey(len)(([2],), {})


SCRIPT = """
import multiprocessing, sys
from tiered_cache.keys import FunctionKey
def analyze(x): ...
class Config: ...
def key(_=None):
    return FunctionKey(analyze)((Config,), {})
if __name__ == "__main__":
    print(key())
    if "spawn" in sys.argv:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.map(key, [None])[0])
"""


_PATHS = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]


def run(*command: str, cwd: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(cwd), *_PATHS])},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.proves("law-12/spawn")
def test_a_script_and_the_processes_it_spawns_agree(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    keys = run("script.py", "spawn", cwd=tmp_path)
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_two_scripts_do_not_share_keys(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(SCRIPT)
    one, two = run("one.py", cwd=tmp_path), run("two.py", cwd=tmp_path)
    assert one != two
    assert one == run("one.py", cwd=tmp_path)
    assert one[0].startswith("__main__.analyze:")


def test_a_module_has_the_same_keys_when_it_is_run(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(SCRIPT)
    imported = run("-c", "import module; print(module.key())", cwd=tmp_path)
    assert run("-m", "module", cwd=tmp_path) == imported
    assert run("-m", "module", "spawn", cwd=tmp_path) == imported * 2
    assert imported[0].startswith("module.analyze:")


def _made_for(limit: object, seen: list[int]) -> Any:
    def longer_than(text: str) -> int:
        seen.append(len(text))
        return len(text) - int(str(limit))

    return longer_than


@pytest.mark.proves("keys/closures")
def test_plain_values_that_a_function_closes_over_are_part_of_the_key() -> None:
    make = [FunctionKey(_made_for(limit, [])) for limit in (1, 1.0, "1", (1, "x"), plain, simple)]
    assert len({each(("text",), {}) for each in make}) == len(make)
    assert FunctionKey(_made_for(1, []))(("text",), {}) == make[0](("text",), {})


def test_closure_values_without_a_stable_key_are_left_out() -> None:
    seen = [1]
    keys = {FunctionKey(_made_for(object(), each))(("text",), {}) for each in ([], seen)}
    assert len(keys) == 1

    def factorial(number: int) -> int:  # closes over itself
        return number * factorial(number - 1) if number else 1

    assert FunctionKey(factorial)((3,), {}) == FunctionKey(factorial)((3,), {})
