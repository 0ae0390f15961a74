"""The bench stage on groups of scores: from assigns, outputs and named metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats as scipy_stats

from crucible import events, ir, stats
from crucible.errors import ContractError, StatsError
from crucible.pipeline import Context, parse_options, pipeline_problems
from crucible.pipeline.registry import Registry
from crucible.report.measurements import read_contrasts
from crucible.stats.stages import BenchStage

Rows = dict[str, Any]
SLOW = [0.82, 0.91, 0.78, 0.95, 0.88, 0.79, 0.90, 0.85]
FAST = [0.71, 0.69, 0.77, 0.80, 0.66, 0.74, 0.70, 0.72]
OTHER = [0.75, 0.73, 0.81, 0.70, 0.79, 0.78, 0.74, 0.77]


def _experiment(reliability: Rows | None = None, **options: Any) -> ir.Experiment:
    document: Rows = {
        "id": "bench",
        "backend": {"id": "local"},
        "pipeline": [{"name": "bench", "options": options}],
    }
    if reliability is not None:
        document["reliability"] = {"stats": reliability}
    return ir.from_dict(document, ir.Experiment)


def _bench(context: Context, **options: Any) -> Rows:
    return BenchStage().run(context, parse_options(BenchStage(), options)).get_metric("bench")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return a context without anything in it."""
    return Context(run_id="run-1", experiment=_experiment(), workspace=tmp_path)


def _with_data(context: Context, data: Any) -> Context:
    return context.assign("bench_data", data)


