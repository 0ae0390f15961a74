"""Which metrics a training of any objective reports, and the refusal of those that nothing could ever decide."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from crucible.errors import TrainError
from crucible.ir import LoraConfig, did_you_mean
from crucible.train.objective import Objective

__all__ = ["check_reported", "reported_metrics"]

_STEPS: Final = ("loss", "gradient_norm")
_AT_THE_END: Final = ("initial_loss", "final_loss", "loss_reduction", "steps")


def reported_metrics(reports: Iterable[str], *, held_out: bool, measures: Iterable[str] = ()) -> tuple[str, ...]:
    """Return every metric that a training reports at its validations, in order; none where nothing is held out.

    Args:
        reports: What the objective's validation measures.
        held_out: Whether there is something to validate on.
        measures: Names of the caller's own.
    """
    return (*reports, *_STEPS, *measures) if held_out else ()


def check_reported(config: LoraConfig, objective: Objective, measures: Iterable[str] = ()) -> None:
    """Refuse quality targets, an early stopping and measures that this training could not decide or take.

    Raises:
        TrainError: A metric is not reported, a measure has the name of one that is, or nothing is held out to go by.
    """
    held_out, measures = objective.material.held_out > 0, tuple(measures)
    for name in measures:
        if name in (*objective.reports, *_STEPS, *_AT_THE_END):
            raise TrainError(f'a measure may not be called "{name}": the training reports one of this name itself')
    if not held_out:
        for what, asked in (("early_stopping", config.early_stopping), ("a measure", measures)):
            if asked:
                raise TrainError(f"{what} needs something held out to go by, and this training holds nothing out")
    validated = reported_metrics(objective.reports, held_out=held_out, measures=measures)
    for name in config.quality_targets or {}:
        _check(name, (*validated, *_AT_THE_END), "quality_targets")
    if config.early_stopping is not None:
        _check(config.early_stopping.metric, validated, "early_stopping.metric")


def _check(name: str, known: tuple[str, ...], path: str) -> None:
    if name not in known:
        raise TrainError(
            f'{path} names "{name}", which this training does not report{did_you_mean(name, known)}; '
            f"it reports: {', '.join(known)}"
        )
