"""The plain losses of predictions and targets: closed forms, PyTorch's values, finite differences."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from crucible.backends import losses
from crucible.errors import DataError

LOSSES = {"mse": losses.mse, "mae": losses.mae, "bce": losses.bce}
PREDICTIONS = torch.tensor([0.9, 0.1])
TARGETS = torch.tensor([1.0, 0.0])


def test_the_predecessors_values() -> None:
    """Its binary cross-entropy and mse are means: 0.1053605 and 0.025, 2.25; the sums are twice that."""
    assert losses.bce(PREDICTIONS, TARGETS, reduction="mean").item() == pytest.approx(0.1053605, abs=1e-7)
    assert losses.bce(PREDICTIONS, TARGETS).item() == pytest.approx(-2 * math.log(0.9), rel=1e-6)
    assert losses.mse(torch.tensor([0.9, 0.2]), TARGETS, reduction="mean").item() == pytest.approx(0.025)
    assert losses.mse(torch.tensor([1.0, 2.0]), torch.zeros(2), reduction="mean").item() == pytest.approx(2.5)
    assert losses.mae(torch.tensor([1.0, -2.0]), torch.zeros(2)).item() == 3


def test_weights_multiply_and_the_mean_divides_by_the_count() -> None:
    """Negative weights count against; a mean of weighted elements is over elements, not over weights."""
    weights = torch.tensor([2.0, -1.0])
    assert losses.mse(torch.tensor([3.0, 1.0]), torch.zeros(2), weights).item() == 2 * 9 - 1
    assert losses.mse(torch.tensor([3.0, 1.0]), torch.zeros(2), weights, reduction="mean").item() == 17 / 2
    assert losses.cross_entropy(torch.zeros(2, 8), torch.tensor([1, 5]), weights).item() == pytest.approx(math.log(8))


def test_they_are_pytorchs() -> None:
    """Over random tensors each equals its counterpart in torch.nn.functional with reduction="sum"."""
    generator = torch.Generator().manual_seed(3)
    predictions, targets = (torch.rand(5, 7, generator=generator, dtype=torch.float64) for _ in range(2))
    rows, wanted = predictions.softmax(-1), targets.softmax(-1)
    classes = torch.tensor([0, 6, 3, 3, 1])
    expected = [
        functional.mse_loss(predictions, targets, reduction="sum"),
        functional.l1_loss(predictions, targets, reduction="sum"),
        functional.binary_cross_entropy(predictions, targets, reduction="sum"),
        functional.kl_div(rows.log(), wanted, reduction="sum"),
        functional.cross_entropy(predictions, classes, reduction="sum"),
    ]
    found = [
        losses.mse(predictions, targets),
        losses.mae(predictions, targets),
        losses.bce(predictions, targets),
        losses.kl_divergence(rows, wanted),
        losses.cross_entropy(predictions, classes),
    ]
    assert [each.item() for each in found] == pytest.approx([each.item() for each in expected], rel=1e-9)


def test_kl_of_two_coins_in_closed_form() -> None:
    """KL(0.5 || 0.25) = 0.5 ln 2 + 0.5 ln(2/3); of a thing and itself 0; a zero in the targets costs nothing."""
    fair, odd = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    assert losses.kl_divergence(odd, fair).item() == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3), rel=1e-6)
    assert losses.kl_divergence(odd, odd).item() == pytest.approx(0, abs=1e-7)
    sure = torch.tensor([[1.0, 0.0]])
    assert losses.kl_divergence(fair, sure, torch.tensor([3.0])).item() == pytest.approx(3 * math.log(2), rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradients_by_finite_differences(loss: Callable[..., torch.Tensor]) -> None:
    """torch.autograd.gradcheck in float64, by predictions and weights."""
    predictions = torch.tensor([0.3, 0.6, 0.85], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([1.0, 0.2, 0.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p, w: loss(p, targets, w), (predictions, weights))
    assert torch.autograd.gradcheck(lambda p: loss(p, targets, reduction="mean"), (predictions,))


def test_gradients_of_distributions_by_finite_differences() -> None:
    """kl_divergence by its predictions and cross_entropy by its logits."""
    rows = torch.tensor([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]], dtype=torch.float64, requires_grad=True)
    wanted = torch.tensor([[0.0, 0.4, 0.6], [0.3, 0.3, 0.4]], dtype=torch.float64)
    weights = torch.tensor([1.0, -0.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: losses.kl_divergence(p, wanted, weights), (rows,))
    assert torch.autograd.gradcheck(lambda p: losses.cross_entropy(p, torch.tensor([2, 0]), weights), (rows,))


def test_probabilities_of_0_and_1_give_finite_values_and_gradients() -> None:
    """Certain and wrong costs 16.1 nats, the logarithm of 1e-7, and its gradient points the right way."""
    predictions = torch.tensor([0.0, 1.0, 1.0, 0.0], requires_grad=True)
    loss = losses.bce(predictions, torch.tensor([1.0, 0.0, 1.0, 0.0]))
    loss.backward()
    assert loss.item() == pytest.approx(2 * -math.log(1e-7), rel=0.01)
    assert predictions.grad is not None
    assert predictions.grad.isfinite().all()
    assert (predictions.grad.sign() == torch.tensor([-1.0, 1.0, -1.0, 1.0])).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: losses.mse(PREDICTIONS, torch.zeros(3)), r"targets must have the shape \(2,\), got \(3,\)"),
        (lambda: losses.mae(PREDICTIONS, TARGETS, torch.zeros(1)), r"weights must have the shape \(2,\), got \(1,\)"),
        (lambda: losses.mse(PREDICTIONS, TARGETS, reduction="none"), "reduction must be 'sum' or 'mean', got 'none'"),
        (
            lambda: losses.bce(torch.tensor([1.5]), torch.tensor([1.0])),
            r"predictions must be probabilities in \[0, 1\]",
        ),
        (lambda: losses.bce(torch.tensor([float("nan")]), torch.tensor([1.0])), "predictions must be probabilities"),
        (lambda: losses.kl_divergence(PREDICTIONS, -TARGETS), "targets must be probabilities"),
        (lambda: losses.kl_divergence(PREDICTIONS, TARGETS, TARGETS), r"weights must have the shape \(\)"),
        (lambda: losses.cross_entropy(PREDICTIONS, TARGETS), r"expected logits \(N, V\) and targets \(N,\)"),
        (lambda: losses.cross_entropy(torch.zeros(1, 4), torch.tensor([4])), "outside of the 4 classes"),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[], torch.Tensor], says: str) -> None:
    """Shapes are never broadcast, and what is no probability is not taken for one."""
    with pytest.raises(DataError, match=says):
        call()


def test_without_pytorch_the_extra_is_named() -> None:
    """The message holds the exact pip command."""
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from crucible.errors import MissingExtra\n"
        "try:\n    import crucible.backends.losses\nexcept MissingExtra as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ("crucible.backends.losses needs the extra 'train': pip install 'crucible-ml[train]'\n")
