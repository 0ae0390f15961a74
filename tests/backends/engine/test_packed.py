"""Packing: every token once, no filler in it, and runs that cover the sequences."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crucible.backends.engine.packed import pack


def test_sequences_lie_behind_each_other() -> None:
    """Tokens and positions are the sequences' own; asked rows point into them."""
    packed = pack([[5, 6, 7], [8, 9]], [[6, 7, 8], [9, 1]], [[2], [0, 1]], width=32, device="cpu")
    assert packed.tokens.tolist() == [5, 6, 7, 8, 9]
    assert packed.positions.tolist() == [0, 1, 2, 0, 1]
    assert packed.asked is not None
    assert packed.asked.tolist() == [2, 3, 4]
    assert packed.targets.tolist() == [8, 9, 1]
    assert packed.longest == 3


def test_what_nobody_asks_for_is_left_out() -> None:
    """Tokens behind a sequence's last asked position change nothing that is asked, so they are not computed."""
    packed = pack([[5, 6, 7], [8, 9], [1, 2]], [[6, 7, 8], [9, 1], [2, 3]], [[0], [], [0, 1]], width=32, device="cpu")
    assert packed.tokens.tolist() == [5, 1, 2]
    assert packed.asked is None
    assert packed.targets.tolist() == [6, 2, 3]


def test_equal_lengths_share_a_run_without_filler() -> None:
    """A rectangular batch is one call of the attention kernel on views."""
    (run,) = pack([[1, 2], [3, 4]], [[2, 3], [4, 5]], [[0, 1], [0, 1]], width=32, device="cpu").runs
    assert (run.start, run.tokens, run.rows, run.length, run.filled, run.mask) == (0, 4, 2, 2, None, None)


def test_long_sequences_of_other_lengths_go_alone() -> None:
    """Where filler would cost more than a call, there is none."""
    rows = [[1] * 40, [1] * 20]
    wide = pack(rows, rows, [[39], [19]], width=10**6, device="cpu").runs
    assert [(run.rows, run.length, run.filled) for run in wide] == [(1, 40, None), (1, 20, None)]
    narrow = pack(rows, rows, [[39], [19]], width=8, device="cpu").runs
    assert [(run.rows, run.length) for run in narrow] == [(2, 40)]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.sampled_from([8, 10**4, 10**6]))
def test_runs_cover_every_token_once(lengths: list[int], width: int) -> None:
    """Runs follow each other; what fills them up is thrown away again."""
    rows = [list(range(length)) for length in lengths]
    packed = pack(rows, rows, [[length - 1] for length in lengths], width=width, device="cpu")
    assert sum(run.tokens for run in packed.runs) == sum(lengths)
    start = 0
    for run in packed.runs:
        assert run.start == start
        start += run.tokens
        if run.filled is not None and run.real is not None and run.mask is not None:
            assert run.filled[run.real].tolist() == list(range(run.tokens))
            assert int(run.mask.sum()) == run.tokens
