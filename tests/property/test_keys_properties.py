"""Keys, for any arguments."""

from __future__ import annotations

import decimal
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache.keys import FunctionKey, arguments_key
from tiered_cache.keys.canonical import encode

if TYPE_CHECKING:
    import random

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.dates()
    | st.decimals()
)


def _is_hashable(value: Any) -> bool:
    return not (isinstance(value, decimal.Decimal) and value.is_snan())


HASHABLE: st.SearchStrategy[Any] = st.deferred(
    lambda: (
        ATOMS.filter(_is_hashable)
        | st.tuples(HASHABLE, HASHABLE)
        | st.frozensets(HASHABLE, max_size=3)
    )
)
VALUES = st.recursive(
    ATOMS,
    lambda each: (
        st.lists(each, max_size=5)
        | st.lists(each, max_size=5).map(tuple)
        | st.dictionaries(HASHABLE, each, max_size=5)
        | st.sets(HASHABLE, max_size=5)
    ),
    max_leaves=15,
)


def exact(value: Any) -> Any:
    """An object that is equal for two values exactly if their types and values are."""
    kind = type(value)
    if kind in (list, tuple):
        return (kind.__name__, *[exact(each) for each in value])
    if kind in (set, frozenset):
        return (kind.__name__, *sorted(repr(exact(each)) for each in value))
    if kind is dict:
        pairs = [(exact(key), exact(item)) for key, item in value.items()]
        return ("dict", *sorted(repr(each) for each in pairs))
    if kind is float:
        return ("float", b"nan" if value != value else struct.pack("<d", value))
    return (kind.__name__, repr(value))


def shuffled(value: Any, order: random.Random) -> Any:
    """A copy of `value`, with its dicts and sets made in another order."""
    if type(value) in (list, tuple):
        return type(value)([shuffled(each, order) for each in value])
    if type(value) in (set, frozenset):
        each = list(value)
        order.shuffle(each)
        return type(value)(each)
    if type(value) is dict:
        pairs = list(value.items())
        order.shuffle(pairs)
        return {key: shuffled(item, order) for key, item in pairs}
    return value


@given(VALUES, VALUES)
def test_encodings_are_equal_exactly_if_the_values_are(one: Any, two: Any) -> None:
    assert (encode(one) == encode(two)) == (exact(one) == exact(two))


@given(VALUES, VALUES)
def test_no_encoding_is_the_beginning_of_another(one: Any, two: Any) -> None:
    first, second = encode(one), encode(two)
    assert first == second or not second.startswith(first)


@pytest.mark.proves("keys/order")
@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_in_which_things_were_made_does_not_matter(
    value: Any, order: random.Random
) -> None:
    assert encode(shuffled(value, order)) == encode(value)


@pytest.mark.proves("keys/order")
@given(st.dictionaries(st.text(), VALUES, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_arguments_does_not_matter(
    arguments: dict[str, Any], order: random.Random
) -> None:
    pairs = list(arguments.items())
    order.shuffle(pairs)
    assert arguments_key("f", dict(pairs)) == arguments_key("f", arguments)


def function(a: Any, b: Any = 1, *, c: Any = None) -> None: ...


MAKE = FunctionKey(function)


@given(VALUES, VALUES, VALUES, st.integers(0, 2), st.randoms(use_true_random=False))
def test_positional_and_keyword_calls_have_the_same_key(
    a: Any, b: Any, c: Any, positional: int, order: random.Random
) -> None:
    by_keyword = [("a", a), ("b", b), ("c", c)][positional:]
    order.shuffle(by_keyword)
    assert MAKE((a, b)[:positional], dict(by_keyword)) == MAKE((a, b), {"c": c})
