"""What holds for any two columns: symmetry of sign, probabilities, intervals that contain their estimate."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible import stats
from crucible.errors import DegenerateSample
from crucible.stats import TestResult

CORRECTIONS = ["none", "bonferroni", "holm", "hochberg", "bh", "by"]
score = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(-1e6, 1e6, allow_subnormal=False))
pairs = st.lists(st.tuples(score, score), min_size=2, max_size=40)
binary_pairs = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=60)
binary = st.lists(st.integers(0, 1), min_size=2, max_size=40)
column = st.lists(score, min_size=2, max_size=30)


def _check(result: TestResult, mirrored: TestResult) -> None:
    """One result and the one with the sides exchanged."""
    scale = max(1e-12, abs(result.interval.low), abs(result.interval.high))
    assert 0.0 <= result.p <= 1.0
    assert result.interval.low <= result.difference <= result.interval.high
    assert mirrored.p == pytest.approx(result.p, rel=1e-9, abs=1e-300)
    assert mirrored.difference == pytest.approx(-result.difference, abs=1e-9 * scale)
    assert mirrored.interval.low == pytest.approx(-result.interval.high, abs=1e-9 * scale)
    assert mirrored.interval.high == pytest.approx(-result.interval.low, abs=1e-9 * scale)
    assert mirrored.effect.value == pytest.approx(-result.effect.value, rel=1e-9, abs=1e-12)
    assert mirrored.verdict is result.verdict
    if result.effect.interval is not None:
        assert mirrored.effect.interval is not None
        assert result.effect.interval.low <= result.effect.interval.high
        assert mirrored.effect.interval.low == pytest.approx(-result.effect.interval.high, rel=1e-6, abs=1e-9)
    assert TestResult.from_dict(msgspec.json.decode(msgspec.json.encode(result.to_dict()))) == result
    assert result.wording.endswith(".")


@settings(deadline=None)
@given(pairs)
def test_paired(rows: list[tuple[float, float]]) -> None:
    """Any paired scores: a result with these properties, or a DegenerateSample from both sides."""
    x, y = zip(*rows, strict=True)
    try:
        result = stats.compare_paired(x, y)
    except DegenerateSample:
        with pytest.raises(DegenerateSample):
            stats.compare_paired(y, x)
        return
    _check(result, stats.compare_paired(y, x))


@settings(deadline=None)
@given(binary_pairs)
def test_paired_binary(rows: list[tuple[int, int]]) -> None:
    """Zeros and ones always give a result, and the differences lie in [-1, 1]."""
    x, y = zip(*rows, strict=True)
    result = stats.compare_paired(x, y)
    assert -1.0 <= result.interval.low < result.interval.high <= 1.0
    _check(result, stats.compare_paired(y, x))


@settings(deadline=None)
@given(binary, binary)
def test_independent_binary(x: list[int], y: list[int]) -> None:
    """Zeros and ones always give a result."""
    result = stats.compare(x, y)
    assert -1.0 <= result.interval.low < result.interval.high <= 1.0
    _check(result, stats.compare(y, x))


@settings(deadline=None)
@given(column, column)
def test_independent(x: list[float], y: list[float]) -> None:
    """Any scores: a result with these properties, or a DegenerateSample from both sides."""
    try:
        result = stats.compare(x, y)
    except DegenerateSample:
        with pytest.raises(DegenerateSample):
            stats.compare(y, x)
        return
    _check(result, stats.compare(y, x))


@settings(deadline=None)
@given(st.integers(0, 500).flatmap(lambda k: st.tuples(st.just(k), st.integers(max(1, k), 600))), st.floats(0.5, 0.999))
def test_intervals_of_one_proportion(counts: tuple[int, int], level: float) -> None:
    """Inside [0, 1], around the estimate, and the exact one is never narrower at both ends."""
    k, n = counts
    for interval in (stats.wilson(k, n, level=level), stats.clopper_pearson(k, n, level=level)):
        assert 0.0 <= interval.low <= k / n + 1e-15
        assert k / n - 1e-15 <= interval.high <= 1.0
        assert interval.low < interval.high


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 1.0), max_size=12), st.sampled_from(CORRECTIONS))
def test_corrections(p: list[float], method: str) -> None:
    """Never smaller, never above 1, order kept."""
    adjusted = stats.correct(p, method)
    assert all(raw <= new + 1e-12 and new <= 1.0 for raw, new in zip(p, adjusted, strict=True))
    by_raw = [new for _, new in sorted(zip(p, adjusted, strict=True))]
    assert by_raw == sorted(by_raw)
