"""What a bench stage was asked to do, resolved: stage option, then `reliability.stats`, then the defaults.

Everything that the document asks for is either in the plan or among `refusals.refusals`, by path; nothing is ignored.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from crucible.ir import Seq, StatsConfig
from crucible.pipeline import StageOptions
from crucible.stats.bench.contrast import Plan
from crucible.stats.intervals.level import interval_level
from crucible.stats.names import canonical_correction, canonical_effect, canonical_test

__all__ = ["BenchOptions", "Contrast", "DataSource", "Plan", "resolve"]

DataSource = Literal["scores", "assigns", "outputs", "metrics"]
_DEFAULT_TESTS = StatsConfig().tests


class Contrast(StageOptions):
    """Two evaluated models, or two groups, to compare by their labels."""

    baseline: str = Field(min_length=1, description="Label of the evaluation or group to compare against.")
    treatment: str = Field(min_length=1, description="Label of the evaluation or group to compare.")
    name: str | None = Field(default=None, description="Name of the contrast; 'treatment vs baseline' if absent.")
    metric: str | None = Field(default=None, min_length=1, description="Scorer compared; the stage's if absent.")


class BenchOptions(StageOptions):
    """Options of `bench`."""

    contrasts: Seq[Contrast] | None = Field(
        default=None, min_length=1, description="What to compare, in the order of the report."
    )
    data_source: DataSource | None = Field(
        default=None,
        description=(
            "scores: what evaluations left, the default with contrasts. assigns: groups in assigns.bench_data. "
            "outputs: the run's outputs by group. metrics: the metrics that are named."
        ),
    )
    metric: str | None = Field(
        default=None,
        min_length=1,
        description="Scorer compared where a contrast names none, exact_match if absent; key of an output's score.",
    )
    metrics: Seq[str] | None = Field(
        default=None, min_length=1, description="Metrics that are groups, such as latency.a, for data_source: metrics."
    )
    group_by: str | None = Field(
        default=None, min_length=1, description="Key of an output that names its group; prompt if absent."
    )
    baseline: str | None = Field(
        default=None, min_length=1, description="Group that all others are compared with; all pairs if absent."
    )
    tests: Seq[str] | None = Field(
        default=None, description="Tests; the first that applies gives the verdict. auto: by rule."
    )
    alpha: float | None = Field(default=None, gt=0, lt=1, description="Type-I error rate of all contrasts together.")
    correction: str | None = Field(default=None, description="bonferroni, holm, hochberg, bh, by or none.")
    confidence_level: float | None = Field(default=None, gt=0, lt=1, description="Level of the intervals; 1 - alpha.")
    effect_size_type: str | None = Field(default=None, description="Effect size, such as hedges_g; by test if absent.")
    bootstrap_iterations: int | None = Field(default=None, ge=100, description="Resamples of a bootstrap; 10000.")
    failures: Literal["exclude", "zero", "abort"] | None = Field(
        default=None,
        description="What becomes of failed items; the policy of the evaluations, else exclude, if absent.",
    )
    seed: int | None = Field(default=None, ge=0, description="Seed of a bootstrap; 0 if absent.")
    options: dict[str, Any] | None = Field(default=None, description="Laid over reliability.stats.options: seed.")

    @property
    def source(self) -> DataSource | None:
        """Where the scores come from; None where nothing says what to compare."""
        return self.data_source or ("scores" if self.contrasts else None)

    def metric_of(self, contrast: Contrast) -> str:
        """Return the scorer that a contrast of evaluations compares."""
        return contrast.metric or self.metric or "exact_match"

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of all contrasts, each once, in order."""
        return tuple(dict.fromkeys(label for c in self.contrasts or () for label in (c.baseline, c.treatment)))


def resolve(options: BenchOptions, stats: StatsConfig | None) -> Plan:
    """Resolve how to compare, for a document without refusals.

    `reliability.stats.tests` that is the type's default list asks for no test in particular: the written rule gives the
    verdict, and the tests of the list are made beside it.

    Raises:
        StatsError: A word is unknown.
    """
    stats = stats or StatsConfig(tests=("auto",))
    words = options.tests or (("auto", *stats.tests) if stats.tests == _DEFAULT_TESTS else stats.tests)
    names = map(canonical_test, words or ("auto",))
    if options.source == "scores":  # paired, always
        names = ("paired_ttest" if name == "ttest" else name for name in names)
    effect = options.effect_size_type or stats.effect_size_type
    alpha = stats.alpha if options.alpha is None else options.alpha
    seed: Any = {**(stats.options or {}), **(options.options or {})}.get("seed", 0)
    return Plan(
        tests=tuple(dict.fromkeys(names)),
        alpha=alpha,
        correction=canonical_correction(options.correction or stats.multiple_testing_correction or "holm"),
        level=interval_level(stats, options.confidence_level, alpha=options.alpha),
        resamples=options.bootstrap_iterations or stats.bootstrap_iterations or 10_000,
        seed=seed if options.seed is None else options.seed,
        effect=None if effect is None else canonical_effect(effect),
    )