class TestThePredecessorsBugs:
    """One by one, as its section "Bench bugs" lists them."""

    def test_stats_without_options(self, tmp_path: Path) -> None:
        """`options: None`, its own default, ended every run with BadMapError."""
        experiment = _experiment({"options": None})
        context = Context(run_id="r", experiment=experiment, workspace=tmp_path).assign(
            "bench_data", {"a": SLOW, "b": FAST}
        )
        assert _bench(context, data_source="assigns")["contrasts"][0]["verdict"] == "difference"

    @pytest.mark.parametrize(
        "test", ["wilcoxon", "paired_ttest", "mann_whitney", "kruskal_wallis", "anova", "bootstrap"]
    )
    def test_every_advertised_test_is_known(self, context: Context, test: str) -> None:
        """Wilcoxon and the paired t-test were advertised and answered "Unknown test"."""
        bench = _bench(_with_data(context, {"a": SLOW, "b": FAST}), data_source="assigns", tests=[test])
        made = [*bench["contrasts"], *bench["omnibus"]]
        assert all("refused" not in one for one in made)
        name = stats.canonical_test(test)
        assert {"bootstrap": "bootstrap_independent", "ttest": "welch"}.get(name, name) in [one["name"] for one in made]

    def test_three_groups_have_pairwise_t_tests_with_correction(self, context: Context) -> None:
        """`ttest` with three groups was "not applicable", and no correction was ever made."""
        data = {"slow": SLOW, "fast": FAST, "other": OTHER}
        bench = _bench(_with_data(context, data), data_source="assigns", tests=["ttest"], correction="bonferroni")
        records = bench["contrasts"]
        assert [record["contrast"] for record in records] == ["fast vs slow", "other vs slow", "other vs fast"]
        p = scipy_stats.ttest_ind(SLOW, FAST, equal_var=False).pvalue
        assert records[0]["p"] == pytest.approx(p, rel=1e-9)
        assert records[0]["p_adjusted"] == pytest.approx(3 * p, rel=1e-9)
        assert bench["correction"] == "bonferroni"
        assert [one["name"] for one in bench["omnibus"]] == ["welch_anova"]

    def test_every_source_passes_its_own_validation(self) -> None:
        """`{custom, fn}` failed the stage's own schema; what is documented is accepted."""
        for options in (
            {"data_source": "assigns"},
            {"data_source": "outputs", "group_by": "model", "metric": "f1"},
            {"data_source": "metrics", "metrics": ["a", "b"], "baseline": "b"},
        ):
            assert pipeline_problems(_experiment(**options), Registry()) == []

    def test_bookkeeping_metrics_are_not_groups(self, context: Context) -> None:
        """`data_checks` became a third group; here only the metrics that were named are groups."""
        context = context.merge_metrics(
            {"data_checks": {"total": 9, "missing_required": 0}, "a": SLOW, "b": FAST, "n": 8}
        )
        bench = _bench(context, data_source="metrics", metrics=["b", "a"])
        assert list(bench["groups"]) == ["b", "a"]

    def test_outputs_have_string_keys(self, context: Context) -> None:
        """Outputs with string keys, the only ones there are, gave no_data."""
        for label, values in (("short", SLOW), ("long", FAST)):
            for value in values:
                context = context.add_output({"prompt": label, "score": value})
        bench = _bench(context, data_source="outputs")
        assert bench["no_data"] is None
        assert bench["contrasts"][0]["difference"] == pytest.approx(sum(FAST) / 8 - sum(SLOW) / 8)
        assert (bench["metric"], bench["contrasts"][0]["baseline"]) == ("score", "short")

    def test_everything_in_the_experiments_stats_counts(self, tmp_path: Path) -> None:
        """Correction, level, effect size and iterations were ignored."""
        asked = {
            "tests": ["bootstrap"],
            "alpha": 0.1,
            "confidence_level": 0.8,
            "effect_size_type": "cohens_d",
            "multiple_testing_correction": "fdr",
            "bootstrap_iterations": 300,
            "options": {"seed": 5},
        }
        context = Context(run_id="r", experiment=_experiment(asked), workspace=tmp_path)
        context = _with_data(context, {"a": SLOW, "b": FAST, "c": OTHER})
        bench = _bench(context, data_source="assigns")
        assert (bench["alpha"], bench["confidence_level"], bench["correction"]) == (0.1, 0.8, "bh")
        record = bench["contrasts"][0]
        assert (record["alpha"], record["interval"]["level"], record["correction"]) == (0.1, 0.8, "bh")
        assert (record["counts"]["resamples"], record["effect"]["name"]) == (300, "cohens_d")
        assert "seed 5" in record["method"]
        assert bench["groups"]["a"]["interval"]["level"] == 0.8
        mine = _bench(context, data_source="assigns", bootstrap_iterations=200, options={"seed": 6}, correction="by")
        assert mine["contrasts"][0]["counts"]["resamples"] == 200
        assert "seed 6" in mine["contrasts"][0]["method"]
        assert mine["correction"] == "by"

    def test_groups_are_in_declared_order(self, context: Context) -> None:
        """The order was that of the map's keys: here the first one declared is the baseline."""
        bench = _bench(_with_data(context, {"zebra": SLOW, "ant": FAST}), data_source="assigns")
        assert list(bench["groups"]) == ["zebra", "ant"]
        (record,) = bench["contrasts"]
        assert (record["baseline"], record["treatment"]) == ("zebra", "ant")
        assert record["difference"] < 0

    def test_intervals_are_exact(self, context: Context) -> None:
        """Approximate critical values gave 2.364 for 2.484 at n = 3: here the quantiles are scipy's."""
        bench = _bench(_with_data(context, {"a": [1.0, 2.0, 3.0]}), data_source="assigns")
        group = bench["groups"]["a"]
        width = scipy_stats.t.ppf(0.975, 2) * scipy_stats.sem([1.0, 2.0, 3.0])
        assert round(width, 3) == 2.484
        assert group["interval"]["high"] - 2.0 == pytest.approx(width, rel=1e-12)

    def test_a_test_that_does_not_apply_ends_nothing(self, context: Context) -> None:
        """Any exception became {bench_failed, e}: here it is a reason beside the tests that apply."""
        bench = _bench(
            _with_data(context, {"a": SLOW, "b": FAST[:5]}),
            data_source="assigns",
            tests=["mcnemar", "wilcoxon", "welch"],
        )
        (record,) = bench["contrasts"]
        assert record["name"] == "welch"
        assert [other["name"] for other in record["also"]] == ["mcnemar", "wilcoxon"]
        assert all("not applicable" in other["refused"] for other in record["also"])


