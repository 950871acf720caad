"""Boards: notices are kept apart from records, and change atomically."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache.contracts.boards import MAX_NOTICE_BYTES
from tiered_cache.errors import RecordRefusedError
from tiered_cache.testing.thread_race import race
from tiered_cache.testing.tier_contract.hooks import TierContractBase

if TYPE_CHECKING:
    from tiered_cache.contracts import Board, Tier

__all__ = ["BoardContract"]

_LONG_S = 60.0
_THREADS = 16


class BoardContract(TierContractBase):
    """The promises of `tiered_cache.contracts.boards`; for tiers that offer one."""

    @pytest.fixture
    def board(self, tier: Tier[Any]) -> Board:
        return _board_of(tier)

    @pytest.fixture
    def other(self) -> Board:
        """The same board in another tier, as another process has it."""
        return _board_of(self.open_tier())

    def test_a_notice_is_read_by_all_as_it_was_written(self, board: Board, other: Board) -> None:
        assert board.put("a:1", bytes(range(256)), _LONG_S, new=True)
        (notice,) = other.read("a:")
        assert (notice.name, notice.data) == ("a:1", bytes(range(256)))
        assert 0 < notice.left_s <= _LONG_S
        assert list(other.names("")) == ["a:1"]

    def test_a_new_notice_takes_nobodys_place(self, board: Board, other: Board) -> None:
        assert board.put("a", b"first", _LONG_S, new=True)
        assert not other.put("a", b"second", _LONG_S, new=True)
        assert [each.data for each in board.read("")] == [b"first"]

    def test_a_notice_that_was_taken_down_is_not_replaced(self, board: Board, other: Board) -> None:
        assert not board.put("a", b"first", _LONG_S)
        assert board.put("a", b"first", _LONG_S, new=True)
        assert board.put("a", b"second", _LONG_S)
        other.remove(["a", "b"])
        assert not board.put("a", b"third", _LONG_S)
        assert list(board.read("")) == []

    def test_a_notice_that_ran_out_stays(self, board: Board) -> None:
        board.put("a", b"", 0.0, new=True)
        (notice,) = board.read("")
        assert notice.data == b""
        assert notice.left_s <= 0

    def test_only_the_prefix_is_given(self, board: Board) -> None:
        for name in ("a:2", "a:1", "b:1", "a*"):
            board.put(name, name.encode(), _LONG_S, new=True)
        assert sorted(board.names("a:")) == ["a:1", "a:2"]
        assert [each.name for each in board.read("a:")] == ["a:1", "a:2"]
        assert list(board.names("a*")) == ["a*"]

    def test_a_swap_is_done_where_all_is_as_expected(self, board: Board, other: Board) -> None:
        board.put("a", b"1", _LONG_S, new=True)
        board.put("b", b"2", _LONG_S, new=True)
        assert not board.swap({"a": b"1", "b": b"other"}, {"sum": b"3"})
        assert not board.swap({"a": b"1", "c": b""}, {"sum": b"3"})
        assert not board.swap({"a": b"1"}, {"b": b"taken"})
        assert sorted(board.names("")) == ["a", "b"]
        assert board.swap({"a": b"1", "b": b"2"}, {"sum": b"3"})
        assert [(each.name, each.data) for each in other.read("")] == [("sum", b"3")]
        assert other.swap({"sum": b"3"}, {"sum": b"4"})
        (notice,) = board.read("")
        assert notice.data == b"4"
        assert notice.left_s > _LONG_S

    def test_of_many_swaps_of_the_same_notice_one_is_done(self, board: Board) -> None:
        board.put("a", b"1", _LONG_S, new=True)
        done = race(_THREADS, lambda number: board.swap({"a": b"1"}, {f"{number}": b""}))
        assert sum(done) == 1

    def test_law_10_a_notice_is_bounded(self, board: Board) -> None:
        assert board.put("a", bytes(MAX_NOTICE_BYTES), _LONG_S, new=True)
        with pytest.raises(RecordRefusedError):
            board.put("a", bytes(MAX_NOTICE_BYTES + 1), _LONG_S)
        assert len(board.read("")[0].data) == MAX_NOTICE_BYTES

    def test_namespaces_have_boards_of_their_own(self, board: Board) -> None:
        board.put("a", b"", _LONG_S, new=True)
        assert list(_board_of(self.open_tier(f"{self.namespace}-2")).names("")) == []

    def test_a_clear_leaves_the_board(self, tier: Tier[Any], board: Board) -> None:
        board.put("a", b"", _LONG_S, new=True)
        tier.clear()
        assert list(board.names("")) == ["a"]
        self.check_scan(tier, [])


def _board_of(tier: Tier[Any]) -> Board:
    board = tier.offers.board
    assert board is not None
    return board
