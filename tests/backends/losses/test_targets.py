"""The losses of a session over the targets' log-probabilities: closed forms, finite differences, both ends."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.backends import losses
from crucible.errors import DataError

NAMES = ("bce", "cross_entropy", "kl_divergence", "mae", "mse")  # those of a policy: test_policy
ENDS = torch.tensor([0.0, -1e-9, -1e-7, -1e-3, -1.0, -40.0, -120.0, -1e4])  # from certain to beyond underflow


def inputs(weights: list[float], **others: list[float]) -> dict[str, torch.Tensor]:
    """Tensors as a session hands them over."""
    return {name: torch.tensor(values) for name, values in {"weights": weights, **others}.items()}


def logs(*probabilities: float) -> torch.Tensor:
    """Log-probabilities."""
    return torch.tensor(probabilities).log()


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("cross_entropy", inputs([1.0, 0.5]), -math.log(0.9) - 0.5 * math.log(0.2)),
        ("cross_entropy", inputs([1.0, -1.0]), -math.log(0.9) + math.log(0.2)),
        ("mse", inputs([1.0, 2.0]), 0.1**2 + 2 * 0.8**2),
        ("mse", inputs([1.0, 1.0], targets=[1.0, 0.0]), 0.1**2 + 0.2**2),
        ("mae", inputs([1.0, -2.0]), 0.1 - 2 * 0.8),
        ("mae", inputs([1.0, 1.0], targets=[0.5, 0.5]), 0.4 + 0.3),
        ("bce", inputs([1.0, 1.0], targets=[1.0, 0.0]), -math.log(0.9) - math.log(0.8)),
        ("bce", inputs([1.0, 3.0], targets=[0.5, 1.0]), -0.5 * math.log(0.9 * 0.1) - 3 * math.log(0.2)),
        (
            "kl_divergence",
            inputs([1.0, 2.0], reference_logprobs=[math.log(0.45), math.log(0.2)]),
            0.9 / 0.45 - 1 - math.log(2),
        ),
    ],
)
def test_closed_forms(name: str, given: dict[str, torch.Tensor], expected: float) -> None:
    """At the probabilities 0.9 and 0.2, worked out by hand; a sum, weighted."""
    assert losses.get(name)(logs(0.9, 0.2), given).item() == pytest.approx(expected, rel=1e-5)


def test_bce_of_wanted_tokens_is_cross_entropy() -> None:
    """To the bit, since the other term is 0 times a finite number."""
    given = inputs([1.0] * len(ENDS))
    assert torch.equal(losses.get("bce")(ENDS, given), losses.get("cross_entropy")(ENDS, given))


def test_kl_over_all_tokens_is_the_divergence() -> None:
    """Weighted by the reference's own probabilities the terms sum to KL(reference || model), the plain function's."""
    generator = torch.Generator().manual_seed(5)
    model, reference = (torch.randn(20, generator=generator, dtype=torch.float64).log_softmax(-1) for _ in range(2))
    given = {"weights": reference.exp(), "reference_logprobs": reference}
    expected = losses.kl_divergence(model.exp(), reference.exp())
    assert losses.get("kl_divergence")(model, given).item() == pytest.approx(expected.item(), rel=1e-9)


def test_kl_is_0_only_where_both_agree() -> None:
    """Each term is never negative."""
    loss = losses.get("kl_divergence")
    for difference in (-30.0, -2.0, -1e-3, 0.0, 1e-3, 2.0, 30.0):
        value = loss(torch.tensor([-40.0 + difference]), inputs([1.0], reference_logprobs=[-40.0])).item()
        assert (value > 0) is (difference != 0)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_by_finite_differences(name: str) -> None:
    """torch.autograd.gradcheck in float64, with weights of both signs and soft targets."""
    logprobs = torch.tensor([-0.1, -1.0, -5.0, -0.7], dtype=torch.float64, requires_grad=True)
    given = {
        "weights": torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64),
        "targets": torch.tensor([1.0, 0.0, 0.3, 0.9], dtype=torch.float64),
        "reference_logprobs": torch.tensor([-0.2, -3.0, -0.1, -0.7], dtype=torch.float64),
    }
    assert torch.autograd.gradcheck(lambda lp: losses.get(name)(lp, given), (logprobs,))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("reference", [0.0, -1.0, -120.0])
def test_both_ends_are_finite(name: str, target: float, reference: float) -> None:
    """From a certain token to one beyond underflow, value and gradient are finite."""
    logprobs = ENDS.clone().requires_grad_()
    given = inputs([1.0] * len(ENDS), targets=[target] * len(ENDS), reference_logprobs=[reference] * len(ENDS))
    loss = losses.get(name)(logprobs, given)
    loss.backward()
    assert loss.isfinite()
    assert logprobs.grad is not None
    assert logprobs.grad.isfinite().all()


def test_a_certain_token_that_is_not_wanted_is_still_pushed_down() -> None:
    """Where p is 1 to the last bit the gradient of unlikelihood does not vanish."""
    logprobs = torch.zeros(1, requires_grad=True)
    losses.get("bce")(logprobs, inputs([1.0], targets=[0.0])).backward()
    assert logprobs.grad is not None
    assert logprobs.grad.item() > 1e6


@pytest.mark.parametrize("name", ["mse", "mae", "bce"])
@pytest.mark.parametrize("target", [-0.1, 1.5])
def test_targets_are_probabilities(name: str, target: float) -> None:
    """Others are refused, with the value."""
    with pytest.raises(DataError, match=rf"probabilities in \[0, 1\]; got {target}"):
        losses.get(name)(logs(0.5), inputs([1.0], targets=[target]))


def test_references_are_log_probabilities() -> None:
    """A probability that was not turned into its logarithm is refused."""
    with pytest.raises(DataError, match=r"at most 0; got 0.3"):
        losses.get("kl_divergence")(logs(0.5), inputs([1.0], reference_logprobs=[0.3]))
