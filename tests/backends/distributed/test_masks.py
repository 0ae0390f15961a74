"""The masks of a request that is shared: every row is somebody's own, once."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.backends.adapter import SeededDropout
from crucible.backends.distributed.masks import rows_of_shares
from crucible.backends.distributed.shares import shares

_LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@settings(max_examples=40)
@given(_LENGTHS, st.integers(1, 4), st.randoms(use_true_random=False))
def test_every_row_belongs_to_one_process(lengths: list[int], count: int, luck: object) -> None:
    """Of packed tokens, of the asked positions, and of padded sequences."""
    asked = [sorted({luck.randrange(length) for _ in range(length)}) for length in lengths]  # type: ignore[attr-defined]
    order = sorted(range(len(lengths)), key=lambda each: (-lengths[each], each))
    found = rows_of_shares(order, lengths, asked, shares(lengths, count))
    tokens, narrow = sum(max(each) + 1 for each in asked), sum(map(len, asked))
    assert sorted(row for own in found for row in own.tokens[1]) == list(range(tokens))
    assert sorted(row for own in found for row in own.asked[1]) == list(range(narrow))
    assert sorted(row for own in found for row in own.sequences[2]) == list(range(len(lengths)))
    assert all(own.tokens[0] == tokens and own.asked[0] == narrow for own in found)
    assert all(own.sequences[:2] == (len(lengths), max(lengths)) for own in found)


def test_a_share_drops_what_the_whole_drops() -> None:
    """Packed and padded, in the wide layers and in the last; the generator ends where it does for the whole."""
    order, lengths, asked = [1, 2, 0], [2, 4, 3], [[0, 1], [1, 3], [2]]
    places = [[1], [0, 2]]
    for shape, own_shape, is_narrow, own in (
        ((9, 5), (5, 5), False, [4, 5, 6, 7, 8]),  # sequences 1 | 2, 0: four rows, then three and two
        ((5, 5), (3, 5), True, [2, 3, 4]),
        ((3, 4, 5), (2, 3, 5), False, [1, 2]),
    ):
        whole, part = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
        expected, _ = SeededDropout(0.4, whole).keep(torch.zeros(shape))
        dropout = SeededDropout(0.4, part)
        dropout.rows, dropout.is_narrow = rows_of_shares(order, lengths, asked, places)[1], is_narrow
        kept, factor = dropout.keep(torch.zeros(own_shape))
        rows = expected[own] if len(shape) == 2 else expected[own][:, :3]
        assert torch.equal(kept, rows)
        assert 1.6 < factor < 1.7
        assert torch.equal(whole.get_state(), part.get_state())
