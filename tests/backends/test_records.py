"""Parameters of requests: defaults, and values out of range refused by name."""

from __future__ import annotations

import pytest

from crucible.backends import AdamParams, RmspropParams, SamplingParams, SgdParams


def test_sampling_is_greedy_unless_asked_otherwise() -> None:
    """An evaluation must not depend on luck, so the default temperature is 0."""
    assert SamplingParams() == SamplingParams(max_tokens=64, temperature=0.0, seed=None, stop=())


@pytest.mark.parametrize(
    "bad",
    [
        {"learning_rate": -1e-4},
        {"learning_rate": float("nan")},
        {"beta1": 1.0},
        {"beta2": -0.1},
        {"eps": 0.0},
        {"weight_decay": float("inf")},
        {"grad_clip_norm": -1.0},
    ],
)
def test_adam_params_out_of_range_are_named(bad: dict[str, float]) -> None:
    """The message holds the field and the value."""
    (name, value), *_ = bad.items()
    with pytest.raises(ValueError, match=f"AdamParams.{name} is out of range: expected .*, got {value}"):
        AdamParams(**bad)


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (SgdParams, {"momentum": 1.0}),
        (SgdParams, {"learning_rate": float("inf")}),
        (SgdParams, {"weight_decay": -0.1}),
        (RmspropParams, {"alpha": 1.0}),
        (RmspropParams, {"eps": 0.0}),
        (RmspropParams, {"momentum": -0.5}),
        (RmspropParams, {"grad_clip_norm": float("nan")}),
    ],
)
def test_other_optimizers_params_out_of_range_are_named(
    kind: type[SgdParams | RmspropParams], bad: dict[str, float]
) -> None:
    """The message holds the class, the field and the value."""
    (name, value), *_ = bad.items()
    with pytest.raises(ValueError, match=f"{kind.__name__}.{name} is out of range: expected .*, got {value}"):
        kind(**bad)


@pytest.mark.parametrize(
    "bad", [{"max_tokens": 0}, {"temperature": -0.1}, {"temperature": float("inf")}, {"stop": ("x", "")}]
)
def test_sampling_params_out_of_range_are_named(bad: dict[str, object]) -> None:
    """The message holds the field."""
    with pytest.raises(ValueError, match=f"SamplingParams.{next(iter(bad))}"):
        SamplingParams(**bad)


def test_one_seed_or_one_a_prompt() -> None:
    """Both would contradict each other."""
    with pytest.raises(ValueError, match="seed or seeds, not both"):
        SamplingParams(seed=1, seeds=(1, 2))


def test_a_seed_that_no_generator_takes_is_refused() -> None:
    """They take 64 bits."""
    SamplingParams(seeds=(-(2**63), 2**64 - 1))
    with pytest.raises(ValueError, match="below 2\\^64, got 18446744073709551616"):
        SamplingParams(seed=2**64)
    with pytest.raises(ValueError, match="at least -2\\^63"):
        SamplingParams(seeds=(1, -(2**63) - 1))
