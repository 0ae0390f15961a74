from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from crucible.backends.scripted import ScriptedSampler
from crucible.data import Dataset, EvalResult, Item, evaluate, load
from crucible.data.leaderboard import Leaderboard, Standing, leaderboard
from crucible.errors import DataError, StatsError
from crucible.ir import Outcome, Scored
from crucible.stats import compare_paired, correct, wilson
from crucible.stats.conditions.design import Design

QUESTIONS = load([(f"q{index}", "yes") for index in range(300)])


def length(item: Item, output: str) -> Outcome:
    """Score how long an answer is."""
    return Scored(float(len(output)) + random.Random(item.id + output).random())


def model(name: str, right: float, seed: int, data: Dataset = QUESTIONS, failures: str = "exclude") -> EvalResult:
    """Evaluate a model that is right on this share of the questions, in an order of its own."""
    draw = random.Random(seed)
    order = list(range(300))
    draw.shuffle(order)
    known = {f"q{index}" for index in order[: round(300 * right)]}
    sampler = ScriptedSampler(lambda prompt: "yes" if prompt in known else "no idea")
    return evaluate(sampler, data, ["exact_match", length], model=name, failures=failures)


@pytest.fixture(scope="module")
def four() -> list[EvalResult]:
    """Two models that are about as good as each other, and two that are worse, each clearly."""
    return [model("worst", 0.2, 1), model("best", 0.82, 2), model("middle", 0.5, 3), model("near", 0.79, 4)]


def ranks(found: Leaderboard, metric: str = "exact_match") -> dict[str, tuple[int | None, int]]:
    """Return rank and ties by model, in the table's order."""
    return {name: (found.of(name, metric).rank, found.of(name, metric).tied) for name in found.models}


def test_models_that_cannot_be_told_apart_from_the_best_share_its_rank(four: list[EvalResult]) -> None:
    """Whatever their means; the next rank counts those before it."""
    found = leaderboard(four)
    assert ranks(found) == {"best": (1, 2), "near": (1, 2), "middle": (3, 1), "worst": (4, 1)}
    assert found.of("best", "exact_match").mean == 0.82
    assert found.metrics == ("exact_match", "length")


def test_less_is_better_where_it_is_said(four: list[EvalResult]) -> None:
    """The direction is the metric's."""
    up, down = leaderboard(four, ["length"]), leaderboard(four, ["length"], lower=["length"])
    assert up.models[0] == "worst"
    assert down.models == tuple(reversed(up.models))
    assert ranks(down, "length")["best"][0] == 1


def test_ranks_rest_on_corrected_paired_tests(four: list[EvalResult]) -> None:
    """All pairs on all metrics are one family, as `stats` corrects them."""
    found = leaderboard(four, ["exact_match"])
    scores = {result.model: result.condition("exact_match").item_means() for result in four}
    pairs = [(one.baseline, one.treatment) for one in found.comparisons]
    raw = [compare_paired(scores[a], scores[b]).p for a, b in pairs]
    assert [one.p for one in found.comparisons] == raw
    assert [one.p_adjusted for one in found.comparisons] == correct(raw, "holm")
    assert {one.comparisons for one in found.comparisons} == {6}
    assert {one.comparisons for one in leaderboard(four).comparisons} == {12}


def test_two_means_alone_are_no_rank(four: list[EvalResult]) -> None:
    """A better mean that no test bears out shares the rank; a stricter alpha makes more ties."""
    small = load([(f"q{index}", "yes") for index in range(12)])
    few = [model(name, share, seed, small) for name, share, seed in (("a", 0.9, 1), ("b", 0.7, 2), ("c", 0.6, 3))]
    means = [result.summaries["exact_match"].mean for result in few]
    assert len(set(means)) > 1
    assert {rank for rank, _ in ranks(leaderboard(few)).values()} == {1}
    strict = leaderboard(four, ["exact_match"], design=Design(alpha=1e-300))
    assert {rank for rank, _ in ranks(strict).values()} == {1}


