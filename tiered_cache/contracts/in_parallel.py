"""The methods for many keys, as several requests for one key at a time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache.errors import ConfigurationError, RecordRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tiered_cache.contracts.items import Absent, Found, ItemT, Put
    from tiered_cache.contracts.tier import Tier

__all__ = ["InParallel"]

KeyT = TypeVar("KeyT")
AnswerT = TypeVar("AnswerT")


class InParallel:
    """Makes the methods for many keys of those for one, with up to `n` requests at a time.

    For a store that has no request for many keys and takes long for one, such as an object store::

        class ObjectTier(BaseTier[bytes]):
            _many = InParallel(16)

            def get_many(self, keys):
                return self._many.get_many(self, keys)

    The caller's thread makes requests too, and the others end with the call. After an exception no
    further request begins, and the first one is raised once those under way have ended. A call takes
    as long as `len(keys) / n` requests, so `n` bounds the deadline. Thread-safe; `n` bounds the
    requests of each call, and callers at the same time make as many each.

    Args:
        n: The most requests at a time.

    Raises:
        ConfigurationError: `n` is not a whole number of at least 1.
    """

    def __init__(self, n: int) -> None:
        if type(n) is not int or n < 1:
            msg = f"n={n!r} of InParallel is not a whole number of at least 1"
            raise ConfigurationError(msg)
        self._n = n

    def get_many(self, tier: Tier[ItemT], keys: Sequence[str]) -> dict[str, Found[ItemT] | Absent]:
        """The answer of `tier.get` for each of `keys`."""
        return dict(zip(keys, self.each(tier.get, keys), strict=True))

    def put_many(self, tier: Tier[ItemT], puts: Mapping[str, Put[ItemT]]) -> set[str]:
        """Store each of `puts`. Returns the keys that were stored."""

        def put(key: str) -> bool:
            try:
                return tier.put(key, puts[key])
            except RecordRefusedError:
                return False

        keys = list(puts)
        return {key for key, stored in zip(keys, self.each(put, keys), strict=True) if stored}

    def delete_many(self, tier: Tier[Any], keys: Sequence[str]) -> int | None:
        """Remove each of `keys`. Returns the number that was there; `None` if one is unknown."""
        answers = self.each(tier.delete, keys)
        return None if None in answers else sum(map(bool, answers))

    def each(self, call: Callable[[str], AnswerT], keys: Sequence[str]) -> list[AnswerT]:
        """The answers of `call` for `keys`, in their order: for `heads`, a sweep and the like."""
        answers: dict[int, AnswerT] = {}
        errors: list[BaseException] = []
        waiting: Iterator[tuple[int, str]] = iter(list(enumerate(keys)))
        lock = threading.Lock()

        def work() -> None:
            while not errors:
                with lock:
                    index, key = next(waiting, (-1, ""))
                if index < 0:
                    return
                try:
                    answers[index] = call(key)
                except BaseException as error:
                    errors.append(error)

        threads = [
            threading.Thread(target=work, name="tiered-cache-request", daemon=True)
            for _ in range(min(self._n, len(keys)) - 1)
        ]
        started = [each for each in threads if _start(each)]
        work()
        for each in started:
            each.join()
        if errors:
            raise errors[0]
        return [answers[index] for index in range(len(keys))]


def _start(thread: threading.Thread) -> bool:
    """Start a thread; whether one more could be had. Without it the others do its work."""
    try:
        thread.start()
    except RuntimeError:  # the limit is reached, or the interpreter ends
        return False
    return True
