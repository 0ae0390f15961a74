"""The `bench` stage: is the difference between evaluated models, or between groups of scores, real?

It reads the per-item scores that evaluations left in the run and pairs them by item id, or groups of scores from the
run's assigns, outputs or metrics; it never sees a model. All contrasts of a run are one family of comparisons, so a run
has one such stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from crucible import events
from crucible.errors import ContractError
from crucible.ir import Experiment, StatsConfig
from crucible.pipeline import Context, StageBase, check_cancelled
from crucible.stats.bench.announced import evaluations_before, problems
from crucible.stats.bench.contrast import NotTested, Plan, contrast
from crucible.stats.bench.evaluated import failures_of, sides_of
from crucible.stats.bench.family import Contrasted, family
from crucible.stats.bench.plan import BenchOptions, Contrast, resolve
from crucible.stats.bench.refusals import refusals
from crucible.stats.bench.scores import FailurePolicy
from crucible.stats.bench.sources import groups_of
from crucible.stats.groups.comparing import pairs_of
from crucible.stats.groups.comparison import GroupComparison, compare_columns
from crucible.stats.groups.omnibus import Omnibus
from crucible.stats.result import TestResult, Verdict

__all__ = ["BenchStage"]

_ONE_STAGE = "one bench stage a run: list all contrasts in it, so that they are corrected for together"


class BenchStage(StageBase):
    """Test the difference between evaluated models on the same items, or between groups of scores.

    Each contrast is treatment minus baseline; several contrasts are corrected for together. A contrast of a label with
    itself is allowed, as a check of the instrument: it finds no difference and is not corrected for. A test that does
    not apply is recorded with its reason.
    """

    name: ClassVar[str] = "bench"
    Options: ClassVar[type[BaseModel]] = BenchOptions
    reads: ClassVar[frozenset[str] | None] = frozenset({"reliability.stats"})

    def check(self, experiment: Experiment, options: BenchOptions) -> list[tuple[str, str]]:
        """Return what this stage cannot carry out, and labels and metrics that no evaluation will have."""
        found = refusals(options, _stats(experiment))
        places = [i for i, other in enumerate(experiment.pipeline) if other.enabled and other.name == self.name]
        found += [(f"pipeline[{i}].name", _ONE_STAGE) for i in places[1:]]
        if options.source != "scores":
            return found
        evaluations = evaluations_before(experiment, self.name)
        return found if evaluations is None else [*found, *problems(options, evaluations)]

    def announces(self, experiment: Experiment, options: BenchOptions) -> Mapping[str, Any]:
        """Return nothing: no later stage refers to a comparison by name."""
        del experiment, options
        return {}

    def run(self, context: Context, options: BenchOptions) -> Context:
        """Compare, and put `bench` into the metrics.

        Raises:
            ContractError: A label was not evaluated, two evaluations are not of the same items or treat failures
                differently, the source of groups does not hold what it should, the run was compared before, or the
                document asks for what this stage cannot do.
            StatsError: The scores do not fit the question: items or groups are missing, or failed under `abort`.
            StoreError: A file of scores cannot be read.
        """
        if context.has_metric("bench"):
            raise ContractError(_ONE_STAGE)
        stats = _stats(context.experiment)
        if refused := refusals(options, stats):
            raise ContractError("; ".join(f"{path}: {message}" for path, message in refused))
        plan = resolve(options, stats)
        found = _of_scores(context, options, plan) if options.source == "scores" else _of_groups(context, options, plan)
        applied = next((record["correction"] for record in found["contrasts"] if record["correction"]), "none")
        how = {
            "data_source": options.source,
            "alpha": plan.alpha,
            "confidence_level": plan.interval_level,
            "correction": applied,
            "tests": list(plan.tests),
        }
        return context.put_metric("bench", {**how, **found})


def _of_scores(context: Context, options: BenchOptions, plan: Plan) -> dict[str, Any]:
    """Compare evaluated models on the same items."""
    asked = options.contrasts or ()
    failures = failures_of(context, options)
    sides = sides_of(context, options, failures)
    results: list[list[TestResult | NotTested]] = []
    for side in sides:
        check_cancelled()
        results.append(contrast(side, plan))
    done = family(sides, results, plan.correction)
    for one, result in zip(asked, done, strict=True):
        _decide(_title(one), result)
    metrics = list(dict.fromkeys(side.metric for side in sides))
    names = [
        _title(one) if one.name or len(metrics) == 1 else f"{_title(one)} on {options.metric_of(one)}" for one in asked
    ]
    return {
        "metric": metrics[0] if len(metrics) == 1 else None,
        "metrics": metrics,
        "failures": failures.value,
        **GroupComparison(groups=()).to_dict(),
        "no_data": None,
        "left_out": [],
        "contrasts": _records(done, names),
    }


def _of_groups(context: Context, options: BenchOptions, plan: Plan) -> dict[str, Any]:
    """Compare groups of scores."""
    check_cancelled()
    found = groups_of(context, options)
    failures = FailurePolicy(options.failures or FailurePolicy.EXCLUDE)
    asked = options.contrasts
    if asked is not None:
        pairs = [(one.baseline, one.treatment) for one in asked]
    else:
        pairs = pairs_of([column.label for column in found.columns], options.baseline) if found.columns else []
    compared = GroupComparison(groups=(), not_tested=found.no_data)
    if not found.no_data:
        compared = compare_columns(found.columns, plan, pairs, policy=failures, metric=found.metric)
    names = (
        [f"{treatment} vs {baseline}" for baseline, treatment in pairs] if asked is None else list(map(_title, asked))
    )
    for test in compared.omnibus:
        _decide_all(test, found.metric)
    for name, result in zip(names, compared.contrasts, strict=False):  # one group alone has no contrasts
        _decide(name, result)
    return {
        "metric": found.metric,
        "metrics": [found.metric],
        "failures": failures.value,
        **compared.to_dict(),
        "no_data": found.no_data or None,
        "left_out": list(found.left_out),
        "contrasts": _records(compared.contrasts, names),
    }


def _records(done: Sequence[Contrasted], names: list[str]) -> list[dict[str, Any]]:
    return [{**result.to_dict(), "contrast": name} for name, result in zip(names, done, strict=False)]


def _title(asked: Contrast) -> str:
    return asked.name or f"{asked.treatment} vs {asked.baseline}"


def _stats(experiment: Experiment) -> StatsConfig | None:
    return experiment.reliability.stats if experiment.reliability else None


def _decide(title: str, found: Contrasted) -> None:
    sides, result = found.sides, found.result
    about: dict[str, Any] = {"metric": sides.metric, "baseline": sides.baseline, "treatment": sides.treatment}
    if isinstance(result, TestResult):
        about["p"] = result.p
        what, others = _verdicts(result.verdict)
    else:
        what, others = "not tested", tuple(map(_words, Verdict))
    events.decision(f"{title} on {sides.metric}: {what}", found.wording, alternatives=others, metadata=about)


def _decide_all(test: Omnibus | NotTested, metric: str) -> None:
    if isinstance(test, NotTested):
        return
    what, others = _verdicts(test.verdict)
    about = {"metric": metric, "groups": list(test.groups), "p": test.p}
    title = f"{len(test.groups)} groups on {metric} by {test.name}"
    events.decision(f"{title}: {what}", test.wording, alternatives=others, metadata=about)


def _verdicts(found: Verdict) -> tuple[str, tuple[str, ...]]:
    return _words(found), tuple(_words(other) for other in Verdict if other is not found)


def _words(verdict: Verdict) -> str:
    return verdict.value.replace("_", " ")
