"""Evaluations and contrasts from a run's metrics, as types; a part of an unknown shape is left out."""

from __future__ import annotations

from typing import Any

from crucible.ir import Interval
from crucible.report import _reading as reading
from crucible.report import verdict
from crucible.report.findings import Contrast, Effect, Evaluation, GroupTest, OtherTest, Score, Side
from crucible.report.titles import test_title

__all__ = ["read_contrasts", "read_evaluation", "read_group_tests", "read_groups", "settle_units"]

_FRACTIONS = frozenset({"exact_match", "schema_compliance", "field_f1", "number_match"})
_SHARE_METHOD = "wilson"  # what `stats.wilson` calls itself; it takes successes and trials, nothing else
_COUNT_KEYS = ("attempted", "scored", "failed", "skipped")


def read_evaluation(label: str, value: object, generation: object = None) -> Evaluation:
    """Return one model's scores from the metrics `evaluate.<label>` and `generation.<label>`."""
    scorers = {name: inner for name, inner in reading.mapping(value).items() if "mean" in reading.mapping(inner)}
    scores = [_score(name, reading.mapping(inner)) for name, inner in scorers.items()]
    return Evaluation(label=label, scores=scores, generation=reading.mapping(generation))


def _score(name: str, value: dict[str, Any]) -> Score:
    interval = reading.interval(value.get("interval"))
    counts = {key: reading.whole(value.get(key)) for key in _COUNT_KEYS}
    mean = reading.real(value.get("mean"))
    return Score(
        scorer=name,
        mean=mean,
        interval=interval,
        failures=reading.text(value.get("failures")),
        unit="fraction" if _is_proportion(name, mean, interval) else "value",
        **counts,
    )


def _is_proportion(name: str, mean: float | None, interval: Interval | None) -> bool:
    """Return whether a score is a share: one of those that are, or estimated as one, with a mean of 0 to 1.

    Neither a name nor the word "Wilson" makes percentages of numbers that are none.
    """
    if interval is not None and interval.method.lower().startswith(_SHARE_METHOD):
        return _in_range(mean) and _in_range(interval.low) and _in_range(interval.high)
    return name in _FRACTIONS and _in_range(mean)


def _in_range(value: float | None) -> bool:
    return value is None or 0 <= value <= 1


def settle_units(evaluations: list[Evaluation]) -> None:
    """Let the scores of one scorer agree, since they stand in one column.

    Where one is no share none is; one of which nothing is known, such as a single item without interval, follows.
    """
    scores = [score for evaluation in evaluations for score in evaluation.scores]
    shares = {score.scorer for score in scores if score.unit == "fraction"}
    plain = {
        score.scorer
        for score in scores
        if score.unit == "value" and (score.interval is not None or not _in_range(score.mean))
    }
    for score in scores:
        score.unit = "fraction" if score.scorer in shares - plain else "value"


def read_groups(bench: dict[str, Any]) -> list[Evaluation]:
    """Return the groups of scores of the metric `bench`, each with its mean, as if each had been evaluated."""
    groups = {label: reading.mapping(value) for label, value in reading.mapping(bench.get("groups")).items()}
    scorer = reading.text(bench.get("metric")) or "score"
    policy = reading.text(bench.get("failures"))
    return [Evaluation(label, [_group_score(scorer, value, policy)]) for label, value in groups.items()]


def _group_score(scorer: str, value: dict[str, Any], policy: str | None) -> Score:
    n, failed = reading.whole(value.get("n")), reading.whole(value.get("failed"))
    scored = n if n is None or policy != "zero" else n - (failed or 0)  # under `zero` the failed ones are among the n
    mean, interval = reading.real(value.get("mean")), reading.interval(value.get("interval"))
    return Score(
        scorer=scorer,
        mean=mean,
        interval=interval,
        attempted=None if scored is None else scored + (failed or 0),
        scored=scored,
        failed=failed,
        failures=policy,
        unit="fraction" if _is_proportion(scorer, mean, interval) else "value",
    )


def read_group_tests(bench: dict[str, Any]) -> list[GroupTest]:
    """Return the tests of all groups at once from the metric `bench`."""
    return [_group_test(reading.mapping(value), bench) for value in reading.listing(bench.get("omnibus"))]