class TestAssigns:
    """`assigns.bench_data`: groups of numbers, or rows."""

    def test_rows_with_items_are_paired(self, context: Context) -> None:
        """In order of first appearance; the paired test of the same columns."""
        rows = [
            {"group": group, "item": f"q{i}", "value": value, "note": "ignored"}
            for i, pair in enumerate(zip(SLOW, FAST, strict=True))
            for group, value in zip(("slow", "fast"), pair, strict=True)
        ]
        bench = _bench(_with_data(context, rows), data_source="assigns", metric="seconds")
        (record,) = bench["contrasts"]
        assert record["name"] == "paired_ttest"
        assert record["p"] == pytest.approx(scipy_stats.ttest_rel(FAST, SLOW).pvalue, rel=1e-9)
        assert record["n_attempted"] == {"baseline": 8, "treatment": 8}
        assert (bench["metric"], record["metric"]) == ("seconds", "seconds")

    def test_rows_without_items_are_not(self, context: Context) -> None:
        """Whatever their number."""
        rows = [{"group": 4, "value": v} for v in SLOW] + [{"group": 2, "value": v} for v in FAST]
        bench = _bench(_with_data(context, rows), data_source="assigns")
        assert list(bench["groups"]) == ["4", "2"]
        assert bench["contrasts"][0]["name"] == "welch"

    @pytest.mark.parametrize(("data", "reason"), [(None, "no assigns.bench_data"), ({}, "is empty"), ([], "is empty")])
    def test_no_data_is_said(self, context: Context, data: Any, reason: str) -> None:
        """Nothing there, or nothing in it: a reason, no contrasts, no crash."""
        bench = _bench(_with_data(context, data), data_source="assigns", baseline="a")
        assert reason in bench["no_data"]
        assert bench["not_tested"] == bench["no_data"]
        assert (bench["groups"], bench["omnibus"], bench["contrasts"]) == ({}, [], [])

    def test_one_group_is_summarised(self, context: Context) -> None:
        """n, mean, std, interval, and why nothing was tested."""
        bench = _bench(_with_data(context, {"only": [1, 0, 1, 1]}), data_source="assigns")
        group = bench["groups"]["only"]
        assert (group["n"], group["mean"], group["std"]) == (4, 0.75, 0.5)
        assert "Wilson" in group["interval"]["method"]
        assert bench["not_tested"] == 'one group, "only": a comparison needs two'
        assert (bench["no_data"], bench["contrasts"]) == (None, [])

    def test_contrasts_and_baseline(self, context: Context) -> None:
        """Contrasts name pairs of groups; a baseline is compared with all others; both know the groups there are."""
        context = _with_data(context, {"slow": SLOW, "fast": FAST, "other": OTHER})
        bench = _bench(
            context, data_source="assigns", contrasts=[{"baseline": "fast", "treatment": "slow", "name": "speed"}]
        )
        assert [record["contrast"] for record in bench["contrasts"]] == ["speed"]
        bench = _bench(context, data_source="assigns", baseline="other")
        assert [record["contrast"] for record in bench["contrasts"]] == ["slow vs other", "fast vs other"]
        with pytest.raises(StatsError, match='no group is called "fats"; did you mean "fast"'):
            _bench(context, data_source="assigns", baseline="fats")

    def test_a_missing_value_is_a_failed_item(self, context: Context) -> None:
        """Left out and said, or 0, or an end: by the policy, never silently."""
        context = _with_data(context, {"a": [*SLOW, None], "b": FAST})
        bench = _bench(context, data_source="assigns", tests=["auto", "anova"])
        (record,) = bench["contrasts"]
        assert (record["n"], bench["groups"]["a"]["failed"], bench["failures"]) == (16, 1, "exclude")
        assert record["failures"] == "1 of 17 items were left out because they failed or were skipped"
        assert bench["omnibus"][0]["failures"] == "1 of 17 items were left out because they failed"
        assert bench["omnibus"][0]["wording"].endswith("1 of 17 items were left out because they failed.")
        zero = _bench(context, data_source="assigns", failures="zero")
        assert (zero["contrasts"][0]["n"], zero["groups"]["a"]["n"]) == (17, 9)
        with pytest.raises(StatsError, match='1 items of a failed .* the policy is "abort"'):
            _bench(context, data_source="assigns", failures="abort")

    def test_items_that_failed_leave_every_group(self, context: Context) -> None:
        """The test of all groups of the same items stands on the items that all have."""
        data = [
            {"group": group, "item": i, "value": None if (group, i) == ("b", 0) else value}
            for group, values in (("a", SLOW), ("b", FAST), ("c", OTHER))
            for i, value in enumerate(values)
        ]
        bench = _bench(_with_data(context, data), data_source="assigns")
        (omnibus,) = bench["omnibus"]
        assert (omnibus["name"], omnibus["n"]) == ("friedman", 7)
        assert omnibus["failures"] == "1 of 8 items were left out because they failed in a group"

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ("words", "assigns.bench_data: expected groups of numbers or a list of rows, got 'words'"),
            ({"a": {"x": 1}}, "assigns.bench_data.a: expected a list of numbers, got a .*; it holds: x"),
            ({"a": "1, 2"}, "assigns.bench_data.a: expected a list of numbers, got a str"),
            ({"a": [1, "2"]}, r"assigns.bench_data.a\[1\]: expected a number, or null .*, got '2'"),
            ([{"group": "a"}], r"assigns.bench_data\[0\]: expected a mapping with group and value"),
            ([1], r"assigns.bench_data\[0\]: expected a mapping"),
            ([{"group": ["a"], "value": 1}], r"assigns.bench_data\[0\].group: expected text"),
            (
                [{"group": "a", "value": 1, "item": "q"}, {"group": "a", "value": 2, "item": "q"}],
                'assigns.bench_data: item "q" comes more than once in "a"',
            ),
        ],
    )
    def test_what_is_no_score_is_refused_with_its_place(self, context: Context, data: Any, message: str) -> None:
        """Never taken for a number, never dropped."""
        with pytest.raises(ContractError, match=message):
            _bench(_with_data(context, data), data_source="assigns")


