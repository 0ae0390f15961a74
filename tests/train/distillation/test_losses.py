"""The divergences against closed forms and finite differences, and where their gradient is zero."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.nn.functional import kl_div, log_softmax

from crucible.train.distillation.losses import SoftTargetLoss, forward_kl, renormalised, reverse_kl

P, Q = (0.7, 0.2, 0.1), (0.5, 0.3, 0.2)
MEASURES = {"forward_kl": forward_kl, "reverse_kl": reverse_kl}


def logs(*rows: tuple[float, ...]) -> torch.Tensor:
    """Return the natural logarithms as (P, K) float64."""
    return torch.tensor(rows, dtype=torch.float64).log()


def distributions(positions: int, vocabulary: int, seed: int = 0) -> torch.Tensor:
    """Return random logits (P, V)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(positions, vocabulary, generator=generator, dtype=torch.float64)


def test_over_a_whole_vocabulary_they_are_the_two_kls() -> None:
    """Written out: 0.0851 nats from the teacher to the student, 0.0920 back; and PyTorch's own says the same."""
    student, teacher = logs(Q), logs(P)
    assert forward_kl(student, teacher).item() == pytest.approx(
        0.7 * math.log(0.7 / 0.5) + 0.2 * math.log(0.2 / 0.3) + 0.1 * math.log(0.1 / 0.2), abs=1e-12
    )
    assert reverse_kl(student, teacher).item() == pytest.approx(
        0.5 * math.log(0.5 / 0.7) + 0.3 * math.log(0.3 / 0.2) + 0.2 * math.log(0.2 / 0.1), abs=1e-12
    )
    assert forward_kl(student, teacher).item() == pytest.approx(
        kl_div(student, teacher, log_target=True, reduction="sum").item()
    )
    assert (round(forward_kl(student, teacher).item(), 4), round(reverse_kl(student, teacher).item(), 4)) == (
        0.0851,
        0.092,
    )


def test_over_a_part_the_rest_is_left_out_and_nothing_is_below_zero() -> None:
    """Two candidates of three: p log(p/q) - p + q each, 0 where both agree, above 0 where they do not."""
    student, teacher = logs(Q[:2]), logs(P[:2])
    wanted = sum(p * math.log(p / q) - p + q for p, q in zip(P[:2], Q[:2], strict=True))
    assert forward_kl(student, teacher).item() == pytest.approx(wanted, abs=1e-12)
    for measure in MEASURES.values():
        assert measure(teacher, teacher).item() == 0
        assert (
            measure(log_softmax(distributions(50, 9), -1)[:, :4], log_softmax(distributions(50, 9, 1), -1)[:, :4]) > 0
        ).all()


@pytest.mark.parametrize("name", MEASURES)
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    """By the student's logits, over all tokens and over four of nine."""
    teacher = log_softmax(distributions(3, 9, 1), -1)
    for width in (9, 4):

        def loss(logits: torch.Tensor, width: int = width) -> torch.Tensor:
            return MEASURES[name](log_softmax(logits, -1)[:, :width], teacher[:, :width]).sum()

        assert torch.autograd.gradcheck(loss, distributions(3, 9).requires_grad_())


@pytest.mark.parametrize(
    ("divergence", "rest", "temperature"),
    [
        ("forward_kl", "left_out", 1.0),
        ("reverse_kl", "left_out", 1.0),
        ("forward_kl", "renormalised", 1.0),
        ("forward_kl", "renormalised", 3.0),
        ("reverse_kl", "renormalised", 0.5),
    ],
)
def test_the_gradient_is_zero_exactly_where_student_and_teacher_agree(
    divergence: str, rest: str, temperature: float
) -> None:
    """Of three positions the middle one differs on a candidate: it alone has a gradient, whatever else is compared."""
    logits = distributions(3, 9)
    teacher = log_softmax(logits, -1)[:, :4].clone()
    teacher[1, 2] -= 0.5
    student = logits.requires_grad_()
    rows = log_softmax(student, -1)[:, :4]
    columns = torch.cat([rows[:, :1], rows], 1).flatten()
    references = torch.cat([torch.zeros(3, 1, dtype=torch.float64), teacher], 1).flatten()
    loss = SoftTargetLoss(5, 1.0, divergence, rest, temperature)  # type: ignore[arg-type]
    value = loss(columns, {"weights": torch.ones(15, dtype=torch.float64), "reference_logprobs": references})
    (gradient,) = torch.autograd.grad(value, student)
    by_position = gradient.abs().amax(-1)
    assert by_position[[0, 2]].max() < 1e-15
    assert by_position[1] > 1e-3


def test_candidates_at_a_temperature_are_softened_alike_and_scaled_back() -> None:
    """Over a whole vocabulary it is Hinton's: T^2 KL(softmax(teacher / T) || softmax(student / T))."""
    student, teacher, temperature = distributions(2, 5), distributions(2, 5, 1), 2.5
    wanted = temperature**2 * kl_div(
        log_softmax(student / temperature, -1), log_softmax(teacher / temperature, -1), log_target=True, reduction="sum"
    )
    rows, said = log_softmax(student, -1), log_softmax(teacher, -1)
    assert torch.allclose(renormalised(rows, temperature), log_softmax(student / temperature, -1))
    columns = torch.cat([rows[:, :1], rows], 1).flatten()
    references = torch.cat([torch.zeros(2, 1, dtype=torch.float64), said], 1).flatten()
    inputs = {"weights": torch.ones(12, dtype=torch.float64), "reference_logprobs": references}
    assert SoftTargetLoss(6, 1.0, "forward_kl", "renormalised", temperature)(columns, inputs).item() == pytest.approx(
        wanted.item()
    )


@pytest.mark.parametrize(("alpha", "divergence"), list(itertools.product([0.0, 0.3, 1.0], MEASURES)))
def test_alpha_shares_between_the_teacher_and_the_answer(alpha: float, divergence: str) -> None:
    """Position weights multiply both: alpha of the divergence, the rest of the answer's own cross-entropy."""
    student, teacher, answer = logs(P, Q), logs(Q, Q), logs((0.25,), (0.5,))
    weights = torch.tensor([0.5, 2.0], dtype=torch.float64)
    inputs = {
        "weights": weights.repeat_interleave(4),
        "reference_logprobs": torch.cat([torch.zeros(2, 1, dtype=torch.float64), teacher], 1).flatten(),
    }
    loss = SoftTargetLoss(4, alpha, divergence)  # type: ignore[arg-type]
    apart = MEASURES[divergence](student, teacher)
    soft, hard = 0.5 * apart[0].item(), 0.5 * math.log(4) + 2 * math.log(2)
    columns = torch.cat([answer, student], 1).flatten()
    assert loss(columns, inputs).item() == pytest.approx(alpha * soft + (1 - alpha) * hard)
    parts = loss.components(columns, inputs)
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(
        {divergence: soft, "cross_entropy": hard}
    )
