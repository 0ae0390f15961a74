"""What the four hooks find in a gradient, against closed forms and PyTorch's own figures of the whole."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.backends.hooks import (
    GradientIssue,
    Gradients,
    distribution,
    flow,
    health,
    layer_of,
    natural_order,
    norm,
)
from crucible.errors import SpecError, TrainError

PARTS = {"layer_10": torch.randn(7, 3, dtype=torch.float32), "layer_2": torch.tensor([3.0, 0.0, 4.0, 0.0])}
WHOLE = torch.cat([part.reshape(-1) for part in PARTS.values()])


def test_the_reference_fixture() -> None:
    """A layer [3, 4] has the norm 5 and a sample standard deviation of 0.7071; a list of numbers will do."""
    assert norm({"layer_2": [3, 4]}).layers == {"layer_2": 5.0}
    found = distribution({"layer_2": [3, 4]}).layers["layer_2"]
    assert (found.mean, found.min, found.max, found.sparsity, found.count) == (3.5, 3.0, 4.0, 0.0, 2)
    assert found.std == pytest.approx(0.70710678)


def test_the_norm_in_all_is_that_of_all_numbers() -> None:
    """Whatever the shapes of the layers are; the extremes are those of layers."""
    found = norm(PARTS)
    assert found.total == pytest.approx(WHOLE.norm().item(), rel=1e-6)
    assert found.numbers() == {
        "total": found.total,
        "largest": max(found.layers.values()),
        "smallest": 5.0 if found.layers["layer_10"] > 5 else found.layers["layer_10"],
    }


def test_the_distribution_in_all_is_that_of_all_numbers() -> None:
    """Put together from the layers' own figures, to 1e-5 of PyTorch's over the whole."""
    found = distribution(PARTS).total
    assert found.mean == pytest.approx(WHOLE.mean().item(), rel=1e-5)
    assert found.std == pytest.approx(WHOLE.std().item(), rel=1e-5)
    assert (found.min, found.max) == (WHOLE.min().item(), WHOLE.max().item())
    assert found.sparsity == 2 / 25
    assert found.count == 25


def test_a_single_number_has_no_deviation() -> None:
    """None, and not a 0 that would say that it does not vary."""
    found = distribution({"only": [2.0]})
    assert found.layers["only"].std is None
    assert found.total.std is None
    assert "std" not in found.numbers()


def test_flow_is_in_natural_order() -> None:
    """Layer 2 before layer 10, whatever the order in which they came, and the first over the last."""
    found = flow({"layers.10.q": [1.0], "layers.2.q": [3.0, 4.0], "layers.2.k": [2.0]})
    assert found.layers == (("layers.2.k", 2.0), ("layers.2.q", 5.0), ("layers.10.q", 1.0))
    assert found.first_to_last == 2.0
    assert flow({"one": [1.0]}).first_to_last is None
    assert flow({"a": [1.0], "b": [0.0]}).numbers() == {}


def test_natural_order_compares_text_with_text_and_numbers_with_numbers() -> None:
    """Names that begin with a digit too."""
    names = ["2x", "a10", "a9b", "10x", "a", "a9"]
    assert sorted(names, key=natural_order) == ["2x", "10x", "a", "a9", "a9b", "a10"]


def test_health_names_what_is_wrong_with_which_layer() -> None:
    """Below 1e-7 vanishing, above 1e3 exploding, NaN and infinity neither; the limits themselves are well."""
    found = health(
        {"a": [1e-8], "b": [1e-7 * 1.001], "c": [1e3], "d": [2e3], "e": [math.nan, 1.0], "f": [math.inf], "g": [0.0]}
    )
    assert [(issue.layer, issue.kind) for issue in found.issues] == [
        ("a", "vanishing"),
        ("d", "exploding"),
        ("e", "not_finite"),
        ("f", "not_finite"),
        ("g", "vanishing"),
    ]
    assert found.numbers() == {"vanishing": 2.0, "exploding": 1.0, "not_finite": 2.0}
    assert not found.is_healthy
    assert found.details()["issues"][2] == {"layer": "e", "kind": "not_finite", "norm": None}


def test_limits_of_health_can_be_set() -> None:
    """And are refused where no value could lie between them."""
    assert health({"a": [5.0]}, exploding=4.0).issues == (GradientIssue("a", "exploding", 5.0),)
    assert health({"a": [5.0]}, vanishing=6.0).issues == (GradientIssue("a", "vanishing", 5.0),)
    with pytest.raises(SpecError, match=r"vanishing: must be 0 or more and at most exploding \(0.5\), got 1"):
        health({"a": [5.0]}, vanishing=1.0, exploding=0.5)


@pytest.mark.parametrize("look", [norm, distribution, flow, health])
def test_nothing_to_look_at_is_an_error(look: object) -> None:
    """Neither no layer nor an empty one is a gradient of norm 0."""
    with pytest.raises(TrainError, match="no layer with a gradient"):
        look({})  # type: ignore[operator]
    with pytest.raises(TrainError, match="the gradient of a is empty"):
        look({"a": []})  # type: ignore[operator]


def test_norms_are_computed_once_for_all_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hooks that need them ask for one pass over the gradient."""
    passes: list[int] = []
    whole = torch.linalg.vector_norm
    monkeypatch.setattr(torch.linalg, "vector_norm", lambda tensor: passes.append(1) or whole(tensor))
    gradients = Gradients({"a": torch.ones(3), "b": torch.ones(2)}, step=1)
    norm(gradients), flow(gradients), health(gradients)
    assert len(passes) == 2


def test_a_layer_is_an_adapted_module() -> None:
    """Both of its matrices are of it; a name of another form is its own layer."""
    stem = "base_model.model.model.layers.3.mlp.up_proj"
    assert layer_of(f"{stem}.lora_A.weight") == layer_of(f"{stem}.lora_B.weight") == "model.layers.3.mlp.up_proj"
    assert layer_of("a") == "a"


def test_infinities_of_both_signs_are_looked_at() -> None:
    """They have no mean, and looking at them is no error: refusing the step is the session's business."""
    found = distribution({"a": [math.inf], "b": [-math.inf]})
    assert (found.total.min, found.total.max) == (-math.inf, math.inf)
    assert math.isnan(found.total.mean)


@pytest.mark.parametrize("given", [["x"], [[1.0], [2.0, 3.0]], [None]])
def test_a_gradient_of_no_numbers_is_an_error_by_its_layer(given: list[object]) -> None:
    """Whole numbers are numbers, as a list or as a tensor."""
    with pytest.raises(TrainError, match="the gradient of a must be a tensor or numbers, got"):
        norm({"a": given})  # type: ignore[dict-item]
    assert norm({"a": [3, 4]}).total == norm({"a": torch.tensor([3, 4])}).total == 5.0
