"""Counts of tokens."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.telemetry.streaming.tokens import TokenTotals


def totals(*many: dict[str, Any]) -> TokenTotals:
    """Return the totals of records' fields."""
    tokens = TokenTotals()
    for fields in many:
        tokens.add(fields)
    return tokens


def test_tokens_are_counted_exactly() -> None:
    """By kind, with means over the records that told any."""
    tokens = totals(
        {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
        {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24},
        {"model": "m"},
    )
    assert tokens.summary().to_dict() == {
        "count": 2,
        "total_prompt": 30,
        "total_completion": 7,
        "total": 37,
        "mean_prompt": 15.0,
        "mean_completion": 3.5,
        "mean_total": 18.5,
    }


def test_a_total_is_derived_where_none_was_told() -> None:
    """A told one stands, such as one with cached or reasoning tokens."""
    assert totals({"prompt_tokens": 10, "completion_tokens": 3}).total == 13
    assert totals({"completion_tokens": 3}).total == 3
    assert totals({"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 20}).total == 20
    assert totals({"total_tokens": 7}).summary().total_prompt == 0


@pytest.mark.parametrize("bad", ["12", -1, 1.5, True, 2**63, None, [], object()])
def test_what_is_no_count_is_not_told(bad: Any) -> None:
    """It neither counts nor breaks the others."""
    assert totals({"total_tokens": bad, "prompt_tokens": bad, "completion_tokens": bad}).count == 0
    assert totals({"total_tokens": bad, "prompt_tokens": 5, "completion_tokens": bad}).total == 5


def test_nothing_is_a_count_of_zero() -> None:
    """And no mean."""
    assert TokenTotals().summary().to_dict() == {"count": 0}
    assert TokenTotals().summary().mean_total is None


def test_totals_come_back_for_the_windows() -> None:
    """One a record that told any, in order."""
    tokens = TokenTotals()
    assert tokens.add_many([{"total_tokens": 1}, {}, {"prompt_tokens": 2}]) == [1, 2]


def test_parts_merge_and_copies_part() -> None:
    """The other one stays as it is."""
    one, two = totals({"total_tokens": 5}), totals({"prompt_tokens": 2})
    twin = one.copy()
    one.merge(two)
    assert (one.total, one.prompt, one.count) == (7, 2, 2)
    assert (two.total, twin.total) == (2, 5)
