"""The bench stage on values that mislead: shares or counts, two groups or many, very large and very small numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats as scipy_stats

from crucible import ir, stats
from crucible.errors import ContractError, StatsError
from crucible.pipeline import Context, parse_options
from crucible.stats.bench.column import column_of_entries
from crucible.stats.bench.contrast import NotTested, Plan
from crucible.stats.names import TEST_TITLES
from crucible.stats.result import TestResult
from crucible.stats.stages import BenchStage

Rows = dict[str, Any]
OLD, NEW = [1.0, 2.0, 3.0, 4.0, 6.0], [3.0, 4.0, 5.0, 16.0, 9.0]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return a context without anything in it."""
    document = {"id": "bench", "backend": {"id": "local"}, "pipeline": [{"name": "bench"}]}
    return Context(run_id="run-1", experiment=ir.from_dict(document, ir.Experiment), workspace=tmp_path)


def _bench(context: Context, data: Any, **options: Any) -> Rows:
    context = context.assign("bench_data", data)
    asked = {"data_source": "assigns", **options}
    bench = BenchStage().run(context, parse_options(BenchStage(), asked)).get_metric("bench")
    json.dumps(bench, allow_nan=False)
    return bench


def _methods(bench: Rows) -> list[str | None]:
    return [group["interval"] and group["interval"]["method"] for group in bench["groups"].values()]


class TestSharesOrCounts:
    """Whether means are shares is decided for all groups together."""

    def test_constant_counts_are_no_shares(self, context: Context) -> None:
        """Three ones beside three twos have no interval, and are not taken for three successes."""
        bench = _bench(context, {"a": [1, 1, 1], "b": [2, 2, 2]})
        assert _methods(bench) == [None, None]
        assert "all 3 values are 1" in bench["groups"]["a"]["note"]

    def test_a_group_that_happens_to_be_binary_is_no_share(self, context: Context) -> None:
        """Counts of 0 and 1 beside larger ones have Student's interval, and Welch's test of their pair says why."""
        bench = _bench(context, {"a": [0, 1, 1, 0, 1], "b": [0, 0, 1, 0, 0], "c": [3, 4, 7, 2, 5]})
        assert _methods(bench) == ["Student's t"] * 3
        assert [record["name"] for record in bench["contrasts"]] == ["welch"] * 3
        assert "numbers, of which these happen to be 0 or 1" in bench["contrasts"][0]["method"]

    def test_the_same_of_paired_groups(self, context: Context) -> None:
        """McNemar's test is for right or wrong, not for counts of the same items."""
        columns = {"a": [0, 1, 1, 0, 1], "b": [1, 1, 0, 1, 1], "c": [3, 4, 7, 2, 5]}
        rows = [{"group": g, "item": i, "value": v} for g, values in columns.items() for i, v in enumerate(values)]
        bench = _bench(context, rows)
        assert [record["name"] for record in bench["contrasts"]] == ["paired_ttest"] * 3
        assert "happen to be 0 or 1" in bench["contrasts"][0]["method"]

    def test_zeros_and_ones_everywhere_are_shares(self, context: Context) -> None:
        """A group that is all right, beside one that is not, keeps its interval."""
        bench = _bench(context, {"a": [1, 1, 1], "b": [0, 1, None]})
        assert _methods(bench) == ["Wilson score"] * 2
        assert bench["contrasts"][0]["name"] == "fisher"

    @pytest.mark.parametrize(("data", "method"), [([1, 1, 1], None), ([True, True, True], "Wilson score")])
    def test_only_ones_are_shares_where_the_source_says_so(self, context: Context, data: Any, method: Any) -> None:
        """Truth values say so; three times the number 1 may be a count."""
        assert _methods(_bench(context, {"a": data})) == [method]
        (group,) = stats.compare_groups({"a": iter(data)}).groups
        assert (group.interval is not None) == (method is not None)

    @pytest.mark.parametrize(
        ("key", "method"), [("accuracy", "Wilson score"), ("score", "Wilson score"), ("loss", None)]
    )
    def test_scores_of_outputs_say_so(self, context: Context, key: str, method: str | None) -> None:
        """An accuracy that is 1 everywhere is a share, a loss is not."""
        for _ in range(3):
            context = context.add_output({"prompt": "a", key: 1})
        assert _methods(_bench(context, None, data_source="outputs")) == [method]

    def test_a_truth_value_beside_a_number(self, context: Context) -> None:
        """`true` beside 5 is a number like it."""
        context = context.merge_metrics({"t": True, "n": 5})
        assert _methods(_bench(context, None, data_source="metrics", metrics=["t", "n"])) == [None, None]


