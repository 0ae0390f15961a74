"""Per-item score files: read with the place of every error, paired by id, failures by a named policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crucible.errors import StatsError, StoreError
from crucible.ir import Failed, Outcome, Scored, Skipped
from crucible.stats.bench.scores import FailurePolicy, failed_repeats, outcomes_of, read_items
from crucible.stats.comparing.sides import pair_scores, unpaired_scores, values_of

NAMES = ("base", "tuned")


def _write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _row(key: str, value: float) -> dict[str, Any]:
    return {"id": key, "input": "?", "output": "!", "scores": {"exact_match": {"kind": "scored", "value": value}}}


def test_outcomes_are_read_by_id_and_blank_lines_skipped(tmp_path: Path) -> None:
    """All three kinds of outcome; keys other than id and scores are ignored."""
    rows: list[Any] = [
        _row("a", 1.0),
        {"id": "b", "scores": {"exact_match": {"kind": "failed", "error": "timeout"}}},
        {"id": "c", "scores": {"exact_match": {"kind": "skipped", "reason": "too long"}}},
    ]
    path = _write(tmp_path / "base.jsonl", rows)
    path.write_text("\n" + path.read_text() + "\n")
    assert outcomes_of(read_items(path), "exact_match", "base") == {
        "a": Scored(1.0),
        "b": Failed("timeout"),
        "c": Skipped("too long"),
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "b", "scores"', r"base\.jsonl:2: not an item with scores: "),
        ('{"id": 3, "scores": {}}', r"base\.jsonl:2: not an item"),
        ('{"id": "b", "scores": {"exact_match": 1.0}}', r"base\.jsonl:2: not an item"),
        ('{"id": "a", "scores": {"exact_match": {"kind": "scored", "value": 0}}}', r'2: item "a" comes a second time'),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    """File and line are in the message: a torn or foreign file is not half read."""
    path = _write(tmp_path / "base.jsonl", [_row("a", 1.0)])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(StoreError, match=message):
        read_items(path)


def test_a_missing_file_is_a_store_error(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(StoreError, match=r"cannot read the scores in .*gone\.jsonl"):
        read_items(tmp_path / "gone.jsonl")


def test_an_empty_file_has_nothing_to_compare(tmp_path: Path) -> None:
    """No items is an error of the sample."""
    with pytest.raises(StatsError, match="holds no items"):
        read_items(_write(tmp_path / "base.jsonl", []))


def test_an_unknown_metric_names_the_known_ones(tmp_path: Path) -> None:
    """With the item that lacks it."""
    with pytest.raises(StatsError, match='base: item "a" has no metric "f1"; it has: exact_match'):
        outcomes_of(read_items(_write(tmp_path / "base.jsonl", [_row("a", 1.0)])), "f1", "base")


@pytest.fixture
def sides() -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """Five items: two scored on both sides, one failed on each side, one skipped."""
    base: dict[str, Outcome] = {
        "a": Scored(1.0),
        "b": Scored(0.0),
        "c": Failed("x"),
        "d": Scored(1.0),
        "e": Skipped("long"),
    }
    tuned: dict[str, Outcome] = {
        "e": Scored(1.0),
        "d": Failed("y"),
        "c": Scored(1.0),
        "b": Scored(1.0),
        "a": Scored(1.0),
    }
    return base, tuned


def test_exclude_leaves_the_pair_out_and_says_so(sides: tuple[dict[str, Outcome], dict[str, Outcome]]) -> None:
    """A pair with a failed or skipped side is left out; the counts are each side's own."""
    paired = pair_scores(*sides, FailurePolicy.EXCLUDE, NAMES)
    assert paired.baseline == {"a": 1.0, "b": 0.0}
    assert paired.treatment == {"a": 1.0, "b": 1.0}
    assert list(paired.baseline) == list(paired.treatment)
    assert paired.counts == {
        "n_attempted": {"baseline": 4, "treatment": 5},
        "n_scored": {"baseline": 3, "treatment": 4},
        "n_failed": {"baseline": 1, "treatment": 1},
        "n_skipped": {"baseline": 1, "treatment": 0},
    }
    assert paired.failures == "3 of 5 items were left out because a side failed or was skipped"


