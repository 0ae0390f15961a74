"""What a run knows of a model that it trained: its files, its configuration, what was measured, its scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.errors import ContractError
from crucible.ir import did_you_mean

__all__ = ["TrainedInRun", "trained_in"]

_FACTS = (
    "base_digest", "dataset", "dataset_role", "synthetic", "items", "steps", "tokens", "parameters_trained",
    "stop_reason", "kept_step",
)  # fmt: skip


class TrainedInRun(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a run trained.

    Args:
        folder: Its adapter.
        origin: How it was trained: the resolved `config`, the data, how it ended.
        metrics: Losses of the training, and the mean of every score of its evaluation.
        scores: File with the scores item by item; None where it was not evaluated.
        scorers: Names of the scores in it.
    """

    folder: Path
    origin: dict[str, Any]
    metrics: dict[str, float]
    scores: Path | None = None
    scorers: tuple[str, ...] = ()


def trained_in(
    metrics: Mapping[str, Any], path_of: Callable[[str], Path | None], *, model: str, evaluation: str | None = None
) -> TrainedInRun:
    """Return what a run knows of a model that it trained.

    Args:
        metrics: Of the run.
        path_of: Returns the path of an artifact of the run; None if it has none of that name.
        model: What the training stage called it.
        evaluation: Label of its evaluation; None: the one of its own name, if there is one.

    Raises:
        ContractError: The run did not train it, or did not evaluate it under that label.
    """
    adapter = path_of(f"adapter.{model}")
    if adapter is None:
        known = [name.removeprefix("train.") for name in metrics if name.startswith("train.")]
        listed = f"it trained {', '.join(known)}{did_you_mean(model, known)}" if known else "it trained none"
        raise ContractError(f'the run trained no model "{model}"; {listed}')
    facts = _mapping(metrics.get(f"train.{model}"))
    origin = {name: facts[name] for name in _FACTS if facts.get(name) is not None}
    origin |= {"config": facts["config"]} if isinstance(facts.get("config"), dict) else {}
    measured: dict[str, Any] = {name: facts.get(name) for name in ("initial_loss", "final_loss")}
    measured["validation_loss"] = facts.get("kept_validation_loss")
    label = evaluation or model
    means = _mapping(metrics.get(f"evaluate.{label}"))
    if evaluation is not None and not means:
        known = [name.removeprefix("evaluate.") for name in metrics if name.startswith("evaluate.")]
        listed = f"; it has {', '.join(known)}{did_you_mean(evaluation, known)}" if known else "; it has none"
        raise ContractError(f'the run has no evaluation "{evaluation}"{listed}')
    measured |= {name: _mapping(summary).get("mean") for name, summary in means.items()}
    return TrainedInRun(
        folder=adapter.parent,
        origin=origin,
        metrics=_numbers(measured),
        scores=path_of(f"scores.{label}") if means else None,
        scorers=tuple(means),
    )


def _mapping(value: Any) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
