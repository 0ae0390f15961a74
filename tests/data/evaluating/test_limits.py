"""Limits end an evaluation well: what is done is kept, and what was not reached is no failure."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.data import Dataset, Limits, evaluate
from crucible.errors import DataError
from crucible.telemetry.prices import Price, PriceTable

PRICES = PriceTable(
    [Price(model="scripted", input_usd_per_1m=1_000_000, output_usd_per_1m=2_000_000)],
    source="made up for this test",
    date="2026-11-30",
)
"""A dollar a token of a prompt, two dollars a token of an answer: seven dollars an item of the fake."""


def test_the_first_items_are_asked(asked: Any, twenty: Dataset) -> None:
    """Counts are of what was measured; the rest is not reached, and not failed."""
    result = evaluate(asked(), twenty, ["exact_match"], limits=Limits(items=7))
    summary = result.summaries["exact_match"]
    assert (summary.attempted, summary.scored, summary.failed, summary.skipped) == (7, 7, 0, 0)
    assert (result.status, result.not_reached) == ("limited", 13)
    assert result.reason == "items: the first 7 were asked"
    exact = evaluate(asked(), twenty, ["exact_match"], limits=Limits(items=20))
    assert (exact.status, exact.reason, exact.not_reached) == ("completed", "", 0)


def test_seconds_end_it_and_it_goes_on_from_there(tmp_path: Path, asked: Any, twenty: Dataset) -> None:
    """A decision says why; calls under way are finished."""
    path = tmp_path / "r.jsonl"
    slow = asked(wait_s=0.04)
    with events.collect(["crucible_trace.*", "crucible_data.evaluation.stop"]) as seen:
        limits = Limits(seconds=0.1)
        result = evaluate(slow, twenty, ["exact_match"], record=path, limits=limits, batch_size=1, concurrency=2)
    assert result.status == "limited"
    assert result.reason.startswith("seconds: ")
    assert 0 < len(result.items) == len(slow.prompts) < 20
    assert seen[0].metadata["decision"] == f"stopped evaluating scripted after {len(result.items)} of 20 measurements"
    assert (seen[1].metadata["status"], seen[1].metadata["reason"]) == ("limited", result.reason)
    rest = asked()
    assert evaluate(rest, twenty, ["exact_match"], record=path).status == "completed"
    assert sorted(slow.prompts + rest.prompts) == sorted(f"q{index}" for index in range(20))


def test_tokens_of_the_record_count(tmp_path: Path, tokens: Any, twenty: Dataset) -> None:
    """So that a limit holds for the whole evaluation, however often it was begun."""
    path = tmp_path / "r.jsonl"
    options = {"record": path, "batch_size": 2, "concurrency": 1}
    result = evaluate(tokens(), twenty, ["exact_match"], limits=Limits(tokens=30), **options)
    assert (len(result.items), result.prompt_tokens + result.completion_tokens) == (6, 30)
    assert result.reason == "tokens: 30 of 30 were used"
    again = tokens()
    assert evaluate(again, twenty, ["exact_match"], limits=Limits(tokens=30), **options).status == "limited"
    assert again.prompts == []
    more = evaluate(again, twenty, ["exact_match"], limits=Limits(tokens=31), **options)
    assert (len(more.items), more.resumed) == (8, 6)


def test_cost_is_held_and_told(tokens: Any, twenty: Dataset) -> None:
    """With the user's prices; without a limit they only tell the cost."""
    options = {"batch_size": 1, "concurrency": 1}
    limits = Limits(cost_usd=20.0, prices=PRICES)
    result = evaluate(tokens(), twenty, ["exact_match"], limits=limits, **options)
    assert (len(result.items), result.cost_usd) == (3, 21.0)
    assert result.reason == "cost_usd: 21.0000 of 20 US dollars were spent"
    told = evaluate(tokens(), twenty, ["exact_match"], limits=Limits(prices=PRICES))
    assert (told.cost_usd, told.status) == (140.0, "completed")
    assert evaluate(tokens(), twenty, ["exact_match"]).cost_usd is None


def test_a_cost_that_is_unknown_is_never_guessed(asked: Any, tokens: Any, twenty: Dataset) -> None:
    """No prices, no price of this model, no count of tokens: each is refused in a sentence."""
    with pytest.raises(DataError, match="needs prices, which nobody gave"):
        Limits(cost_usd=1.0)
    sampler = tokens()
    sampler.model = "other"
    with pytest.raises(DataError, match='the prices name no model "other", so that its cost is unknown'):
        evaluate(sampler, twenty, ["exact_match"], limits=Limits(cost_usd=1.0, prices=PRICES))
    assert sampler.prompts == []
    for limits in (Limits(tokens=5), Limits(cost_usd=1.0, prices=PRICES)):
        with pytest.raises(DataError, match="scripted does not tell how many tokens it reads and writes"):
            evaluate(asked(), twenty, ["exact_match"], limits=limits)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["items", "seconds", "tokens", "cost_usd"])
def test_a_limit_is_above_0(name: str, value: float) -> None:
    """And finite; no limit is None."""
    with pytest.raises(DataError, match=f"the limit {name} is a number above 0, got {value}"):
        Limits(**{name: value})  # type: ignore[arg-type]


def test_a_stream_of_unknown_length_says_so(asked: Any, lazy: Any) -> None:
    """What was not reached is then unknown, not 0."""
    result = evaluate(asked(), iter(lazy(50)), ["exact_match"], limits=Limits(items=3))
    assert (len(result.items), result.not_reached) == (3, None)


def test_progress_is_told_a_few_times_a_second(asked: Any, lazy: Any) -> None:
    """Not once an item: the first batch, four times a second, and the end; with repeats, each is one."""
    began = time.monotonic()
    with events.collect("crucible_data.evaluation.progress") as seen:
        evaluate(asked(), lazy(2_000), ["exact_match"], batch_size=4, repeats=2)
    counts = [event.measurements["items"] for event in seen]
    assert counts[0] == 4
    assert counts[-1] == 4_000
    assert counts == sorted(set(counts))
    assert len(counts) <= 2 + (time.monotonic() - began) / 0.25
    assert seen[0].metadata == {"model": "scripted", "total_items": 4_000, "dataset": "lazy"}
