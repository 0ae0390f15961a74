"""How far two sets of weights are apart on what was sampled, in nats, and the penalty for it.

Both estimates of a divergence KL(q || p) use the tokens that q drew: v1 is the mean of log q - log p, v2 half the mean
of its square, which is never negative and varies less.

Source:
    Schulman (2020), "Approximating KL divergence".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from crucible.backends import Sampler
from crucible.errors import BadResponse
from crucible.text import Datum
from crucible.train.rl.advantages import discounted_future_sum
from crucible.train.rl.data import full_tokens

__all__ = [
    "Discrepancy",
    "discrepancy",
    "incorporate_kl_penalty",
    "pre_post_divergence",
    "reference_logprobs",
    "sample_train_divergence",
]


class Discrepancy(msgspec.Struct, frozen=True):
    """How far the log-probabilities of a sampler and of a training are apart on the same tokens, in nats.

    Attributes:
        mean: Mean of the absolute differences.
        largest: The largest of them.
        tokens: How many tokens it is taken over.
    """

    mean: float
    largest: float
    tokens: int


def sample_train_divergence(
    data: Sequence[Datum], training_logprobs: Sequence[Sequence[float | None]]
) -> dict[str, float]:
    """Return how far the weights in training are from those that sampled, and how surprising the samples were.

    Args:
        data: As `trajectory_to_data` makes them.
        training_logprobs: (T,) a datum, of the weights in training; read where the datum's weight is not 0.

    Returns:
        `kl_sample_train_v1` and `kl_sample_train_v2` in nats a token, and `entropy`: the mean negative log-probability
        of the sampled tokens under the weights that sampled them.
    """
    pairs = list(_pairs(data, training_logprobs))
    v1, v2 = _divergences(pairs)
    entropy = -math.fsum(sampled for sampled, _ in pairs) / max(1, len(pairs))
    return {"kl_sample_train_v1": v1, "kl_sample_train_v2": v2, "entropy": entropy}


def pre_post_divergence(data: Sequence[Datum], post_logprobs: Sequence[Sequence[float | None]]) -> dict[str, float]:
    """Return how far the steps on a batch took the weights from those that sampled it.

    Args:
        data: What was trained on.
        post_logprobs: (T,) a datum, of the weights after the last step.

    Returns:
        `kl_pre_post_v1` and `kl_pre_post_v2` in nats a token.
    """
    v1, v2 = _divergences(list(_pairs(data, post_logprobs)))
    return {"kl_pre_post_v1": v1, "kl_pre_post_v2": v2}


def discrepancy(data: Sequence[Datum], training_logprobs: Sequence[Sequence[float | None]]) -> Discrepancy:
    """Return how far a sampler and a training that should hold the same weights are apart."""
    gaps = [abs(sampled - trained) for sampled, trained in _pairs(data, training_logprobs)]
    return Discrepancy(math.fsum(gaps) / max(1, len(gaps)), max(gaps, default=0.0), len(gaps))


def reference_logprobs(sampler: Sampler, data: Sequence[Datum]) -> list[list[float]]:
    """Return the log-probability of each target under other weights: (T,) a datum, 0 where the weight is 0.

    Args:
        sampler: The other weights; with the same tokenizer.
        data: What to score.

    Raises:
        DataError: A datum does not fit its window, or holds a token that it does not know.
        BackendError: It cannot be asked, or lacks the log-probability of a token that counts.
    """
    answers = sampler.logprobs([full_tokens(datum) for datum in data])
    found: list[list[float]] = []
    for datum, values in zip(data, answers, strict=True):
        own = values[1:]
        if len(own) != len(datum):
            raise BadResponse(f"{len(datum) + 1} tokens were to be scored and {len(values)} logprobs came")
        scored: list[float] = []
        for value, weight in zip(own, datum.weights, strict=True):
            if weight != 0 and value is None:
                raise BadResponse(f"{sampler.model} gave no log-probability of a token that counts")
            scored.append(0.0 if weight == 0 or value is None else value)
        found.append(scored)
    return found


def incorporate_kl_penalty(
    data: Sequence[Datum], reference: Sequence[Sequence[float]], coef: float, discount: float = 0.0
) -> tuple[list[Datum], dict[str, float]]:
    """Return the data with a penalty for leaving other weights, such as those of the base, in their advantages.

    Each token's advantage gains `coef * (mean - difference)`, where the difference is that of its log-probabilities
    under the policy and the reference and the mean is that of the batch's tokens: without a discount the penalty moves
    no batch as a whole, a token counting as a token.

    Args:
        data: As `trajectory_to_data` makes them.
        reference: What `reference_logprobs` returned.
        coef: How heavy the penalty is, 0 or more.
        discount: Above 0, a token also pays for those after it, each one further on multiplied by this once more.

    Returns:
        The data, and `kl_policy_base`: the mean difference, in nats a token.
    """
    differences = [
        [
            sampled - other if weight else 0.0
            for sampled, other, weight in zip(datum.loss_inputs["logprobs"], others, datum.weights, strict=True)
        ]
        for datum, others in zip(data, reference, strict=True)
    ]
    tokens = sum(sum(weight != 0 for weight in datum.weights) for datum in data)
    mean = math.fsum(value for own in differences for value in own) / max(1, tokens)
    penalised: list[Datum] = []
    for datum, own in zip(data, differences, strict=True):
        gains = [coef * (mean - value) if weight else 0.0 for value, weight in zip(own, datum.weights, strict=True)]
        if discount > 0:
            sums = discounted_future_sum(gains, discount)
            gains = [value if weight else 0.0 for value, weight in zip(sums, datum.weights, strict=True)]
        advantages = tuple(map(sum, zip(datum.loss_inputs["advantages"], gains, strict=True)))
        beside: Mapping[str, tuple[float, ...]] = {**datum.loss_inputs, "advantages": advantages}
        penalised.append(msgspec.structs.replace(datum, loss_inputs=beside))
    return penalised, {"kl_policy_base": mean}


def _pairs(data: Sequence[Datum], logprobs: Sequence[Sequence[float | None]]) -> Iterator[tuple[float, float]]:
    """Yield (sampled, other) log-probabilities of the tokens whose weight is not 0.

    Raises:
        BadResponse: One of the other is missing.
    """
    for datum, others in zip(data, logprobs, strict=True):
        sampled = datum.loss_inputs["logprobs"]
        for own, other, weight in zip(sampled, others, datum.weights, strict=True):
            if weight == 0:
                continue
            if other is None:
                raise BadResponse("the session gave no log-probability of a token that counts")
            yield own, other


def _divergences(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    differences = [sampled - other for sampled, other in pairs]
    count = max(1, len(differences))
    return math.fsum(differences) / count, 0.5 * math.fsum(value * value for value in differences) / count
