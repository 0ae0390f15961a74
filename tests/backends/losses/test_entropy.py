"""The entropy as a term: what it asks a session for, and what it is in a composite."""

from __future__ import annotations

import pytest
import torch

from crucible.backends import losses
from crucible.backends.losses import evaluate
from crucible.errors import BackendError, SpecError

LOGPROBS = torch.tensor([-0.5, -1.0])
INPUTS = {
    "weights": torch.tensor([1.0, 0.5]),
    "entropy": torch.tensor([0.25, 2.0]),
    "logprobs": torch.tensor([-0.5, -3.0]),
    "advantages": torch.tensor([1.0, 1.0]),
}


def test_it_is_the_weighted_sum_of_entropies() -> None:
    """In nats, higher where the model is less decided."""
    assert losses.get("entropy")(LOGPROBS, INPUTS).item() == 1.25


def test_a_composite_asks_for_it_and_reports_it() -> None:
    """A bonus is a negative weight; the part is reported before it."""
    mixed = losses.composite(["ppo", "entropy"], [1.0, -0.1])
    assert mixed.requires == ("logprobs", "advantages", "entropy")
    assert losses.requirements(mixed) == mixed.requires
    total, parts = evaluate(mixed, LOGPROBS, INPUTS)
    assert parts["entropy"].item() == 1.25
    assert total.item() == pytest.approx(parts["ppo"].item() - 0.125)


def test_it_goes_with_the_divergence_from_a_reference() -> None:
    """Three terms, each by its name."""
    mixed = losses.composite(["importance_sampling", "kl_divergence", "entropy"], [1.0, 0.2, -0.1])
    _, parts = evaluate(mixed, LOGPROBS, {**INPUTS, "reference_logprobs": torch.tensor([-0.5, -1.0])})
    assert parts["kl_divergence"].item() == 0
    assert set(parts) == {"importance_sampling", "kl_divergence", "entropy"}


def test_a_composite_takes_a_loss_with_settings_of_its_own() -> None:
    """As it takes a name; the one registered stays as it was."""
    wide = losses.get("ppo").configured({"clip_high_threshold": 10.0})
    given = {**INPUTS, "logprobs": torch.tensor([-0.5, -2.0])}
    assert losses.composite([wide, "entropy"], [1.0, 0.0])(LOGPROBS, given) < losses.composite(["ppo"], [1.0])(
        LOGPROBS, given
    )
    with pytest.raises(SpecError, match="each loss once"):
        losses.composite([wide, "ppo"], [1.0, 1.0])


def test_without_the_whole_distribution_it_is_refused_by_name() -> None:
    """In one sentence that says what to do; nobody is asked to bring it with the data."""
    with pytest.raises(BackendError, match=r"'entropy' needs the entropy of the whole distribution .* local backend"):
        losses.get("entropy")(LOGPROBS, {"weights": INPUTS["weights"]})
    with pytest.raises(BackendError, match="the whole distribution"):
        losses.check_inputs(losses.composite(["cross_entropy", "entropy"], [1.0, -0.1]), {"weights"})


def test_a_function_may_ask_for_it_by_an_attribute() -> None:
    """As a loss of the registry does by `requires`."""

    def confident(logprobs: torch.Tensor, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return (inputs["weights"] * (inputs["entropy"] - logprobs)).sum()

    assert losses.requirements(confident) == ()
    confident.requires = ("entropy",)  # type: ignore[attr-defined]
    assert losses.requirements(confident) == ("entropy",)
    with pytest.raises(BackendError, match="'confident' needs the entropy"):
        evaluate(confident, LOGPROBS, {"weights": INPUTS["weights"]})
