"""Ragged lists as rectangles, and grouping by length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crucible.backends.batching import groups_by_length, pad


def test_padding_right_and_left() -> None:
    """The mask is 1 on tokens and 0 on padding, on the side that was asked for."""
    ids, mask = pad([[5, 6, 7], [8]], 0, left=False, device="cpu")
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask is not None
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    ids, mask = pad([[5, 6, 7], [8]], 0, left=True, device="cpu")
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask is not None
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_a_batch_without_padding_needs_no_mask() -> None:
    """Equal lengths let attention take its plain causal path."""
    ids, mask = pad([[1, 2], [3, 4]], 0, left=True, device="cpu")
    assert ids.tolist() == [[1, 2], [3, 4]]
    assert mask is None


@given(
    st.lists(st.integers(1, 50), max_size=40),
    st.integers(1, 9),
    st.integers(1, 200),
)
def test_every_index_comes_once_and_limits_hold(lengths: list[int], max_rows: int, max_padded: int) -> None:
    """Groups partition the indices, longest first; only a single long sequence may exceed the padded size."""
    groups = list(groups_by_length(lengths, max_rows=max_rows, max_padded_tokens=max_padded))
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    flat = [lengths[index] for group in groups for index in group]
    assert flat == sorted(flat, reverse=True)
    for group in groups:
        assert len(group) <= max_rows
        assert len(group) == 1 or len(group) * lengths[group[0]] <= max_padded
