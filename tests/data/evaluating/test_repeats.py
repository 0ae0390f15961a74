"""Several answers an item: drawn apart, recorded apart, and not taken for so many items."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from scipy import stats as scipy_stats

from crucible import stats
from crucible.backends.records import Sample, SamplingParams
from crucible.backends.scripted import ScriptedSampler
from crucible.data import Dataset, Item, Limits, evaluate, read_record
from crucible.data.evaluating.measurement import repeat_seed
from crucible.data.order import draw_seed
from crucible.errors import ContractError, DataError
from crucible.ir import Outcome, Scored
from crucible.stats.conditions.design import compare_conditions

DRAWN = SamplingParams(temperature=1.0, seed=3)


class Drawing(ScriptedSampler):
    """Answers right or wrong as the seed of each prompt says."""

    def __init__(self) -> None:
        super().__init__(str)

    async def asample(self, prompts: Any, params: SamplingParams | None = None) -> list[Sample]:
        """Draw."""
        assert params is not None
        assert params.seeds is not None
        return [
            Sample(
                prompt[1:] if random.Random(seed).random() < 0.6 else f"no {seed}",
                (),
                "stop",
                None,
                0,
                truncated_prompt=False,
            )
            for prompt, seed in zip(prompts, params.seeds, strict=True)
        ]


def test_each_repeat_has_a_seed_of_its_own() -> None:
    """The first one's is that of an evaluation without repeats; an id cannot be made to clash with a repeat."""
    assert repeat_seed(1, "a", 0) == draw_seed(1, "a")
    seeds = {repeat_seed(seed, item, repeat) for seed in (1, 2) for item in ("a", "b") for repeat in range(5)}
    assert len(seeds) == 20
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_repeats_are_recorded_as_observations(tmp_path: Path, twenty: Dataset) -> None:
    """The repeats of an item together, numbered from 0; the first ones are what one answer an item would have been."""
    path = tmp_path / "r.jsonl"
    result = evaluate(Drawing(), twenty, ["exact_match"], params=DRAWN, repeats=3, record=path)
    assert [(item.id, item.repeat) for item in result.items[:4]] == [
        ("item-1", 0),
        ("item-1", 1),
        ("item-1", 2),
        ("item-2", 0),
    ]
    once = evaluate(Drawing(), twenty, ["exact_match"], params=DRAWN)
    assert [item.output for item in result.items if item.repeat == 0] == [item.output for item in once.items]
    assert len({item.output for item in result.items}) > 25
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["repeat"] for line in lines[:3]] == [0, 1, 2]
    assert "repeat" not in json.loads(next(iter(_lines(tmp_path, twenty))))


def _lines(tmp_path: Path, twenty: Dataset) -> list[str]:
    evaluate(Drawing(), twenty, ["exact_match"], params=DRAWN, record=tmp_path / "once.jsonl")
    return (tmp_path / "once.jsonl").read_text().splitlines()


def test_the_mean_and_its_interval_are_of_items(twenty: Dataset) -> None:
    """Sixty answers to twenty questions are twenty observations: Student's t over the items' means, as scipy has it."""
    result = evaluate(Drawing(), twenty, ["exact_match"], params=DRAWN, repeats=3)
    summary = result.summaries["exact_match"]
    means = list(result.condition("exact_match").item_means().values())
    expected = scipy_stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert (summary.attempted, summary.scored, summary.repeats, summary.items) == (60, 60, 3, 20)
    assert summary.mean == pytest.approx(sum(means) / 20, rel=1e-12)
    assert summary.interval is not None
    assert math.isclose(summary.interval.low, expected.low, rel_tol=1e-9)
    assert math.isclose(summary.interval.high, expected.high, rel_tol=1e-9)
    naive = stats.wilson(int(sum(means) * 3), 60)
    assert summary.interval.high - summary.interval.low != naive.high - naive.low


def test_items_that_always_come_out_the_same_have_wilsons_interval(asked: Any, twenty: Dataset) -> None:
    """On the items, not on the answers."""
    summary = evaluate(asked(), twenty, ["exact_match"], repeats=4).summaries["exact_match"]
    assert summary.interval == stats.wilson(20, 20)
    assert summary.to_dict()["items"] == 20


def test_greedy_repeats_are_noted(asked: Any, twenty: Dataset) -> None:
    """They show nothing but what the backend itself varies."""
    (note,) = evaluate(asked(), twenty, ["exact_match"], repeats=2).notes
    assert "greedy" in note
    assert evaluate(Drawing(), twenty, ["exact_match"], params=DRAWN, repeats=2).notes == ()


def test_more_repeats_can_be_added_and_fewer_cannot(tmp_path: Path, twenty: Dataset) -> None:
    """What is recorded stays; it is the same as if all had been asked for at once."""
    path = tmp_path / "r.jsonl"
    options = {"params": DRAWN, "record": path}
    evaluate(Drawing(), twenty, ["exact_match"], **options)
    more = evaluate(Drawing(), twenty, ["exact_match"], repeats=3, **options)
    assert more.resumed == 20
    assert list(more.items) == list(evaluate(Drawing(), twenty, ["exact_match"], params=DRAWN, repeats=3).items)
    assert list(read_record(path)) == list(more.items)
    with pytest.raises(ContractError, match="repeat 3 of an item is recorded and 2 are asked for now"):
        evaluate(Drawing(), twenty, ["exact_match"], repeats=2, **options)


def test_failures_of_repeats_follow_the_policy(asked: Any, twenty: Dataset) -> None:
    """A failed repeat is left out of its item's mean, or counts as 0 in it."""
    calls = iter(range(1_000))

    def every_other(item: Item, output: str) -> Outcome:
        if next(calls) % 2:
            raise RuntimeError("no power")
        return Scored(1.0)

    left_out = evaluate(asked(), twenty, [every_other], repeats=2).summaries["every_other"]
    assert (left_out.mean, left_out.failed, left_out.items) == (1.0, 20, 20)
    as_zero = evaluate(asked(), twenty, [every_other], repeats=2, failures="zero").summaries["every_other"]
    assert (as_zero.mean, as_zero.failed) == (0.5, 20)


def test_a_result_is_a_side_of_a_comparison(asked: Any, twenty: Dataset) -> None:
    """Paired by item, repeats within items; a scorer that was not there is named."""
    right = evaluate(asked(), twenty, ["exact_match"], model="right")
    drawn = evaluate(Drawing(), twenty, ["exact_match"], params=DRAWN, repeats=3, model="drawn")
    found = compare_conditions(drawn.condition("exact_match"), right.condition("exact_match", label="always"))
    assert (found.n, found.baseline, found.treatment) == (20, "drawn", "always")
    assert found.difference > 0
    with pytest.raises(DataError, match='right was not scored by "exact"; it was by: exact_match; did you mean'):
        right.condition("exact")


def test_an_items_limit_is_of_items(asked: Any, twenty: Dataset) -> None:
    """With all their repeats."""
    result = evaluate(asked(), twenty, ["exact_match"], repeats=3, limits=Limits(items=4))
    assert (len(result.items), result.not_reached) == (12, 48)
