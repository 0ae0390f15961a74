"""The registry of losses: by name, replaced by name, every entry callable, settings by request; composites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch

from crucible.backends import losses
from crucible.backends.losses import registry
from crucible.backends.losses.loss import evaluate
from crucible.errors import BackendError, DataError, SpecError, TrainError

LOGPROBS = torch.tensor([-1.0, -2.0])
INPUTS = {
    "weights": torch.tensor([1.0, 0.5]),
    "reference_logprobs": torch.tensor([-1.0, -1.0]),
    "logprobs": torch.tensor([-1.5, -1.0]),
    "advantages": torch.tensor([1.0, -1.0]),
    "entropy": torch.tensor([0.5, 0.1]),
}
STANDARD = ("bce", "cross_entropy", "kl_divergence", "mae", "mse")
NAMES = tuple(sorted((*STANDARD, "entropy", "importance_sampling", "ppo", "cispo", "dro")))


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """What a test registers is gone after it."""
    before = dict(registry._registry)
    yield
    registry._registry.clear()
    registry._registry.update(before)


def scaled(logprobs: torch.Tensor, inputs: Mapping[str, torch.Tensor], *, scale: float) -> torch.Tensor:
    """A loss with a setting."""
    return -scale * (inputs["weights"] * logprobs).sum()


def test_the_standard_losses() -> None:
    """Ten, sorted; `list` is the field's word for `names`."""
    assert losses.list() == losses.names() == NAMES


def test_every_entry_can_be_called() -> None:
    """The predecessor's standard entries had nothing to compute with; each of these gives a finite number."""
    assert all(losses.get(name)(LOGPROBS, INPUTS).isfinite() for name in losses.names())


def test_registering_again_replaces() -> None:
    """Also a standard one, and its name is listed once."""
    losses.register("mse", lambda logprobs, inputs: -logprobs.sum())
    assert losses.get("mse")(LOGPROBS, INPUTS).item() == 3
    assert losses.names().count("mse") == 1


def test_an_unknown_loss_is_named() -> None:
    """With did-you-mean and the known ones."""
    with pytest.raises(BackendError, match=r"unknown loss 'crossentropy'; did you mean \"cross_entropy\".*known: bce"):
        losses.get("crossentropy")


def test_what_is_no_loss_is_not_registered() -> None:
    """A name without a function, a function without a name."""
    with pytest.raises(SpecError, match="must be a function of"):
        losses.register("mine", 3)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="expected a name"):
        losses.register("", scaled)


def test_a_required_input_that_is_missing_is_named() -> None:
    """With what there was."""
    with pytest.raises(DataError, match=r"'kl_divergence' needs loss_inputs\['reference_logprobs'\].*holds none"):
        losses.get("kl_divergence")(LOGPROBS, {"weights": INPUTS["weights"]})


def test_a_request_changes_settings() -> None:
    """`loss_config` wins over the defaults; an unknown one is refused; a bare function has none."""
    losses.register("scaled", scaled, config={"scale": 2.0})
    assert losses.resolve("scaled")(LOGPROBS, INPUTS).item() == 4
    assert losses.resolve("scaled", {"scale": 0.5})(LOGPROBS, INPUTS).item() == 1
    assert losses.get("scaled").config == {"scale": 2.0}
    with pytest.raises(BackendError, match=r"no setting 'skale'; did you mean \"scale\""):
        losses.resolve("scaled", {"skale": 1.0})
    with pytest.raises(BackendError, match="functools.partial"):
        losses.resolve(lambda logprobs, inputs: logprobs.sum(), {"scale": 1.0})


@pytest.mark.parametrize(
    ("fn", "says"),
    [
        (lambda logprobs, inputs: logprobs, r"returned a tensor of shape \(2,\)"),
        (lambda logprobs, inputs: 3.0, "returned float"),
        (lambda logprobs, inputs: logprobs.detach().sum(), "does not depend on the logprobs"),
    ],
)
def test_what_a_loss_returns_is_checked(fn: Any, says: str) -> None:
    """One number that depends on the logprobs."""
    with pytest.raises(TrainError, match=says):
        evaluate(losses.register("odd", fn), LOGPROBS.clone().requires_grad_(), INPUTS)