class TestOutputs:
    """The run's outputs, grouped."""

    def test_other_keys_and_items(self, context: Context) -> None:
        """Grouped by another key, scored by another metric, paired by item; what has no group is counted."""
        context = context.add_output({"name": "report", "rendered": []})
        for label, values in (("b", SLOW), ("a", FAST)):
            for i, value in enumerate(values):
                context = context.add_output({"model": label, "f1": value, "item": i, "score": 1})
        bench = _bench(context, data_source="outputs", group_by="model", metric="f1")
        assert bench["left_out"] == ['1 of 17 outputs have no "model"']
        assert (bench["metric"], list(bench["groups"])) == ("f1", ["b", "a"])
        assert bench["contrasts"][0]["name"] == "paired_ttest"

    @pytest.mark.parametrize("key", ["score", "accuracy", "loss"])
    def test_the_score_is_found(self, context: Context, key: str) -> None:
        """Under any of the three keys; an output without one is a failed measurement."""
        for label, values in (("x", SLOW), ("y", [*FAST, None])):
            for value in values:
                context = context.add_output({"prompt": label, key: value})
        bench = _bench(context, data_source="outputs")
        assert bench["metric"] == key
        assert bench["groups"]["y"]["failed"] == 1

    def test_no_outputs_or_no_scores(self, context: Context) -> None:
        """Said, with what was looked for."""
        assert _bench(context, data_source="outputs")["no_data"] == "the run has no outputs"
        context = context.add_output({"prompt": "a"}).add_output({"score": 1})
        bench = _bench(context, data_source="outputs")
        assert bench["no_data"] == 'none of 2 outputs has a "prompt" and a score, accuracy or loss'
        assert bench["left_out"] == ['1 of 2 outputs have no "prompt"']
        assert 'a "f1"' in _bench(context, data_source="outputs", metric="f1")["no_data"]

    def test_scores_of_different_kinds_are_not_mixed(self, context: Context) -> None:
        """An accuracy beside a loss is no comparison: refused, unless one is named."""
        context = context.add_output({"prompt": "a", "accuracy": 0.5}).add_output({"prompt": "b", "loss": 2.0})
        with pytest.raises(ContractError, match=r"outputs\[0\] has accuracy, outputs\[1\] has loss\); name one"):
            _bench(context, data_source="outputs")
        assert _bench(context, data_source="outputs", metric="loss")["groups"]["a"]["failed"] == 1
        context = context.add_output({"prompt": "a", "accuracy": "high"})
        with pytest.raises(ContractError, match=r"outputs\[2\].accuracy: expected a number"):
            _bench(context, data_source="outputs", metric="accuracy")


