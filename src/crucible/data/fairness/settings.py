"""The options of `fairness`, and what they come to together with `reliability.fairness` of the document."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from pydantic import Field

from crucible.data.fairness.measures import METRICS, known_metric
from crucible.data.fairness.rules import FairnessRules, LimitKind
from crucible.errors import DataError, SpecErrors, StatsError
from crucible.ir import Experiment, FairnessConfig, Seq, did_you_mean, read_plain
from crucible.pipeline import StageOptions
from crucible.stats import canonical_correction, interval_level
from crucible.stats.bench.announced import evaluations_before

__all__ = ["FairnessOptions", "Settings", "evaluation_problems", "resolve", "setting_problems"]

_CONFIG: Final = "reliability.fairness"
_OWN: Final = ("label", "evaluation")  # options of one stage, not of the document
_FROM_CONFIG: Final = ("metrics", "threshold", "fail_on_violation")


class FairnessOptions(StageOptions):
    """Options of `fairness`; one that is not given is what `reliability.fairness` says, its `options` included."""

    evaluation: str | None = Field(
        default=None, min_length=1, description="Label of the evaluation to look at; default: the only one there is."
    )
    group_by: Seq[str] | None = Field(
        default=None,
        min_length=1,
        description="Fields of the items' metadata that name the group; several: every combination of their values.",
    )
    metrics: Seq[str] | None = Field(
        default=None,
        min_length=1,
        description=(
            "demographic_parity, equalized_odds, equal_opportunity, predictive_parity, accuracy, score; default: "
            "score, and all others where positive is given."
        ),
    )
    scorer: str | None = Field(
        default=None, min_length=1, description="Scorer of the metric score; default: the evaluation's first."
    )
    positive: Seq[str] | None = Field(
        default=None, min_length=1, description="Answers that are the positive one, such as [yes]; case is no matter."
    )
    negative: Seq[str] | None = Field(
        default=None,
        min_length=1,
        description="Answers that are the negative one; any other is left out. Default: all that are not positive.",
    )
    prediction: str = Field(
        default="output",
        pattern=r"^(output|metadata)(\.|$)",
        description="Where the answer stands: output, a field of a JSON answer such as output.label, metadata.x.",
    )
    truth: str = Field(
        default="expected",
        pattern=r"^(expected|metadata)(\.|$)",
        description="Where the right answer stands: expected, a field of it such as expected.label, metadata.x.",
    )
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="Limit of a gap; without one, gaps are reported and none is judged."
    )
    threshold_as: LimitKind | None = Field(
        default=None,
        description="difference of rates, or ratio of the smaller to the larger; default: ratio from 0.5 on.",
    )
    fail_on_violation: bool | None = Field(default=None, description="A violation ends the run; default: false.")
    fail_on: Literal["clear", "possible"] = Field(
        default="clear",
        description="Which violation ends the run: clear (all of the interval is beyond the limit), or possible too.",
    )
    min_group_size: int = Field(default=10, ge=2, description="Items that a group needs under a fraction to be judged.")
    max_groups: int = Field(default=50, ge=2, description="Most groups.")
    failures: Literal["exclude", "zero", "abort"] = Field(
        default="exclude", description="What becomes of items whose scoring failed, in the metric score."
    )
    alpha: float | None = Field(default=None, gt=0, lt=1, description="Type-I error rate of all pairs together.")
    confidence_level: float | None = Field(default=None, gt=0, lt=1, description="Level of the intervals; 1 - alpha.")
    correction: str | None = Field(default=None, description="bonferroni, holm, hochberg, bh, by or none.")
    label: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Tells a second stage of this kind from the first: its results are fairness.<label>.",
    )


class Settings(msgspec.Struct, frozen=True):
    """What a stage does, decided.

    Args:
        options: The stage's options over those of the document.
        group_by: Fields that name the group, at least one.
        metrics: Names of metrics, at least one.
        rules: How groups are compared.
        fails: Whether a violation ends the run.
    """

    options: FairnessOptions
    group_by: tuple[str, ...]
    metrics: tuple[str, ...]
    rules: FairnessRules
    fails: bool


def resolve(options: FairnessOptions, experiment: Experiment) -> Settings:
    """Return what the stage does: its own options, else those of the document, else the defaults.

    There must be no `setting_problems`.
    """
    merged = _merged(options, experiment)
    stats = experiment.reliability.stats if experiment.reliability else None
    alpha = merged.alpha if merged.alpha is not None else stats.alpha if stats else 0.05
    correction = merged.correction or (stats and stats.multiple_testing_correction) or "holm"
    rules = FairnessRules(
        threshold=merged.threshold,
        threshold_as=merged.threshold_as,
        min_group_size=merged.min_group_size,
        alpha=alpha,
        level=interval_level(stats, merged.confidence_level, alpha=merged.alpha),
        correction=canonical_correction(correction),
        max_groups=merged.max_groups,
    )
    return Settings(merged, tuple(merged.group_by or ()), _metrics(merged), rules, bool(merged.fail_on_violation))


def setting_problems(options: FairnessOptions, experiment: Experiment) -> list[tuple[str, str]]:
    """Return what cannot be done, as (path, message); a path is an option of the stage or one of the document."""
    config = _config(experiment)
    try:
        merged = _merged(options, experiment)
    except SpecErrors as errors:
        return [(error.path, str(error).removeprefix(f"{error.path} ").removeprefix(": ")) for error in errors.errors]
    found: list[tuple[str, str]] = []
    if not merged.group_by:
        given = experiment.reliability.fairness if experiment.reliability else None
        off = f"; {_CONFIG} is not enabled, so what it says does not count" if given and not given.enabled else ""
        found.append(("group_by", f"say which field of the items names their group{off}"))
    where = "metrics" if options.metrics is not None or config is None else f"{_CONFIG}.metrics"
    for place, name in enumerate(merged.metrics or ()):
        try:
            known_metric(name)
        except DataError as error:
            found.append((f"{where}[{place}]", str(error)))
    needing = [name for name in merged.metrics or () if name in METRICS and name != "score"]
    if needing and merged.positive is None:
        found.append(("positive", f"{needing[0]} compares positive answers: say which they are, such as [yes]"))
    if merged.fail_on_violation and merged.threshold is None:
        found.append(("threshold", "fail_on_violation needs a threshold: without a limit nothing is a violation"))
    if merged.positive and merged.negative and (both := _folded(merged.positive) & _folded(merged.negative)):
        found.append(("negative", f'"{min(both)}" is among the positive answers, too'))
    if merged.correction is not None:
        try:
            canonical_correction(merged.correction)
        except StatsError as error:
            found.append(("correction", str(error)))
    return found


def evaluation_problems(options: FairnessOptions, experiment: Experiment, stage: str) -> list[tuple[str, str]]:
    """Return an evaluation that no stage before this one will leave, or that is not named where there are several."""
    try:
        options = _merged(options, experiment)
    except SpecErrors:
        return []  # told by `setting_problems`
    before = evaluations_before(experiment, stage)
    asked = options.evaluation
    if before is None or (asked is None and len(before) == 1):
        return []
    listed = ", ".join(before) or "none"
    if asked is None:
        return [("evaluation", f"name the evaluation to look at; those before this stage are: {listed}")]
    if asked not in before:
        hint = did_you_mean(asked, before)
        return [("evaluation", f'no evaluation before this stage is labelled "{asked}"{hint}; they are: {listed}')]
    scorers = before[asked].scorers
    if options.scorer is None or scorers is None or options.scorer in scorers:
        return []
    return [("scorer", f'the evaluation does not score "{options.scorer}"; it scores: {", ".join(scorers)}')]


def _merged(options: FairnessOptions, experiment: Experiment) -> FairnessOptions:
    """Return the options, with what the document says where the stage says nothing.

    Raises:
        SpecErrors: `reliability.fairness.options` holds what is no option.
    """
    config = _config(experiment)
    if config is None:
        return options
    given: dict[str, Any] = dict(config.options or {})
    path = f"{_CONFIG}.options"
    for name in _OWN:
        if name in given:
            given[f"{name} (an option of the stage)"] = given.pop(name)  # refused by the reading, by name
    read = read_plain(FairnessOptions, given, source="fairness", prefix=(path,))
    values = {name: getattr(read, name) for name in read.model_fields_set}
    values |= {name: value for name in _FROM_CONFIG if (value := getattr(config, name)) is not None}
    if config.group_by is not None:
        values.setdefault("group_by", (config.group_by,))
    values |= {name: getattr(options, name) for name in options.model_fields_set}
    return FairnessOptions(**values)


def _config(experiment: Experiment) -> FairnessConfig | None:
    """Return what the document says of fairness; None where it says nothing, or is switched off."""
    config = experiment.reliability.fairness if experiment.reliability else None
    return config if config is not None and config.enabled else None


def _metrics(options: FairnessOptions) -> tuple[str, ...]:
    if options.metrics is not None:
        return tuple(dict.fromkeys(options.metrics))
    if options.positive is None:
        return ("score",)
    return ("score", *(name for name in METRICS if name != "score"))


def _folded(words: tuple[str, ...]) -> set[str]:
    return {word.strip().casefold() for word in words}