def _group_test(value: dict[str, Any], bench: dict[str, Any]) -> GroupTest:
    title = _title(value) or "unnamed test"
    refused = reading.text(value.get("refused"))
    groups = reading.listing(value.get("groups")) or list(reading.mapping(bench.get("groups")))
    return GroupTest(
        test=title,
        groups=[str(label) for label in groups],
        metric=reading.text(value.get("metric")) or reading.text(bench.get("metric")) or "",
        wording=f"Of all groups at once, {title}: not made, {refused}." if refused else str(value.get("wording") or ""),
        verdict=reading.text(value.get("verdict")),
        statistic=reading.real(value.get("statistic")),
        p=reading.real(value.get("p")),
        alpha=reading.real(value.get("alpha")),
        effect=_effect(reading.mapping(value.get("effect"))),
        n=reading.whole(value.get("n")),
        method=reading.text(value.get("method")) or "",
        assumptions=[str(line) for line in reading.listing(value.get("assumptions"))],
    )


def read_contrasts(bench: dict[str, Any], evaluations: list[Evaluation]) -> list[Contrast]:
    """Return the tested differences from the metric `bench`, each with its verdict in words.

    Args:
        bench: The metric; empty if the run made no comparison.
        evaluations: Tell whether the compared score is a fraction.
    """
    contrasts = [
        _contrast(reading.mapping(value), bench, evaluations) for value in reading.listing(bench.get("contrasts"))
    ]
    has_several = len({contrast.metric for contrast in contrasts}) > 1
    for contrast in contrasts:
        contrast.headline = verdict.headline(contrast) + (f" in {contrast.metric}" if has_several else "")
        contrast.sentence = verdict.sentence(contrast)
    return contrasts


def _contrast(value: dict[str, Any], bench: dict[str, Any], evaluations: list[Evaluation]) -> Contrast:
    metric = reading.text(value.get("metric")) or reading.text(bench.get("metric")) or ""
    baseline = reading.text(value.get("baseline")) or "baseline"
    treatment = reading.text(value.get("treatment")) or "treatment"
    scores = [verdict.find_score(evaluations, label, metric) for label in (baseline, treatment)]
    units = {score.unit for score in scores if score is not None}
    means = [reading.real(value.get(f"{side}_mean")) for side in ("baseline", "treatment")]
    is_share = units == {"fraction"} or (not units and metric in _FRACTIONS)
    is_fraction = is_share and all(mean is None or 0 <= mean <= 1 for mean in means)
    alpha = reading.real(value.get("alpha"))
    counts = {
        name: found
        for name, inner in reading.mapping(value.get("counts")).items()
        if (found := reading.real(inner)) is not None
    }
    correction = reading.text(value.get("correction")) or reading.text(bench.get("correction"))
    return Contrast(
        name=reading.text(value.get("contrast")) or f"{treatment} vs {baseline}",
        baseline=baseline,
        treatment=treatment,
        metric=metric,
        verdict=reading.text(value.get("verdict")),
        test=_title(value),
        method=reading.text(value.get("method")) or "",
        statistic=reading.real(value.get("statistic")),
        p=reading.real(value.get("p")),
        p_adjusted=reading.real(value.get("p_adjusted")),
        correction=None if correction == "none" else correction,
        comparisons=reading.whole(value.get("comparisons")),
        alpha=alpha if alpha is not None else reading.real(bench.get("alpha")),
        baseline_mean=reading.real(value.get("baseline_mean")),
        treatment_mean=reading.real(value.get("treatment_mean")),
        difference=reading.real(value.get("difference")),
        interval=reading.interval(value.get("interval")),
        effect=_effect(reading.mapping(value.get("effect"))),
        n=reading.whole(value.get("n")),
        counts=counts,
        assumptions=[str(line) for line in reading.listing(value.get("assumptions"))],
        wording=reading.text(value.get("wording")) or "",
        failures=reading.text(value.get("failures")) or "",
        also=[_other_test(reading.mapping(other)) for other in reading.listing(value.get("also"))],
        sides=[_side(baseline, "baseline", value), _side(treatment, "treatment", value)],
        unit="fraction" if is_fraction else "value",
    )


def _title(value: dict[str, Any]) -> str:
    return test_title(reading.text(value.get("name")) or "")


def _other_test(value: dict[str, Any]) -> OtherTest:
    return OtherTest(
        test=_title(value) or "unnamed test",
        p=reading.real(value.get("p")),
        interval=reading.interval(value.get("interval")),
        refused=reading.text(value.get("refused")),
    )


def _effect(value: dict[str, Any]) -> Effect | None:
    name = reading.text(value.get("name"))
    if name is None:
        return None
    return Effect(name=name, value=reading.real(value.get("value")), interval=reading.interval(value.get("interval")))


def _side(label: str, side: str, value: dict[str, Any]) -> Side:
    counts = {key: reading.whole(reading.mapping(value.get(f"n_{key}")).get(side)) for key in _COUNT_KEYS}
    return Side(label=label, **counts)
