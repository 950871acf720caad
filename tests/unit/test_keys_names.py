"""The rules for keys and namespaces."""

from __future__ import annotations

import enum
from typing import Any

import pytest

from tiered_cache.errors import InvalidKeyError
from tiered_cache.keys import MAX_KEY_BYTES, check_key, check_namespace


class Color(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize("key", ["a", "é", "\0", "a\x1fb", " ", "x" * MAX_KEY_BYTES, "é" * 32_768])
def test_usable_keys_are_given_back(key: str) -> None:
    assert check_key(key) is key


def test_a_string_of_another_class_becomes_a_string() -> None:
    checked = check_key(Color.RED)
    assert type(checked) is str
    assert checked == "red"


@pytest.mark.proves("keys/valid-key")
@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "must not be empty"),
        (None, "not NoneType"),
        (1, "not int"),
        (b"a", "not bytes"),
        (("a",), "not tuple"),
        ("x" * (MAX_KEY_BYTES + 1), "65537"),
        ("é" * 32_769, "65538"),
        ("x" * 10_000_000, "use a digest"),
        ("\x1fa", "U\\+001F"),
        ("a\udcff", "surrogates"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_other_keys_are_refused_with_a_short_message(key: Any, said: str) -> None:
    with pytest.raises(InvalidKeyError, match=said) as caught:
        check_key(key)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["a", "A-b_c.9", "x" * 64])
def test_usable_namespaces_are_given_back(name: str) -> None:
    assert check_namespace(name) == name


@pytest.mark.proves("keys/valid-namespace")
@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "é", "a:b", "a\n", "a/b", "*", None, 1])
def test_other_namespaces_are_refused(name: Any) -> None:
    with pytest.raises(InvalidKeyError, match="1 to 64"):
        check_namespace(name)
