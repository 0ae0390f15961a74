"""The options of `drift`, and what they come to together with `reliability.drift` of the document."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from crucible.data.drift.rules import METHODS, DriftRules, Method
from crucible.errors import DataError, StatsError
from crucible.ir import DriftConfig, Experiment, Seq, did_you_mean
from crucible.pipeline import StageOptions
from crucible.stats import canonical_correction
from crucible.stats.bench.announced import evaluations_before

__all__ = ["SCORES", "DriftOptions", "evaluation_problems", "fields_of", "resolve", "setting_problems"]

SCORES: Final = "scores."
"""What the name of a sample begins with that is an evaluation; its label follows."""
_CONFIG: Final = "reliability.drift"


class DriftOptions(StageOptions):
    """Options of `drift`; one that is not given is what `reliability.drift` says."""

    reference: str = Field(
        default="train",
        min_length=1,
        description="What the data was like: a dataset such as train, an evaluation such as scores.base, or assigns.x.",
    )
    current: str = Field(default="test", min_length=1, description="What it is like now, named in the same way.")
    fields: Seq[str] | None = Field(
        default=None,
        min_length=1,
        description="What to look at: input, expected, output, a scorer, a field of the metadata. All that is numeric.",
    )
    kinds: dict[str, Literal["numeric", "categorical", "text"]] | None = Field(
        default=None, description="Kind of a field that is not to be read off its values."
    )
    method: Method | None = Field(
        default=None,
        description="Test of numbers: ks, mannwhitney, energy; or of bins: psi, chi_square, g. Default ks.",
    )
    alpha: float | None = Field(
        default=None, gt=0, lt=1, description="Type-I error rate of all fields together; 0.05 if absent."
    )
    min_samples: int | None = Field(
        default=None, ge=2, description="Values a side below which a field is not tested; 100 if absent."
    )
    correction: str = Field(default="holm", description="bonferroni, holm, hochberg, bh, by or none.")
    resamples: int = Field(default=9_999, ge=99, description="Permutations of the tests that are made by them.")
    seed: int = Field(default=0, ge=0, description="Of the permutations.")
    ngram: int = Field(default=3, ge=1, le=10, description="Characters of an n-gram of text.")
    max_texts: int = Field(default=2_000, ge=2, description="Most texts a side whose content is compared.")
    fail_on_drift: bool = Field(default=False, description="Drift that was found ends the run.")
    label: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Tells a second stage of this kind from the first: its results are drift.<label>.",
    )


def resolve(options: DriftOptions, experiment: Experiment) -> DriftRules:
    """Return how the stage compares: its own options, else those of the document, else the defaults.

    There must be no `setting_problems`.

    Raises:
        DataError: The resamples cannot reach alpha.
    """
    config = _config(experiment)
    given: Any = config if isinstance(config, DriftConfig) else DriftConfig()
    return DriftRules(
        method=options.method or given.method,
        alpha=given.alpha if options.alpha is None else options.alpha,
        min_samples=given.min_samples if options.min_samples is None else options.min_samples,
        correction=canonical_correction(options.correction),
        resamples=options.resamples,
        seed=options.seed,
        ngram=options.ngram,
        max_texts=options.max_texts,
    )


def fields_of(options: DriftOptions, experiment: Experiment) -> tuple[str, ...] | None:
    """Return what is looked at; None: everything numeric."""
    if options.fields is not None:
        return tuple(options.fields)
    config = _config(experiment)
    return config.fields if isinstance(config, DriftConfig) else None


def setting_problems(options: DriftOptions, experiment: Experiment) -> list[tuple[str, str]]:
    """Return what cannot be done, as (path, message); a path is an option of the stage or one of the document."""
    config = _config(experiment)
    found: list[tuple[str, str]] = []
    if config is not None and not isinstance(config, DriftConfig):
        known = tuple(name for name in DriftConfig.model_fields if name != "extra")
        odd = [name for name in config if name not in known]
        what = f'"{odd[0]}" is none of' if odd else "a value does not fit one of"
        hint = did_you_mean(odd[0], known) if odd else ""
        return [(_CONFIG, f"was read as a plain map, which no stage carries out: {what} {', '.join(known)}{hint}")]
    if config is not None and options.method is None and config.method not in METHODS:
        hint = did_you_mean(config.method, METHODS)
        message = f'no test is called "{config.method}"{hint}; known: {", ".join(METHODS)}'
        return [(f"{_CONFIG}.method", message)]
    if config is not None and options.fields is None and config.fields == ():
        found.append((f"{_CONFIG}.fields", "names no field: name one, or leave it out for everything numeric"))
    try:
        resolve(options, experiment)
    except StatsError as error:
        found.append(("correction", str(error)))
    except DataError as error:
        found.append(("resamples", str(error)))
    if options.reference == options.current:
        found.append(("current", f'"{options.current}" is the reference, too: a sample does not drift from itself'))
    return found


def evaluation_problems(options: DriftOptions, experiment: Experiment, stage: str) -> list[tuple[str, str]]:
    """Return samples that are evaluations which no stage before this one will leave, as (path, message)."""
    found: list[tuple[str, str]] = []
    evaluations = evaluations_before(experiment, stage)
    for name in ("reference", "current"):
        asked: str = getattr(options, name)
        label = asked.removeprefix(SCORES)
        if evaluations is not None and label != asked and label not in evaluations:
            listed = ", ".join(evaluations) or "none"
            hint = did_you_mean(label, evaluations)
            found.append((name, f'no evaluation before this stage is labelled "{label}"{hint}; they are: {listed}'))
    return found


def _config(experiment: Experiment) -> Any:
    return experiment.reliability.drift if experiment.reliability else None
