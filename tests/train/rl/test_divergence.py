"""How far two sets of weights are apart on what was sampled, and the penalty for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import pytest

from crucible.backends import Sampler
from crucible.errors import BadResponse
from crucible.text import Datum, ModelInput
from crucible.train.rl import (
    discrepancy,
    incorporate_kl_penalty,
    pre_post_divergence,
    reference_logprobs,
    sample_train_divergence,
)


def datum(logprobs: list[float], weights: list[float]) -> Datum:
    """Data as trajectories become them."""
    n = len(weights)
    beside = {"logprobs": tuple(logprobs), "advantages": tuple(1.0 if weight else 0.0 for weight in weights)}
    return Datum(ModelInput(tuple(range(n))), tuple(range(1, n + 1)), tuple(weights), beside)


DATA = [datum([0.0, -1.0, -2.0], [0, 1, 1]), datum([-0.5], [1])]
TRAINED = [[None, -1.5, -1.0], [-0.5]]


def test_estimates_are_the_mean_difference_and_half_the_mean_square() -> None:
    """Over the policy's own tokens alone: v1 = mean(log q - log p), v2 = mean of its square / 2; entropy is of q."""
    found = sample_train_divergence(DATA, TRAINED)
    assert found == {
        "kl_sample_train_v1": pytest.approx((0.5 - 1.0 + 0.0) / 3),
        "kl_sample_train_v2": pytest.approx((0.25 + 1.0 + 0.0) / 6),
        "entropy": pytest.approx(3.5 / 3),
    }
    post = pre_post_divergence(DATA, TRAINED)
    assert post["kl_pre_post_v1"] == found["kl_sample_train_v1"]
    assert post["kl_pre_post_v2"] == found["kl_sample_train_v2"]


def test_the_estimates_approach_the_divergence_of_two_distributions() -> None:
    """With every token as often as q draws it, v1 is KL(q || p) exactly and v2 close to it."""
    q, p = [0.5, 0.3, 0.2], [0.45, 0.35, 0.2]
    drawn = [place for place, share in enumerate(q) for _ in range(round(share * 10))]
    data = [datum([math.log(q[place])], [1]) for place in drawn]
    found = sample_train_divergence(data, [[math.log(p[place])] for place in drawn])
    kl = math.fsum(a * math.log(a / b) for a, b in zip(q, p, strict=True))
    assert found["kl_sample_train_v1"] == pytest.approx(kl)
    assert found["kl_sample_train_v2"] == pytest.approx(kl, rel=0.1)


def test_discrepancy_is_of_absolute_differences() -> None:
    """Differences of both signs do not cancel."""
    apart = discrepancy(DATA, TRAINED)
    assert (apart.mean, apart.largest, apart.tokens) == (pytest.approx(0.5), 1.0, 3)


def test_a_missing_logprob_of_a_token_that_counts_is_an_error() -> None:
    """Nothing is averaged over what happens to be there."""
    with pytest.raises(BadResponse, match="no log-probability"):
        sample_train_divergence(DATA, [[None, None, -1.0], [-0.5]])


def test_the_penalty_moves_advantages_towards_the_reference_and_no_batch_as_a_whole() -> None:
    """Advantages += coef * mask * (mean - difference): the sum over tokens is as before, what is shown stays 0."""
    moved, told = incorporate_kl_penalty(DATA, [[0.0, -1.5, -1.0], [-0.5]], 2.0)
    mean = (0.5 - 1.0 + 0.0) / 3
    assert told == {"kl_policy_base": pytest.approx(mean)}
    assert moved[0].loss_inputs["advantages"] == (
        0.0,
        pytest.approx(1 + 2 * (mean - 0.5)),
        pytest.approx(1 + 2 * (mean + 1)),
    )
    assert moved[1].loss_inputs["advantages"] == (pytest.approx(1 + 2 * mean),)
    assert math.fsum(v for each in moved for v in each.loss_inputs["advantages"]) == pytest.approx(3.0)
    assert moved[0].weights == DATA[0].weights


def test_a_discounted_penalty_is_borne_by_the_tokens_before() -> None:
    """With a discount of 1 a token pays for all that follow it in its datum."""
    moved, _ = incorporate_kl_penalty(DATA[:1], [[0.0, -1.5, -1.0]], 1.0, discount=1.0)
    mean = (0.5 - 1.0) / 2
    assert moved[0].loss_inputs["advantages"][1] == pytest.approx(1 + (mean - 0.5) + (mean + 1))
    assert moved[0].loss_inputs["advantages"][2] == pytest.approx(1 + (mean + 1))


def test_without_a_weight_nothing_changes() -> None:
    """A coefficient of 0 reports the divergence and leaves the data alone."""
    moved, told = incorporate_kl_penalty(DATA, [[0.0, -1.5, -1.0], [-0.5]], 0.0)
    assert moved == DATA
    assert told["kl_policy_base"] == pytest.approx(-1 / 6)


class Scores:
    """A sampler that gives these log-probabilities."""

    model = "scores"

    def __init__(self, *values: list[float | None]) -> None:
        self.values = values

    def logprobs(self, prompts: Sequence[ModelInput]) -> list[list[float | None]]:
        """Return them, whatever is asked."""
        del prompts
        return list(self.values)


def test_a_reference_is_read_where_a_token_counts_and_what_it_lacks_there_is_an_error() -> None:
    """Shifted as the targets are; a missing one is not taken for a probability of 1."""
    whole = cast("Sampler", Scores([None, -9.0, -1.5, -1.0], [None, -0.5]))
    assert reference_logprobs(whole, DATA) == [[0.0, -1.5, -1.0], [-0.5]]
    lacking = cast("Sampler", Scores([None, -9.0, None, -1.0], [None, -0.5]))
    with pytest.raises(BadResponse, match="scores gave no log-probability of a token that counts"):
        reference_logprobs(lacking, DATA)
    short = cast("Sampler", Scores([None, -9.0], [None, -0.5]))
    with pytest.raises(BadResponse, match="4 tokens were to be scored and 2 logprobs came"):
        reference_logprobs(short, DATA)
