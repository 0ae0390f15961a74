"""Preference losses: closed forms, finite differences, the published fixtures, margins that overflow nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from crucible.backends.losses.preference import cdpo, dpo, ipo, kto, orpo
from crucible.errors import DataError


def column(*values: float) -> torch.Tensor:
    """Return a float64 column."""
    return torch.tensor(values, dtype=torch.float64)


def log_sigmoid(value: float) -> float:
    """Return log sigmoid without PyTorch."""
    return -math.log1p(math.exp(-value)) if value > 0 else value - math.log1p(math.exp(value))


PAIRS = [column(-10.0, -3.5, -40.0), column(-12.0, -3.0, -38.0), column(-11.0, -4.0, -41.0), column(-11.0, -4.5, -40.5)]
MARGINS = [2.0, -1.0, -1.5]


@pytest.mark.parametrize(
    ("margin", "beta", "expected"),
    [(2.0, 0.1, 0.598139), (0.0, 0.1, 0.693147), (-2.0, 0.1, 0.798139), (2.0, 0.5, 0.313262), (10.0, 0.1, 0.313262)],
)
def test_dpo_gives_the_fixtures(margin: float, beta: float, expected: float) -> None:
    """Of margin 2 at beta 0.1 the loss is 0.598139, of no margin log 2."""
    loss = dpo(column(-10.0), column(-10.0 - margin), column(-11.0), column(-11.0), beta=beta)
    assert float(loss) == pytest.approx(expected, abs=5e-7)


def test_each_loss_is_its_closed_form_summed_over_pairs() -> None:
    """Written out with the logistic function of the standard library."""
    scaled = [0.2 * margin for margin in MARGINS]
    assert float(dpo(*PAIRS, beta=0.2)) == pytest.approx(-sum(map(log_sigmoid, scaled)))
    smoothed = sum(-0.7 * log_sigmoid(h) - 0.3 * log_sigmoid(-h) for h in scaled)
    assert float(cdpo(*PAIRS, beta=0.2, label_smoothing=0.3)) == pytest.approx(smoothed)
    assert float(ipo(*PAIRS, beta=0.2)) == pytest.approx(sum((margin - 2.5) ** 2 for margin in MARGINS))
    chosen, rejected = column(-0.5, -1.25), column(-1.0, -0.75)

    def log_odds(logprob: float) -> float:
        return logprob - math.log1p(-math.exp(logprob))

    ratio = [log_odds(-0.5) - log_odds(-1.0), log_odds(-1.25) - log_odds(-0.75)]
    expected = 0.5 + 1.25 - 0.1 * sum(map(log_sigmoid, ratio))
    assert float(orpo(chosen, rejected, beta=0.1)) == pytest.approx(expected)
    good = torch.tensor([True, False, True])
    further = [1.0, 0.5, 1.0]  # answers minus reference
    signs = (1.0, -1.0, 1.0)
    values = [1 - math.exp(log_sigmoid(0.2 * s * (r - 0.25))) for s, r in zip(signs, further, strict=True)]
    assert float(kto(PAIRS[0], PAIRS[0] - column(*further), good, 0.25, beta=0.2)) == pytest.approx(sum(values))


def test_cdpo_without_smoothing_is_dpo_and_is_least_where_the_labels_say() -> None:
    """sigmoid(beta * margin) = 1 - e: the gradient is 0 there."""
    assert torch.equal(cdpo(*PAIRS, label_smoothing=0.0), dpo(*PAIRS))
    margin = math.log(0.9 / 0.1) / 0.1
    chosen = column(margin).requires_grad_()
    zero = column(0.0)
    cdpo(chosen, zero, zero, zero, beta=0.1, label_smoothing=0.1).backward()
    assert float(chosen.grad) == pytest.approx(0.0, abs=1e-12)


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "dpo": lambda *rows: dpo(*rows, beta=0.3),
    "cdpo": lambda *rows: cdpo(*rows, beta=0.3, label_smoothing=0.2),
    "ipo": lambda *rows: ipo(*rows, beta=0.3),
    "orpo": lambda a, b, *_: orpo(a / 20, b / 20, beta=0.3),
    "kto": lambda a, b, c, d: kto(a, c, torch.tensor([True, False, True]), (b - d).mean(), beta=0.3),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_the_finite_differences(name: str) -> None:
    """By every log-probability of the policy, to ten digits; none flows through the divergence of kto."""
    loss = LOSSES[name]
    rows = [row.clone().requires_grad_(number < 2) for number, row in enumerate(PAIRS)]
    loss(*rows).backward()
    for number in (0, 1):
        gradient = rows[number].grad
        for place in range(3):

            def moved(by: float, number: int = number, place: int = place) -> float:
                shifted = [row.clone() for row in PAIRS]
                shifted[number][place] += by
                return float(loss(*shifted))

            if name == "kto" and number == 1:
                assert gradient is None
                continue
            assert gradient is not None
            assert float(gradient[place]) == pytest.approx((moved(1e-5) - moved(-1e-5)) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("margin", [1e4, -1e4])
def test_extreme_margins_overflow_nothing(name: str, margin: float) -> None:
    """In float32: loss and gradient stay finite, and the gradient of dpo is at most beta."""
    rows = [torch.tensor([value] * 3) for value in (min(margin, 0.0), min(-margin, 0.0), 0.0, 0.0)]
    rows[0].requires_grad_()
    value = LOSSES[name](*rows)
    value.backward()
    assert bool(value.isfinite())
    assert rows[0].grad is not None
    assert bool(rows[0].grad.isfinite().all())
    if name == "dpo":
        assert float(rows[0].grad.abs().max()) <= 0.3 + 1e-6


def test_orpo_is_finite_for_an_answer_that_is_certain() -> None:
    """Where the mean probability is 1, its odds would be infinite."""
    chosen = torch.zeros(1, requires_grad=True)
    loss = orpo(chosen, torch.full((1,), -1.0))
    loss.backward()
    assert bool(loss.isfinite())
    assert chosen.grad is not None
    assert bool(chosen.grad.isfinite().all())


def test_weights_multiply_pairs_and_divide_the_mean() -> None:
    """A pair of weight 0 counts nowhere; a mean is over the weights."""
    weights = column(1.0, 0.0, 0.5)
    parts = [float(dpo(*(row[place : place + 1] for row in PAIRS))) for place in range(3)]
    assert float(dpo(*PAIRS, weights=weights)) == pytest.approx(parts[0] + 0.5 * parts[2])
    assert float(dpo(*PAIRS, weights=weights, reduction="mean")) == pytest.approx((parts[0] + 0.5 * parts[2]) / 1.5)
    assert float(dpo(*PAIRS, reduction="mean")) == pytest.approx(sum(parts) / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dpo(*PAIRS, beta=0.0), "beta must be above 0"),
        (lambda: dpo(*PAIRS, beta=math.nan), "beta must be above 0 and finite"),
        (
            lambda: dpo(PAIRS[0], PAIRS[1][:2], *PAIRS[2:]),
            r"shape of chosen, \(3,\), got \(2,\)",
        ),
        (lambda: cdpo(*PAIRS, label_smoothing=0.6), "swap the labels"),
        (lambda: ipo(*PAIRS, weights=column(1.0)), "weights must have the shape"),
        (lambda: dpo(*PAIRS, reduction="max"), "reduction must be 'sum' or 'mean'"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(call: Callable[[], Any], message: str) -> None:
    """Never broadcast, never clamped in silence."""
    with pytest.raises(DataError, match=message):
        call()


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], []])
def test_a_mean_over_no_weight_is_refused(weights: list[float]) -> None:
    """It would be NaN; the sum is what it is."""
    of = torch.tensor(weights)
    pairs = [torch.zeros(len(weights))] * 4
    with pytest.raises(DataError, match="the mean needs weights whose sum is above 0, got 0; take reduction='sum'"):
        dpo(*pairs, weights=of, reduction="mean")
    assert dpo(*pairs, weights=of).item() == 0
