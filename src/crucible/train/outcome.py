"""How a training ended: which checkpoint's weights are handed out and why, and how it stands with its targets."""

from __future__ import annotations

from crucible import events
from crucible.ir import LoraConfig
from crucible.train.checkpoints import CheckpointFolder, TrainState, joined
from crucible.train.early_stopping import best_of, value_of
from crucible.train.keeping.choice import Mode
from crucible.train.quality import QualityReport, assess
from crucible.train.records import Checkpoint, StepRecord

__all__ = ["choose", "history_of", "judge"]


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
