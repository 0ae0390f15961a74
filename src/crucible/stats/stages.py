"""The `bench` stage: is the difference between two evaluated models real?

It reads the per-item scores that evaluations left in the run, pairs them by item id, and never sees a model. All
contrasts of a run are one family of comparisons, so a run has one such stage.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import msgspec
from pydantic import BaseModel

from crucible import events
from crucible.errors import ContractError, DegenerateSample, StatsError
from crucible.ir import Experiment, StatsConfig, did_you_mean
from crucible.pipeline import Context, StageBase, check_cancelled
from crucible.stats.announced import announced, disagreement, problems
from crucible.stats.bootstrap import bootstrap_paired
from crucible.stats.correction import correct
from crucible.stats.paired import NEED_SPREAD, compare_paired
from crucible.stats.plan import EFFECTS, BenchOptions, Contrast, Plan, refusals, resolve
from crucible.stats.result import TestResult, Verdict
from crucible.stats.scores import (
    FailurePolicy,
    PairedScores,
    ScoredItem,
    check_same_items,
    outcomes_of,
    pair_scores,
    read_items,
)

__all__ = ["BenchStage"]

_PREFIX = "scores."
_ONE_STAGE = "one bench stage a run: list all contrasts in it, so that they are corrected for together"


class BenchStage(StageBase):
    """Test the difference between evaluated models on the same items.

    Each contrast is a paired test of treatment minus baseline; several contrasts are corrected for together. A contrast
    of a label with itself is allowed, as a check of the instrument: it finds no difference and is not corrected for.
    """

    name: ClassVar[str] = "bench"
    Options: ClassVar[type[BaseModel]] = BenchOptions

    def check(self, experiment: Experiment, options: BenchOptions) -> list[tuple[str, str]]:
        """Return what this stage cannot carry out, and labels and metrics that no evaluation will have."""
        found = refusals(options, _stats(experiment))
        places = [i for i, other in enumerate(experiment.pipeline) if other.enabled and other.name == self.name]
        found += [(f"pipeline[{i}].name", _ONE_STAGE) for i in places[1:]]
        evaluations = announced(experiment, self.name)
        return found if evaluations is None else [*found, *problems(options, evaluations)]

    def run(self, context: Context, options: BenchOptions) -> Context:
        """Compare, and put `bench` into the metrics.

        Raises:
            ContractError: A label was not evaluated, two evaluations are not of the same items or treat failures
                differently, the run was compared before, or the document asks for what this stage cannot do.
            StatsError: The scores cannot answer the question.
            StoreError: A file of scores cannot be read.
        """
        if context.has_metric("bench"):
            raise ContractError(_ONE_STAGE)
        stats = _stats(context.experiment)
        refused = refusals(options, stats)
        if refused:
            raise ContractError("; ".join(f"{path}: {message}" for path, message in refused))
        plan = resolve(options, stats)
        items = _items(context, options)
        failures = _failures(context, options)
        compared: list[_Compared] = []
        for contrast in options.contrasts:
            check_cancelled()
            compared.append(_compare(contrast, items, (options.metric_of(contrast), failures), plan))
        columns = [_corrected([c.results[j] for c in compared], plan.correction) for j in range(len(plan.tests))]
        metrics = list(dict.fromkeys(map(options.metric_of, options.contrasts)))
        records: list[dict[str, Any]] = []
        for i, contrast in enumerate(options.contrasts):
            title = contrast.name or f"{contrast.treatment} vs {contrast.baseline}"
            named = title if contrast.name or len(metrics) == 1 else f"{title} on {options.metric_of(contrast)}"
            result, *beside = [column[i] for column in columns]
            assert isinstance(result, TestResult)  # noqa: S101  # _compare raises where the first test is refused
            also = [other.to_dict() for other in beside if other.name != result.name]
            records.append({**result.to_dict(), "contrast": named, "also": also, **compared[i].scores.counts})
            _decide(title, result)
        applied = next((record["correction"] for record in records if record["correction"]), "none")
        return context.put_metric(
            "bench",
            {
                "metric": metrics[0] if len(metrics) == 1 else None,
                "metrics": metrics,
                "alpha": plan.alpha,
                "confidence_level": plan.level,
                "correction": applied,
                "tests": list(plan.tests),
                "failures": failures.value,
                "contrasts": records,
            },
        )


def _stats(experiment: Experiment) -> StatsConfig | None:
    return experiment.reliability.stats if experiment.reliability else None


def _items(context: Context, options: BenchOptions) -> dict[str, dict[str, ScoredItem]]:
    known = [name.removeprefix(_PREFIX) for name in context.artifacts if name.startswith(_PREFIX)]
    for label in options.labels:
        if label not in known:
            have = ", ".join(known) or "none"
            raise ContractError(f'no evaluation is labelled "{label}"{did_you_mean(label, known)}; evaluated: {have}')
    return {label: read_items(context.artifact_path(f"{_PREFIX}{label}")) for label in options.labels}


def _failures(context: Context, options: BenchOptions) -> FailurePolicy:
    """Return the policy that the stage was told, else the one that the evaluations have; `exclude` where none says."""
    if options.failures is not None:
        return FailurePolicy(options.failures)
    policies: dict[str, str] = {}
    for label in options.labels:
        summaries = context.metrics.get(f"evaluate.{label}")
        scorers = cast("dict[str, Any]", summaries) if isinstance(summaries, dict) else {}
        for summary in scorers.values():
            if isinstance(summary, dict) and "failures" in (found := cast("dict[str, Any]", summary)):
                policies[label] = str(found["failures"])
    if message := disagreement(policies):
        raise ContractError(f"failures: {message}")
    return FailurePolicy(next(iter(policies.values()), FailurePolicy.EXCLUDE))


class _Refused(msgspec.Struct, frozen=True):
    """A test that this sample does not allow."""

    name: str
    error: StatsError

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "refused": str(self.error)}


class _Compared(msgspec.Struct, frozen=True):
    """One contrast: its results in the order of the plan's tests, and the scores they stand on."""

    results: list[TestResult | _Refused]
    scores: PairedScores