class TestMetrics:
    """Metrics that were named, one group each."""

    def test_nested_values_by_path(self, context: Context) -> None:
        """A dotted path leads into a metric, also past a name with dots in it; a number is a group of one."""
        context = context.merge_metrics({"times.a": {"raw": {"s": SLOW}}, "b": {"s": FAST}, "c": 0.5, "d": True})
        bench = _bench(context, data_source="metrics", metrics=["times.a.raw.s", "b.s", "c"])
        assert [group["n"] for group in bench["groups"].values()] == [8, 8, 1]
        first, second, _ = bench["contrasts"]
        assert first["verdict"] == "difference"
        assert second["verdict"] is None
        assert "treatment has 1" in second["refused"]
        assert _bench(context, data_source="metrics", metrics=["d"])["groups"]["d"]["mean"] == 1.0

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("latncy", 'no metric "latncy"; did you mean "latency"'),
            ("latency.p95", 'no metric "latency.p95"'),
            ("facts", "metrics.facts: expected a list of numbers, got a .*; it holds: total"),
            ("word", "metrics.word: expected a list of numbers, got a str"),
        ],
    )
    def test_what_is_not_there_or_no_number(self, context: Context, name: str, message: str) -> None:
        """Named with what there is."""
        context = context.merge_metrics({"latency": SLOW, "facts": {"total": 3}, "word": "x"})
        with pytest.raises(ContractError, match=message):
            _bench(context, data_source="metrics", metrics=[name, "latency"])


def test_the_metric_is_what_reports_read(context: Context) -> None:
    """JSON, and each record in the shape of a contrast of evaluations, a refused one too."""
    data = {"slow": SLOW, "fast": FAST, "one": [0.5]}
    bench = _bench(_with_data(context, data), data_source="assigns", metric="seconds")
    assert json.loads(json.dumps(bench, allow_nan=False)) == bench
    tested, refused, _ = read_contrasts(bench, [])
    assert tested.headline == "fast scores lower than slow"
    assert tested.metric == "seconds"
    assert refused.verdict is None
    assert refused.headline == "one against slow: not tested"
    assert refused.sentence == (
        "one against slow on seconds was not tested: a comparison needs at least 2 scores a column, treatment has 1."
    )
    keys = ("contrast", "n", "difference", "interval", "effect", "p", "p_adjusted", "verdict", "wording", "also")
    assert all(set(keys) <= set(record) for record in bench["contrasts"])


def test_decisions_are_in_the_trace(context: Context) -> None:
    """One for all groups at once, one for each pair."""
    with events.collect("crucible_trace.decision.made") as heard:
        _bench(
            _with_data(context, {"a": SLOW, "b": FAST, "c": OTHER}),
            data_source="assigns",
            baseline="a",
            tests=["auto", "kruskal", "friedman", "welch_anova"],
        )
    decisions = [event.metadata["decision"] for event in heard]
    assert decisions == [
        "3 groups on value by kruskal: difference",
        "3 groups on value by friedman: difference",
        "3 groups on value by welch_anova: difference",
        "b vs a on value: difference",
        "c vs a on value: difference",
    ]
    with events.collect("crucible_trace.decision.made") as heard:
        _bench(_with_data(context, {"a": [1, 1], "b": [1, 1], "c": [1, 1]}), data_source="assigns")
    assert len(heard) == 3  # of the pairs; the test of all groups could not be made
