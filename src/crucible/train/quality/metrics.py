"""Which metrics a supervised training reports, and the refusal of those that nothing could ever decide."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from crucible.errors import TrainError
from crucible.ir import LoraConfig, did_you_mean

__all__ = ["RESULT_METRICS", "VALIDATION_METRICS", "check_metric_names", "known_metrics"]

VALIDATION_METRICS: Final = ("validation_loss", "validation_perplexity", "loss", "gradient_norm")
"""What every validation reports, and early stopping may watch, beside the caller's own measures."""

RESULT_METRICS: Final = ("initial_loss", "final_loss", "loss_reduction", "steps")
"""What is known at a training's end, too."""


def known_metrics(config: LoraConfig, measures: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the metrics that this training reports at its end, in order.

    Args:
        config: Without held-out items there is no validation, and without cross-entropy no perplexity.
        measures: Names of the caller's own.
    """
    if config.validation_fraction == 0:
        return RESULT_METRICS
    has_perplexity = config.loss == "cross_entropy"
    reported = [name for name in VALIDATION_METRICS if has_perplexity or name != "validation_perplexity"]
    return (*reported, *measures, *RESULT_METRICS)


def check_metric_names(config: LoraConfig, measures: Iterable[str] = ()) -> None:
    """Refuse targets and an early stopping that nothing could ever decide.

    Raises:
        TrainError: A metric is not reported by this training, or early stopping has no held-out items to go by.
    """
    measures = tuple(measures)
    for name in measures:
        if name in (*VALIDATION_METRICS, *RESULT_METRICS):
            raise TrainError(f'a measure may not be called "{name}": the training reports one of this name itself')
    if config.validation_fraction == 0:
        for what, asked in (("early_stopping", config.early_stopping), ("a measure", measures)):
            if asked:
                raise TrainError(f"{what} needs held-out items to go by; set validation_fraction above 0")
    known = known_metrics(config, measures)
    for name in config.quality_targets or {}:
        _check_name(name, known, "quality_targets", config)
    if config.early_stopping is not None:
        reported = [name for name in known if name not in RESULT_METRICS]
        _check_name(config.early_stopping.metric, reported, "early_stopping.metric", config)


def _check_name(name: str, known: Iterable[str], path: str, config: LoraConfig) -> None:
    known = tuple(known)
    if name in known:
        return
    if name in VALIDATION_METRICS and config.validation_fraction == 0:
        raise TrainError(f'{path} names "{name}", which needs held-out items; set validation_fraction above 0')
    raise TrainError(
        f'{path} names "{name}", which this training does not report{did_you_mean(name, known)}; '
        f"it reports: {', '.join(known)}"
    )