def _compare(
    contrast: Contrast, items: dict[str, dict[str, ScoredItem]], how: tuple[str, FailurePolicy], plan: Plan
) -> _Compared:
    metric, failures = how
    names = (contrast.baseline, contrast.treatment)
    check_same_items(items[names[0]], items[names[1]], names)
    try:
        columns = [outcomes_of(items[label], metric, label) for label in names]
        scores = pair_scores(columns[0], columns[1], failures, names)
        first = _test(plan.tests[0], scores, contrast, metric, plan)
        if plan.effect is not None and first.effect.name not in EFFECTS[plan.effect]:
            raise StatsError(f"effect_size_type {plan.effect} does not go with {first.name}: use {first.effect.name}")
    except StatsError as error:
        raise type(error)(f"{contrast.treatment} vs {contrast.baseline} on {metric}: {error}") from error
    results: list[TestResult | _Refused] = [first]
    for test in plan.tests[1:]:
        if test in NEED_SPREAD and scores.baseline == scores.treatment:
            results.append(_Refused(test, DegenerateSample("all differences are 0: there is nothing to test")))
            continue
        try:
            results.append(_test(test, scores, contrast, metric, plan))
        except StatsError as error:
            results.append(_Refused(test, error))
    return _Compared(results, scores)


def _test(test: str, scores: PairedScores, contrast: Contrast, metric: str, plan: Plan) -> TestResult:
    sides = (scores.baseline, scores.treatment)
    if test == "bootstrap" and scores.baseline != scores.treatment:
        result = bootstrap_paired(*sides, alpha=plan.alpha, level=plan.level, resamples=plan.resamples, seed=plan.seed)
    else:
        result = compare_paired(*sides, test=test, alpha=plan.alpha, level=plan.level)
    return msgspec.structs.replace(
        result,
        baseline=contrast.baseline,
        treatment=contrast.treatment,
        metric=metric,
        failures=scores.failures,
    )


def _corrected(results: list[TestResult | _Refused], correction: str) -> list[TestResult | _Refused]:
    """Correct one test for all contrasts together; one of a label with itself asks no question and is not counted."""
    asked = {
        i: result
        for i, result in enumerate(results)
        if isinstance(result, TestResult) and result.baseline != result.treatment
    }
    if correction == "none" or len(asked) < 2:
        return results
    alone = f"the intervals hold for each contrast alone, they are not adjusted for {len(asked)} comparisons"
    corrected = list(results)
    for (i, result), p in zip(asked.items(), correct([r.p for r in asked.values()], correction), strict=True):
        corrected[i] = msgspec.structs.replace(
            result,
            p_adjusted=p,
            correction=correction,
            comparisons=len(asked),
            assumptions=(*result.assumptions, alone),
        )
    return corrected


def _decide(title: str, result: TestResult) -> None:
    other = next(verdict for verdict in Verdict if verdict is not result.verdict)
    events.decision(
        f"{title} on {result.metric}: {_words(result.verdict)}",
        result.wording,
        alternatives=(_words(other),),
        metadata={"metric": result.metric, "baseline": result.baseline, "treatment": result.treatment, "p": result.p},
    )


def _words(verdict: Verdict) -> str:
    return verdict.value.replace("_", " ")