def test_means_have_intervals_and_counts(four: list[EvalResult]) -> None:
    """As everywhere."""
    one = leaderboard(four).of("best", "exact_match")
    assert isinstance(one, Standing)
    assert one.interval == wilson(246, 300)
    assert (one.n, one.attempted, one.scored, one.failed, one.skipped) == (300, 300, 300, 0, 0)


def test_it_is_json_and_markdown(four: list[EvalResult]) -> None:
    """With how to read it; a shared rank is marked, and never called equal."""
    found = leaderboard(four, ["exact_match", "length"], lower=["length"])
    plain = json.loads(json.dumps(found.to_dict()))
    assert (plain["models"][0], plain["lower"], len(plain["comparisons"])) == ("best", ["length"], 12)
    assert plain["comparisons"][0]["verdict"] in ("difference", "no_difference_found")
    lines = found.to_markdown().splitlines()
    assert lines[0] == "| model | exact_match ↑ | rank | n | failed | length ↓ | rank | n | failed |"
    assert lines[2].startswith("| best | 0.820 [0.773, 0.859] | 1= | 300 | 0 | ")
    assert len({line.count("|") for line in lines[:6]}) == 1
    assert "could not be told apart from the best of them, which does not mean that they are equal" in found.reading
    assert "holm correction for 12 comparisons, alpha 0.05" in found.reading


class Silent(ScriptedSampler):
    """Answers a few prompts only."""

    async def asample(self, prompts: Sequence[str], params: Any = None) -> Any:
        """Answer, or break."""
        return self.sample(prompts, params)


def test_what_failed_is_counted_and_follows_the_policy(four: list[EvalResult]) -> None:
    """A model without scores has no rank; one with a score too few shares one, and it is said why."""
    silent = evaluate(Silent({}), QUESTIONS, ["exact_match"], model="silent")
    hoarse = evaluate(Silent({"q1": "yes"}), QUESTIONS, ["exact_match"], model="hoarse")
    found = leaderboard([four[1], silent, hoarse])
    assert ranks(found) == {"best": (1, 2), "hoarse": (1, 2), "silent": (None, 1)}
    assert "best and hoarse were not compared by exact_match: 1 items have both scores." in found.not_compared
    assert found.of("hoarse", "exact_match").failed == 299
    assert "| silent | – | – | 0 | 300 |" in found.to_markdown()
    assert "| hoarse | 1.00 [" in found.to_markdown()
    as_zero = leaderboard([four[1], hoarse], design=Design(failures="zero"))  # type: ignore[arg-type]
    assert ranks(as_zero) == {"best": (1, 1), "hoarse": (2, 1)}
    with pytest.raises(StatsError, match="failed"):
        leaderboard([four[1], hoarse], design=Design(failures="abort"))  # type: ignore[arg-type]


def test_one_model_is_first(four: list[EvalResult]) -> None:
    """There is nothing to compare it with."""
    found = leaderboard({"only": four[0]}, ["exact_match"])
    assert (ranks(found), found.comparisons) == ({"only": (1, 1)}, ())


def test_what_cannot_be_ranked_is_refused(four: list[EvalResult]) -> None:
    """In a sentence that says what there is."""
    with pytest.raises(DataError, match="there is no evaluation to rank"):
        leaderboard([])
    with pytest.raises(DataError, match='two evaluations are of "best"'):
        leaderboard([four[1], four[1]])
    with pytest.raises(DataError, match='not every evaluation was scored by "exact_macth"; did you mean'):
        leaderboard(four, ["exact_macth"])
    with pytest.raises(DataError, match='not every evaluation was scored by "loss"'):
        leaderboard(four, lower=["loss"])
    other = evaluate(ScriptedSampler(str), QUESTIONS, ["number_match"], model="other")
    with pytest.raises(DataError, match="no scorer in common"):
        leaderboard([four[0], other])
    with pytest.raises(DataError, match='there is no "nobody" by "exact_match"; models: best'):
        leaderboard(four).of("nobody", "exact_match")
    part = model("part", 0.5, 5, QUESTIONS.take(100))
    with pytest.raises(StatsError, match="part against best by exact_match"):
        leaderboard([four[1], part])
