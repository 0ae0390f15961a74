"""The `bench` stage: is the difference between two evaluated models real?

It reads the per-item scores that evaluations left in the run, pairs them by item id, and never sees a model.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel

from crucible import events
from crucible.errors import ContractError, StatsError
from crucible.ir import Experiment, Outcome, StatsConfig, did_you_mean
from crucible.pipeline import Context, StageBase, check_cancelled
from crucible.stats.bootstrap import bootstrap_paired
from crucible.stats.correction import correct
from crucible.stats.paired import compare_paired
from crucible.stats.plan import EFFECTS, BenchOptions, Contrast, Plan, refusals, resolve
from crucible.stats.result import TestResult, Verdict
from crucible.stats.scores import FailurePolicy, PairedScores, pair_scores, read_scores

__all__ = ["BenchStage"]

_PREFIX = "scores."


class BenchStage(StageBase):
    """Test the difference between evaluated models on the same items.

    Each contrast is a paired test of treatment minus baseline; several contrasts are corrected for together. A contrast
    of a label with itself is allowed, as a check of the instrument: it finds no difference and is not corrected for.
    """

    name: ClassVar[str] = "bench"
    Options: ClassVar[type[BaseModel]] = BenchOptions

    def check(self, experiment: Experiment, options: BenchOptions) -> list[tuple[str, str]]:
        """Return the tests, corrections and options that this stage cannot carry out, as (path, message)."""
        return refusals(options, _stats(experiment))

    def run(self, context: Context, options: BenchOptions) -> Context:
        """Compare, and put `bench` into the metrics.

        Raises:
            ContractError: A label was not evaluated, or the document asks for what this stage cannot do.
            StatsError: The scores cannot answer the question.
            StoreError: A file of scores cannot be read.
        """
        stats = _stats(context.experiment)
        refused = refusals(options, stats)
        if refused:
            raise ContractError("; ".join(f"{path}: {message}" for path, message in refused))
        plan = resolve(options, stats)
        outcomes = _outcomes(context, options)
        compared: list[_Compared] = []
        for contrast in options.contrasts:
            check_cancelled()
            compared.append(_compare(contrast, outcomes, options, plan))
        columns = [_corrected([c.results[j] for c in compared], plan.correction) for j in range(len(plan.tests))]
        records: list[dict[str, Any]] = []
        for i, contrast in enumerate(options.contrasts):
            title = contrast.name or f"{contrast.treatment} vs {contrast.baseline}"
            result, *beside = [column[i] for column in columns]
            assert isinstance(result, TestResult)  # noqa: S101  # _compare raises where the first test is refused
            also = [other.to_dict() for other in beside if other.name != result.name]
            records.append({**result.to_dict(), "contrast": title, "also": also, **compared[i].scores.counts})
            _decide(title, options.metric, result)
        applied = next((record["correction"] for record in records if record["correction"]), "none")
        return context.put_metric(
            "bench",
            {
                "metric": options.metric,
                "alpha": plan.alpha,
                "confidence_level": plan.level,
                "correction": applied,
                "tests": list(plan.tests),
                "failures": options.failures,
                "contrasts": records,
            },
        )


def _stats(experiment: Experiment) -> StatsConfig | None:
    return experiment.reliability.stats if experiment.reliability else None


def _outcomes(context: Context, options: BenchOptions) -> dict[str, dict[str, Outcome]]:
    known = [name.removeprefix(_PREFIX) for name in context.artifacts if name.startswith(_PREFIX)]
    wanted = [label for contrast in options.contrasts for label in (contrast.baseline, contrast.treatment)]
    for label in wanted:
        if label not in known:
            have = ", ".join(known) or "none"
            raise ContractError(f'no evaluation is labelled "{label}"{did_you_mean(label, known)}; evaluated: {have}')
    return {
        label: read_scores(context.artifact_path(f"{_PREFIX}{label}"), options.metric)
        for label in dict.fromkeys(wanted)
    }


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
    contrast: Contrast, outcomes: dict[str, dict[str, Outcome]], options: BenchOptions, plan: Plan
) -> _Compared:
    names = (contrast.baseline, contrast.treatment)
    try:
        scores = pair_scores(outcomes[names[0]], outcomes[names[1]], FailurePolicy(options.failures), names)
        first = _test(plan.tests[0], scores, contrast, options.metric, plan)
        if plan.effect is not None and first.effect.name not in EFFECTS[plan.effect]:
            raise StatsError(f"effect_size_type {plan.effect} does not go with {first.name}: use {first.effect.name}")
    except StatsError as error:
        raise type(error)(f"{contrast.treatment} vs {contrast.baseline} on {options.metric}: {error}") from error
    results: list[TestResult | _Refused] = [first]
    for test in plan.tests[1:]:
        try:
            results.append(_test(test, scores, contrast, options.metric, plan))
        except StatsError as error:
            results.append(_Refused(test, error))
    return _Compared(results, scores)


def _test(test: str, scores: PairedScores, contrast: Contrast, metric: str, plan: Plan) -> TestResult:
    sides = (scores.baseline, scores.treatment)
    if test == "bootstrap":
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


def _decide(title: str, metric: str, result: TestResult) -> None:
    other = next(verdict for verdict in Verdict if verdict is not result.verdict)
    events.decision(
        f"{title} on {metric}: {_words(result.verdict)}",
        result.wording,
        alternatives=(_words(other),),
        metadata={"metric": metric, "baseline": result.baseline, "treatment": result.treatment, "p": result.p},
    )


def _words(verdict: Verdict) -> str:
    return verdict.value.replace("_", " ")
