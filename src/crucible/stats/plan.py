"""What a bench stage was asked to do, resolved: stage option, then `reliability.stats`, then the defaults.

Everything that the document asks for is either in the plan or among `refusals`, by path; nothing is ignored.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from pydantic import Field

from crucible.errors import StatsError
from crucible.ir import Seq, StatsConfig
from crucible.pipeline import StageOptions
from crucible.stats.level import interval_level
from crucible.stats.names import canonical_correction, canonical_test
from crucible.stats.paired import PAIRED_TESTS

__all__ = ["EFFECTS", "BenchOptions", "Contrast", "Plan", "refusals", "resolve"]

EFFECTS = {"cohens_g": ("cohens_g", "cohens_h"), "cohens_dz": ("cohens_dz", "dominance", "cohens_h")}
"""Effect sizes that can be asked for, each with what stands in for it where the two columns agree everywhere."""

_STATS_OPTIONS = ("seed",)
_DEFAULT_TESTS = StatsConfig().tests


class Contrast(StageOptions):
    """Two evaluated models to compare, by the labels of their evaluations."""

    baseline: str = Field(min_length=1, description="Label of the evaluation to compare against.")
    treatment: str = Field(min_length=1, description="Label of the evaluation to compare.")
    name: str | None = Field(default=None, description="Name of the contrast; 'treatment vs baseline' if absent.")
    metric: str | None = Field(default=None, min_length=1, description="Scorer compared; the stage's if absent.")


class BenchOptions(StageOptions):
    """Options of `bench`."""

    contrasts: Seq[Contrast] = Field(min_length=1, description="What to compare, in the order of the report.")
    metric: str = Field(default="exact_match", min_length=1, description="Scorer compared where a contrast names none.")
    tests: Seq[str] | None = Field(default=None, description="Tests; the first one gives the verdict. auto: by rule.")
    alpha: float | None = Field(default=None, gt=0, lt=1, description="Type-I error rate of all contrasts together.")
    correction: str | None = Field(default=None, description="bonferroni, holm, hochberg, bh, by or none.")
    confidence_level: float | None = Field(default=None, gt=0, lt=1, description="Level of the intervals; 1 - alpha.")
    failures: Literal["exclude", "zero", "abort"] | None = Field(
        default=None, description="What becomes of failed items; the policy of the evaluations if absent."
    )
    seed: int | None = Field(default=None, ge=0, description="Seed of a bootstrap; 0 if absent.")

    def metric_of(self, contrast: Contrast) -> str:
        """Return the scorer that a contrast compares."""
        return contrast.metric or self.metric

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of all contrasts, each once, in order."""
        return tuple(dict.fromkeys(label for c in self.contrasts for label in (c.baseline, c.treatment)))


class Plan(msgspec.Struct, frozen=True):
    """What a bench stage does.

    Args:
        tests: Canonical names of the tests, each executable on paired scores; the first gives the verdict.
        alpha: Type-I error rate.
        correction: Canonical name of the correction; it acts where there are several contrasts.
        level: Level of the intervals.
        resamples: Of a bootstrap.
        seed: Of a bootstrap.
        effect: Name of the effect size that was asked for; None: by rule.
    """

    tests: tuple[str, ...]
    alpha: float
    correction: str
    level: float
    resamples: int
    seed: int
    effect: str | None


def resolve(options: BenchOptions, stats: StatsConfig | None) -> Plan:
    """Resolve what to do, for a document without refusals.

    `reliability.stats.tests` that is the type's default list asks for no test in particular: the written rule gives the
    verdict, and the tests of the list are made beside it.

    Raises:
        StatsError: A word is unknown.
    """
    stats = stats or StatsConfig(tests=("auto",))
    words = options.tests or (("auto", *stats.tests) if stats.tests == _DEFAULT_TESTS else stats.tests)
    alpha = stats.alpha if options.alpha is None else options.alpha
    seed: Any = options.seed if options.seed is not None else (stats.options or {}).get("seed", 0)
    return Plan(
        tests=tuple(dict.fromkeys(_paired(canonical_test(word)) for word in words)),
        alpha=alpha,
        correction=canonical_correction(options.correction or stats.multiple_testing_correction or "holm"),
        level=interval_level(stats, options.confidence_level, alpha=options.alpha),
        resamples=stats.bootstrap_iterations or 10_000,
        seed=seed,
        effect=_effect(stats.effect_size_type),
    )


def refusals(options: BenchOptions, stats: StatsConfig | None) -> list[tuple[str, str]]:
    """Return what the document asks for and this stage cannot do, as (path, message)."""
    found: list[tuple[str, str]] = []
    if options.tests == ():
        found.append(("tests", "must name at least one test, or be left out"))
    found += [("tests", message) for message in _bad_tests(options.tests or ())]
    found += _bad_correction("correction", options.correction)
    if stats is None:
        return found
    root = "reliability.stats"
    found += [(f"{root}.tests", message) for message in _bad_tests(stats.tests)]
    found += _bad_correction(f"{root}.multiple_testing_correction", stats.multiple_testing_correction)
    if stats.effect_size_type is not None and _effect(stats.effect_size_type) not in EFFECTS:
        message = f'"{stats.effect_size_type}" is not available for paired scores; available: {", ".join(EFFECTS)}'
        found.append((f"{root}.effect_size_type", message))
    if stats.bootstrap_iterations is not None and stats.bootstrap_iterations < 100:
        found.append((f"{root}.bootstrap_iterations", f"expected at least 100, got {stats.bootstrap_iterations}"))
    for key, value in (stats.options or {}).items():
        if key not in _STATS_OPTIONS:
            found.append((f"{root}.options.{key}", f'the bench stage has no option "{key}"; known: seed'))
        elif not isinstance(value, int) or isinstance(value, bool) or value < 0:
            found.append((f"{root}.options.{key}", f"expected an integer of at least 0, got {value!r}"))
    return found


def _paired(name: str) -> str:
    return "paired_ttest" if name == "ttest" else name


def _effect(word: str | None) -> str | None:
    if word is None:
        return None
    key = word.strip().lower().replace("-", "_")
    return {"dz": "cohens_dz", "cohen_dz": "cohens_dz", "g": "cohens_g"}.get(key, key)


def _bad_tests(words: tuple[str, ...]) -> list[str]:
    messages: list[str] = []
    for word in words:
        try:
            name = _paired(canonical_test(word))
        except StatsError as error:
            messages.append(str(error))
            continue
        if name not in PAIRED_TESTS:
            messages.append(
                f'the bench stage does not execute "{word}", it compares paired scores; '
                f"it executes: {', '.join(PAIRED_TESTS)}"
            )
    return messages


def _bad_correction(path: str, word: str | None) -> list[tuple[str, str]]:
    if word is None:
        return []
    try:
        canonical_correction(word)
    except StatsError as error:
        return [(path, str(error))]
    return []
