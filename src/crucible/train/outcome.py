"""How a training ended: which checkpoint's weights are handed out and why, and how it stands with its targets."""

from __future__ import annotations

import math

from crucible import events
from crucible.backends import Session
from crucible.ir import LoraConfig
from crucible.train.checkpoints import CheckpointFolder, TrainState, joined
from crucible.train.early_stopping import best_of, value_of
from crucible.train.keeping.choice import Mode
from crucible.train.objective import Material
from crucible.train.quality import QualityReport, assess
from crucible.train.records import Checkpoint, StepRecord, TrainResult

__all__ = ["choose", "history_of", "judge", "result_of"]


def choose(
    checkpoints: CheckpointFolder, state: TrainState, config: LoraConfig, watched: tuple[str, Mode], *, model: str
) -> tuple[Checkpoint, Checkpoint | None]:
    """Decide which checkpoint's weights to hand out, say why, and return it and the best one on disk.

    Args:
        checkpoints: Those of the training.
        state: Where it ended.
        config: Whether the best or the last is wanted.
        watched: The metric that says which is best, and its mode.
        model: Name of the adapter, for events.

    Returns:
        The chosen checkpoint; the best, None where nothing was validated.
    """
    metric, mode = watched
    there = checkpoints.checkpoints()
    on_disk = {checkpoint.step for checkpoint in there}
    best = best_of([record for record in state.validation if record["step"] in on_disk], metric, mode)
    step = state.step
    if config.keep == "last":
        why = "it is the last one, as keep: last asks"
    elif best is None:
        why = "it is the last one; no items are held out that could tell which is best"
    else:
        step = best["step"]
        word = "lowest" if mode == "min" else "highest"
        why = f"{word} {metric.replace('_', ' ')} ({value_of(best, metric):.4g})"
    others = [record["step"] for record in state.validation if record["step"] != step]
    by_step = {checkpoint.step: checkpoint for checkpoint in there}
    kept = by_step[step]
    events.decision(
        f"kept the checkpoint at step {step}" + (f" over {joined(others)}" if others else ""),
        why,
        alternatives=[f"step {other}" for other in others],
        metadata={"model": model, "step": step, "validation_loss": kept.metrics.get("validation_loss")},
    )
    return kept, by_step[best["step"]] if best else None


def judge(
    state: TrainState, kept_step: int, final_loss: float | None, config: LoraConfig, *, model: str
) -> QualityReport | None:
    """Return how the kept weights stand with the quality targets, and say so; None where there are none.

    Args:
        state: Where the training ended.
        kept_step: The step whose weights are handed out.
        final_loss: Loss of the sample after the last step; None where the objective has none.
        config: With the targets.
        model: Name of the adapter, for events.
    """
    if not config.quality_targets:
        return None
    actual = {"steps": float(state.step)}
    if state.initial_loss is not None and final_loss is not None:
        actual |= {"initial_loss": state.initial_loss, "final_loss": final_loss}
        if state.initial_loss > 0:
            actual["loss_reduction"] = 1 - final_loss / state.initial_loss
    for record in state.validation:
        if record["step"] == kept_step:
            actual |= record.get("metrics", {})
    report = assess(config.quality_targets, actual)
    events.decision(
        report.summary,
        report.words(),
        metadata={"model": model, "step": kept_step, "missed": [each.metric for each in report.missed]},
    )
    return report


def history_of(state: TrainState) -> list[StepRecord]:
    """Return the steps, with the validation loss where there was a validation after one."""
    measured = {record["step"]: record["loss"] for record in state.validation if "loss" in record}
    return [
        {**record, "validation_loss": measured[record["step"]]} if record["step"] in measured else record
        for record in state.history
    ]


def result_of(
    state: TrainState,
    material: Material,
    session: Session,
    checkpoints: CheckpointFolder,
    chosen: tuple[Checkpoint, Checkpoint | None],
    *,
    final_loss: float | None,
    stopped: str | None,
    quality: QualityReport | None,
) -> TrainResult:
    """Return how a training went.

    Args:
        state: Where it ended.
        material: What it read.
        session: Of the adapter.
        checkpoints: Those of the training.
        chosen: Whose weights are handed out, and the best on disk, as `choose` returns them.
        final_loss: Loss of the sample after the last step; None where the objective has none.
        stopped: Why early stopping ended it; None where it did not.
        quality: How it stands with the quality targets; None where there are none.
    """
    kept, best = chosen
    return TrainResult(
        initial_loss=math.nan if state.initial_loss is None else state.initial_loss,
        final_loss=math.nan if final_loss is None else final_loss,
        steps=state.step,
        history=history_of(state),
        validation=state.validation,
        kept=kept,
        best_checkpoint=best,
        checkpoints=tuple(checkpoints.checkpoints()),
        stopped_early=stopped is not None,
        stop_reason=stopped or f"all {state.step} steps are taken",
        quality=quality,
        initial_validation_loss=state.initial_validation_loss,
        initial_validation=state.initial_validation,
        items=material.items,
        truncated=material.truncated,
        refused=material.refused,
        tokens=state.tokens,
        parameters_trained=session.trainable_parameters,
        synthetic=material.synthetic,
        base_digest=session.base_digest,
    )