class TestTwoGroupsByATestOfAll:
    """The test that was named gives the verdict, and no other is made beside it."""

    @pytest.mark.parametrize(
        ("word", "name", "p", "effect"),
        [
            ("kruskal_wallis", "kruskal", scipy_stats.kruskal(OLD, NEW).pvalue, "rank_epsilon_squared"),
            ("anova", "anova", scipy_stats.f_oneway(OLD, NEW).pvalue, "eta_squared"),
            ("welch_anova", "welch_anova", scipy_stats.ttest_ind(OLD, NEW, equal_var=False).pvalue, "eta_squared"),
        ],
    )
    def test_it_decides(self, context: Context, word: str, name: str, p: float, effect: str) -> None:
        """Its p-value, its effect, its name in the sentence; alone."""
        bench = _bench(context, {"a": OLD, "b": NEW}, tests=[word])
        (record,) = bench["contrasts"]
        assert (record["name"], record["effect"]["name"], record["also"]) == (name, effect, [])
        assert record["p"] == pytest.approx(p, rel=1e-9)
        assert TEST_TITLES[name] in record["wording"]
        assert "t interval of the difference of means" in record["method"]
        (together,) = bench["omnibus"]
        assert (together["p"], together["effect"]) == (record["p"], record["effect"])

    def test_its_interval_agrees_with_it(self) -> None:
        """The analysis of variance has Student's interval: both decide alike."""
        (contrast,) = stats.compare_groups({"a": OLD, "b": NEW}, Plan(tests=("anova",))).contrasts
        assert isinstance(contrast.result, TestResult)
        assert contrast.result.interval == stats.compare(OLD, NEW, test="student").interval

    def test_the_first_that_was_named_decides(self, context: Context) -> None:
        """In the plan's order, the others beside it."""
        (record,) = _bench(context, {"a": OLD, "b": NEW}, tests=["kruskal", "welch"])["contrasts"]
        assert (record["name"], [other["name"] for other in record["also"]]) == ("kruskal", ["welch"])

    def test_no_pairs_are_promised(self, context: Context) -> None:
        """With two groups, no sentence says that pairs will tell which differ; with three, one does."""
        far = [value + 50 for value in NEW]
        promise = "which groups differ"
        assert promise not in _bench(context, {"a": OLD, "b": far}, tests=["anova"])["omnibus"][0]["wording"]
        assert promise in _bench(context, {"a": OLD, "b": far, "c": NEW}, tests=["anova"])["omnibus"][0]["wording"]

    @pytest.mark.parametrize(
        ("effect", "name"), [("omega_squared", "omega_squared"), ("hedges_g", "hedges_g"), ("cohens_d", "cohens_d")]
    )
    def test_an_effect_that_was_asked_for(self, effect: str, name: str) -> None:
        """A share of the variance, or a difference in units of the deviation that the test assumes."""
        (contrast,) = stats.compare_groups({"a": OLD, "b": NEW}, Plan(tests=("anova",), effect=effect)).contrasts
        assert isinstance(contrast.result, TestResult)
        assert contrast.result.effect.name == name
        if effect == "hedges_g":
            assert contrast.result.effect == stats.compare(OLD, NEW, test="student").effect

    @pytest.mark.parametrize(("test", "paired"), [("friedman", False), ("friedman", True), ("anova", True)])
    def test_one_that_does_not_apply_says_why(self, test: str, paired: bool) -> None:
        """Nothing is made in its place."""
        columns: Any = {"a": OLD, "b": NEW}
        if paired:
            columns = {label: dict(enumerate(values)) for label, values in columns.items()}
        (contrast,) = stats.compare_groups(columns, Plan(tests=(test,))).contrasts
        assert isinstance(contrast.result, NotTested)
        assert contrast.result.reason.startswith("not applicable: ")


class TestExtremeNumbers:
    """Numbers that cannot be computed with are refused with their place, before anything overflows."""

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([1e300, 2e300, 3e300], r"assigns.bench_data: a\[0\] is 1e\+300, too large to square: rescale the scores"),
            ([1, 10**400], r"assigns.bench_data.a\[1\]: an integer beyond 1e308 is too large"),
            ([1e-320, 2e-320], "no score of a exceeds 2e-320, too small to square: rescale"),
        ],
    )
    def test_values_of_a_run(self, context: Context, values: list[Any], message: str) -> None:
        """By the path of the source."""
        with pytest.raises(ContractError, match=message):
            _bench(context, {"a": values, "b": [1, 2, 3]})

    def test_a_metric(self, context: Context) -> None:
        """A single number, too."""
        context = context.put_metric("n", 10**400)
        with pytest.raises(ContractError, match="metrics.n: an integer beyond 1e308"):
            _bench(context, None, data_source="metrics", metrics=["n"])

    def test_values_of_a_caller(self) -> None:
        """The same for columns that a caller has."""
        with pytest.raises(StatsError, match=r"baseline\[0\] is an integer beyond 1e308, too large to compute with"):
            stats.compare([10**400, 2], [1, 2])
        with pytest.raises(StatsError, match="no score of treatment exceeds 3e-200, too small to square"):
            stats.compare([1, 2], [2e-200, 3e-200])

    @pytest.mark.parametrize("test", ["auto", "student", "mann_whitney", "bootstrap", "anova", "kruskal"])
    @pytest.mark.parametrize("scale", [1e149, 1e-139])
    def test_the_largest_and_smallest_that_are_taken(self, scale: float, test: str) -> None:
        """Results are finite, or a reason stands in their place."""
        groups = {"a": [1 * scale, 2 * scale, 4 * scale], "b": [2 * scale, 5 * scale, 7 * scale]}
        found = stats.compare_groups(groups, Plan(tests=(test,), resamples=100))
        json.dumps(found.to_dict(), allow_nan=False)


def test_a_long_column_has_each_item_once() -> None:
    """Forty thousand items are counted in one pass, and the one that comes twice is named."""
    entries: list[tuple[str | None, float | None]] = [(f"q{i}", 1.0) for i in range(40_000)]
    assert len(column_of_entries("a", entries).outcomes) == 40_000
    with pytest.raises(StatsError, match='item "q7" comes more than once in "a"'):
        column_of_entries("a", [*entries, ("q7", 0.0)])