def test_zero_counts_failures_as_0_but_not_what_was_skipped(
    sides: tuple[dict[str, Outcome], dict[str, Outcome]],
) -> None:
    """The failed side is 0, the skipped item stays out, and both are said."""
    paired = pair_scores(*sides, FailurePolicy.ZERO, NAMES)
    assert paired.baseline == {"a": 1.0, "b": 0.0, "c": 0.0, "d": 1.0}
    assert paired.treatment == {"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0}
    assert paired.failures == (
        "1 of 5 items were left out because a side failed or was skipped and "
        "2 of 5 items count as 0 on a side that failed"
    )


def test_abort_names_the_side_and_the_items(sides: tuple[dict[str, Outcome], dict[str, Outcome]]) -> None:
    """Any failure ends it."""
    with pytest.raises(StatsError, match=r'1 items of base failed \("c"\) and the policy is "abort"'):
        pair_scores(*sides, FailurePolicy.ABORT, NAMES)


def test_abort_passes_where_nothing_failed() -> None:
    """And says nothing about failures."""
    column: dict[str, Outcome] = {"a": Scored(1.0), "b": Scored(0.0)}
    assert pair_scores(column, column, FailurePolicy.ABORT, NAMES).failures == ""


def test_items_on_one_side_only_are_named() -> None:
    """Different items cannot be paired; a few of them are named."""
    many: dict[str, Outcome] = {f"q{i}": Scored(1.0) for i in range(6)}
    with pytest.raises(StatsError, match='5 items are only in the scores of tuned: "q1", "q2", "q3" and 2 more'):
        pair_scores({"q0": Scored(1.0)}, many, FailurePolicy.EXCLUDE, NAMES)


def test_sides_of_different_items_keep_what_each_has(sides: tuple[dict[str, Outcome], dict[str, Outcome]]) -> None:
    """A failure on one side leaves the other side's scores alone; what is left out, or counted as 0, is said."""
    kept = unpaired_scores(*sides, FailurePolicy.EXCLUDE, NAMES)
    assert (list(kept.baseline), list(kept.treatment)) == (["a", "b", "d"], ["e", "c", "b", "a"])
    assert kept.failures == "3 of 10 items were left out because they failed or were skipped"
    zeroed = unpaired_scores(*sides, FailurePolicy.ZERO, NAMES)
    assert (zeroed.baseline["c"], zeroed.treatment["d"]) == (0.0, 0.0)
    assert "2 of 10 items failed and count as 0" in zeroed.failures
    assert kept.counts == pair_scores(*sides, FailurePolicy.EXCLUDE, NAMES).counts
    with pytest.raises(StatsError, match="1 items of base failed"):
        values_of(sides[0], FailurePolicy.ABORT, "base")


def test_repeats_count_once_with_their_mean(tmp_path: Path) -> None:
    """An item that was measured several times is one item; a failed repeat is out, a zero, or its failure."""
    failed = {"kind": "failed", "error": "no answer"}
    rows = [
        {"id": "a", "repeat": 0, "scores": {"f1": {"kind": "scored", "value": 1.0}}},
        {"id": "a", "repeat": 1, "scores": {"f1": failed}},
        {"id": "a", "repeat": 2, "scores": {"f1": {"kind": "scored", "value": 0.5}}},
        {"id": "b", "repeat": 0, "scores": {"f1": failed}},
        {"id": "b", "repeat": 1, "scores": {"f1": failed}},
    ]
    path = tmp_path / "repeated.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    items = read_items(path)
    assert list(items) == ["a", "b"]
    assert failed_repeats(items, "f1") == 1
    for policy, expected in ((FailurePolicy.EXCLUDE, 0.75), (FailurePolicy.ZERO, 0.5)):
        outcomes = outcomes_of(items, "f1", "base", policy)
        assert outcomes == {"a": Scored(expected), "b": Failed("no answer")}
    assert outcomes_of(items, "f1", "base", FailurePolicy.ABORT)["a"] == Failed("no answer")
    path.write_text("".join(json.dumps(row) + "\n" for row in (*rows, rows[2])))
    with pytest.raises(StoreError, match="comes a second time"):
        read_items(path)