# --- composites ---


def test_a_composite_is_the_weighted_sum_and_knows_its_parts() -> None:
    """As the documents of the field have it: any names, the parts reported before their weights."""
    mixed = losses.composite(["cross_entropy", "kl_divergence", "mse"], [0.5, 2.0, -1.0])
    parts = {name: losses.get(name)(LOGPROBS, INPUTS).item() for name in mixed.weights}
    expected = 0.5 * parts["cross_entropy"] + 2 * parts["kl_divergence"] - parts["mse"]
    assert mixed(LOGPROBS, INPUTS).item() == pytest.approx(expected, rel=1e-6)
    total, components = evaluate(mixed, LOGPROBS, INPUTS)
    assert total.item() == pytest.approx(expected, rel=1e-6)
    assert {name: value.item() for name, value in components.items()} == pytest.approx(parts)
    assert mixed.requires == ("reference_logprobs",)


def test_a_composite_can_be_registered_and_be_part_of_another() -> None:
    """It counts as one part there, and what it requires is required."""
    losses.register("mixed", losses.composite(["cross_entropy", "kl_divergence"], [1.0, 1.0]))
    outer = losses.composite(["mixed", "mae"], [1.0, 1.0])
    expected = sum(losses.get(name)(LOGPROBS, INPUTS).item() for name in ("cross_entropy", "kl_divergence", "mae"))
    assert outer(LOGPROBS, INPUTS).item() == pytest.approx(expected, rel=1e-6)
    assert set(evaluate(outer, LOGPROBS, INPUTS)[1]) == {"mixed", "mae"}
    with pytest.raises(DataError, match="'mixed' needs"):
        evaluate(losses.get("mixed"), LOGPROBS, {"weights": INPUTS["weights"]})


def test_a_composites_gradient_by_finite_differences() -> None:
    """torch.autograd.gradcheck in float64."""
    mixed = losses.composite(["cross_entropy", "kl_divergence", "bce"], [0.3, 1.5, -0.2])
    given = {name: tensor.double() for name, tensor in INPUTS.items()}
    assert torch.autograd.gradcheck(lambda lp: mixed(lp, given), (LOGPROBS.double().requires_grad_(),))


def test_a_composite_keeps_its_parts() -> None:
    """Registering a name again changes no composite that was made before."""
    mixed = losses.composite(["mse"], [1.0])
    before = mixed(LOGPROBS, INPUTS).item()
    losses.register("mse", scaled, config={"scale": 9.0})
    assert mixed(LOGPROBS, INPUTS).item() == before


@pytest.mark.parametrize(
    ("names", "weights", "says"),
    [
        (["mse"], [1.0, 2.0], "losses and weights must have the same length, got 1 and 2"),
        ([], [], "at least one, got none"),
        (["mse", "mse"], [1.0, 2.0], "each loss once"),
        (["mse"], [float("nan")], "must be finite"),
    ],
)
def test_an_ill_formed_composite_is_refused(names: list[str], weights: list[float], says: str) -> None:
    """In the predecessor's words where it had some."""
    with pytest.raises(SpecError, match=says):
        losses.composite(names, weights)


def test_an_unknown_part_is_named() -> None:
    """With did-you-mean."""
    with pytest.raises(BackendError, match=r"unknown loss 'ms'"):
        losses.composite(["ms"], [1.0])


@pytest.mark.parametrize("loss", [None, 3, ["cross_entropy"]])
def test_what_is_no_loss_is_refused_by_its_type(loss: object) -> None:
    """Before anything is computed."""
    with pytest.raises(BackendError, match="a loss is a name or a function of .logprobs, inputs., got"):
        losses.resolve(loss)  # type: ignore[arg-type]


def test_a_plain_function_is_no_part_of_a_composite() -> None:
    """Its value could be reported by no name."""
    with pytest.raises(SpecError, match="a part is a name of the registry .*; register it first"):
        losses.composite([lambda logprobs, inputs: logprobs.sum()], [1.0])  # type: ignore[list-item]
