"""The bench stage: what it compares, how its options are resolved, and what it refuses by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from crucible import events, ir
from crucible.errors import ContractError, StatsError
from crucible.pipeline import Context, StageBase, parse_options, pipeline_problems, stage_problems
from crucible.pipeline.registry import Registry
from crucible.stats.bench.plan import BenchOptions, resolve
from crucible.stats.bench.refusals import refusals
from crucible.stats.stages import BenchStage

Rows = dict[str, Any]
MakeContext = Callable[..., Context]
PAIR = {"baseline": "base", "treatment": "tuned"}


def _experiment(stats: Rows | None = None, options: Rows | None = None, *stages: Rows) -> ir.Experiment:
    document: Rows = {
        "id": "bench",
        "backend": {"id": "local"},
        "pipeline": [*stages, {"name": "bench", "options": options or {"contrasts": [PAIR]}}],
    }
    if stats is not None:
        document["reliability"] = {"stats": stats}
    return ir.from_dict(document, ir.Experiment)


@pytest.fixture
def make_context(tmp_path: Path) -> MakeContext:
    """Make a context with score files: a column of numbers (or outcomes) by label."""

    def make(stats: Rows | None = None, **columns: list[Any]) -> Context:
        context = Context(run_id="run-1", experiment=_experiment(stats), workspace=tmp_path)
        for label, values in columns.items():
            path = tmp_path / "evaluate" / f"{label}.jsonl"
            path.parent.mkdir(exist_ok=True)
            rows = [
                {
                    "id": f"q{i}",
                    "scores": {
                        "exact_match": value if isinstance(value, dict) else {"kind": "scored", "value": float(value)}
                    },
                }
                for i, value in enumerate(values)
            ]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            context = context.add_file(f"scores.{label}", path, media_type="application/jsonl")
        return context

    return make


def _options(**options: Any) -> BenchOptions:
    return parse_options(BenchStage(), {"contrasts": [PAIR], **options})


BASE = [0] * 15 + [1] * 5
TUNED = [1] * 12 + [0] * 3 + [1] * 5


def test_a_contrast_is_a_paired_test_with_its_counts(make_context: MakeContext) -> None:
    """The record is the TestResult with labels, title and each side's counts, and the metric is JSON."""
    context = BenchStage().run(make_context(base=BASE, tuned=TUNED), _options())
    bench = context.get_metric("bench")
    assert (bench["metric"], bench["alpha"], bench["correction"]) == ("exact_match", 0.05, "none")
    (record,) = bench["contrasts"]
    assert (record["baseline"], record["treatment"], record["contrast"]) == ("base", "tuned", "tuned vs base")
    assert record["name"] == "mcnemar"
    assert record["difference"] == pytest.approx(0.6)
    assert record["verdict"] == "difference"
    assert record["n_attempted"] == {"baseline": 20, "treatment": 20}
    assert record["n_failed"] == {"baseline": 0, "treatment": 0}
    assert "mean exact_match is 0.850 for tuned and 0.250 for base on the same 20 items" in record["wording"]
    assert json.loads(json.dumps(bench, allow_nan=False)) == bench


def test_several_contrasts_are_corrected_in_declared_order(make_context: MakeContext) -> None:
    """Holm by default; a label against itself is allowed, finds nothing, and is not counted."""
    other = [1] * 4 + [0] * 11 + [1] * 5
    contrasts = [
        {"baseline": "base", "treatment": "other", "name": "small"},
        PAIR,
        {"baseline": "base", "treatment": "base", "name": "A/A"},
    ]
    context = BenchStage().run(make_context(base=BASE, tuned=TUNED, other=other), _options(contrasts=contrasts))
    bench = context.get_metric("bench")
    small, main, same = bench["contrasts"]
    assert bench["correction"] == "holm"
    assert [record["contrast"] for record in bench["contrasts"]] == ["small", "tuned vs base", "A/A"]
    assert main["p_adjusted"] == pytest.approx(2 * main["p"])
    assert small["p_adjusted"] == small["p"] == pytest.approx(0.125)
    assert (same["verdict"], same["p"], same["p_adjusted"]) == ("no_difference_found", 1.0, None)
    assert any("not adjusted for 2 comparisons" in text for text in main["assumptions"])


def test_no_correction_when_told_so(make_context: MakeContext) -> None:
    """`correction: none` is honoured."""
    other = {"baseline": "other", "treatment": "tuned"}
    context = BenchStage().run(
        make_context(base=BASE, tuned=TUNED, other=BASE), _options(contrasts=[PAIR, other], correction="none")
    )
    bench = context.get_metric("bench")
    assert bench["correction"] == "none"
    assert [record["p_adjusted"] for record in bench["contrasts"]] == [None, None]
    assert bench["contrasts"][0]["difference"] == bench["contrasts"][1]["difference"]


@pytest.mark.parametrize(
    ("source", "twice"),
    [
        ("scores", {"baseline": "tuned", "treatment": "base", "name": "back"}),
        ("scores", {**PAIR, "name": "again", "metric": "exact_match"}),
        ("assigns", {"baseline": "tuned", "treatment": "base"}),
    ],
)
def test_a_question_that_is_asked_twice_is_refused(source: str, twice: Rows) -> None:
    """The same two labels on the same metric, in either order: by path, with the contrast that asked it first."""
    options = _options(data_source=source, contrasts=[PAIR, {"baseline": "base", "treatment": "base"}, twice])
    ((path, message),) = refusals(options, None)
    assert path == "contrasts[2]"
    assert message.startswith("contrasts[2] asks what contrasts[0] asks: ")


def test_the_same_pair_on_another_metric_is_another_question() -> None:
    """Nothing is refused."""
    assert refusals(_options(contrasts=[PAIR, {**PAIR, "metric": "f1"}]), None) == []


@pytest.mark.parametrize("column", [[0, 1] * 10, [0] * 20, [1] * 20, [0.2, 0.4, 0.9, 1.0]])
def test_a_model_against_itself_finds_no_difference(make_context: MakeContext, column: list[float]) -> None:
    """The instrument check, on binary and on other scores."""
    context = BenchStage().run(
        make_context(base=column), _options(contrasts=[{"baseline": "base", "treatment": "base"}])
    )
    (record,) = context.get_metric("bench")["contrasts"]
    assert record["verdict"] == "no_difference_found"
    assert record["wording"].startswith("No difference found")


def test_each_contrast_is_a_decision_in_the_trace(make_context: MakeContext) -> None:
    """What was decided, why in the result's own words, and the other verdict as the alternative."""
    with events.collect("crucible_trace.decision.made") as heard:
        context = BenchStage().run(make_context(base=BASE, tuned=TUNED), _options())
    (event,) = heard
    assert event.metadata["decision"] == "tuned vs base on exact_match: difference"
    assert event.metadata["reasoning"] == context.get_metric("bench")["contrasts"][0]["wording"]
    assert event.metadata["alternatives"] == ["no difference found"]
    assert event.metadata["confidence"] is None


def test_failures_follow_the_policy(make_context: MakeContext) -> None:
    """Left out or counted as 0, said in the sentence, and an end under abort."""
    failed = {"kind": "failed", "error": "timeout"}
    context = make_context(base=BASE, tuned=[failed, *TUNED[1:]])
    (excluded,) = BenchStage().run(context, _options()).get_metric("bench")["contrasts"]
    assert excluded["n"] == 19
    assert excluded["n_failed"] == {"baseline": 0, "treatment": 1}
    assert "1 of 20 items were left out" in excluded["wording"]
    (zero,) = BenchStage().run(context, _options(failures="zero")).get_metric("bench")["contrasts"]
    assert zero["n"] == 20
    assert "1 of 20 items count as 0" in zero["wording"]
    with pytest.raises(StatsError, match=r"tuned vs base on exact_match: 1 items of tuned failed"):
        BenchStage().run(context, _options(failures="abort"))


def test_an_unknown_label_names_the_known_ones(make_context: MakeContext) -> None:
    """With a hint, before any test is made."""
    hint = r'no evaluation is labelled "tuned"; did you mean "tune"\?; evaluated: base, tune'
    with pytest.raises(ContractError, match=hint):
        BenchStage().run(make_context(base=BASE, tune=TUNED), _options())
    with pytest.raises(ContractError, match="evaluated: none"):
        BenchStage().run(make_context(), _options())


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"base": [1], "tuned": [0]}, "at least 2 pairs, got 1"),
        ({"base": BASE, "tuned": [{"kind": "failed", "error": "x"}] * 20}, "at least 2 pairs, got 0"),
        ({"base": [0.5] * 9, "tuned": [0.25] * 9}, "needs differences that vary"),
    ],
)
def test_a_contrast_that_cannot_be_tested_says_why(
    make_context: MakeContext, columns: dict[str, list[Any]], reason: str
) -> None:
    """Too few pairs, none at all, or no spread: no verdict, no number, the reason in its place; the others stand."""
    contrasts = [PAIR, {"baseline": "a", "treatment": "b"}]
    context = make_context(**columns, a=BASE, b=TUNED)
    with events.collect("crucible_trace.decision.made") as heard:
        bench = BenchStage().run(context, _options(contrasts=contrasts)).get_metric("bench")
    record, other = bench["contrasts"]
    numbers = ("statistic", "p", "p_adjusted", "difference", "interval", "effect", "verdict", "correction")
    assert [record[name] for name in numbers] == [None] * 8
    assert reason in record["refused"]
    assert record["wording"] == f"tuned against base on exact_match was not tested: {record['refused']}."
    assert record["n_attempted"]["baseline"] == len(columns["base"])
    assert other["verdict"] == "difference"
    assert (other["correction"], bench["correction"]) == (None, "none")  # one contrast alone needs none
    assert heard[0].metadata["decision"] == "tuned vs base on exact_match: not tested"
    assert heard[0].metadata["alternatives"] == ["difference", "no difference found"]


def test_the_first_test_that_applies_decides(make_context: MakeContext) -> None:
    """Where McNemar's test cannot be made, the next of the list gives the verdict, and the record says so."""
    context = make_context(base=[0.1, 0.4, 0.3, 0.9], tuned=[0.2, 0.9, 0.4, 1.0])
    (record,) = BenchStage().run(context, _options(tests=["mcnemar", "wilcoxon"])).get_metric("bench")["contrasts"]
    assert record["name"] == "wilcoxon"
    assert record["also"] == [
        {
            "name": "mcnemar",
            "refused": "McNemar's test needs scores that are all 0 or 1; use the paired t-test for others",
        }
    ]


class TestResolution:
    """Stage option, then experiment, then default."""

    def test_defaults(self) -> None:
        """Nothing said: the written rule, .05, Holm, 95 %."""
        plan = resolve(_options(), None)
        assert (plan.tests, plan.alpha, plan.correction, plan.level) == (("auto",), 0.05, "holm", 0.95)

    def test_the_experiment_gives_what_the_stage_does_not(self) -> None:
        """Alpha, correction, level, resamples and seed of `reliability.stats` are used."""
        stats = ir.StatsConfig(
            tests=("mcnemar", "bootstrap"),
            alpha=0.01,
            multiple_testing_correction="benjamini_hochberg",
            bootstrap_iterations=200,
            options={"seed": 4},
        )
        plan = resolve(_options(), stats)
        assert (plan.tests, plan.alpha, plan.correction, plan.level) == (("mcnemar", "bootstrap"), 0.01, "bh", 0.99)
        assert (plan.resamples, plan.seed) == (200, 4)
        assert resolve(_options(), ir.StatsConfig(confidence_level=0.9)).level == 0.9

    def test_the_stage_wins(self) -> None:
        """A stage option is more explicit than the experiment's."""
        stats = ir.StatsConfig(tests=("bootstrap",), alpha=0.01, confidence_level=0.9, options={"seed": 4})
        options = _options(alpha=0.1, correction="by", tests=["paired_t_test"], confidence_level=0.8, seed=7)
        plan = resolve(options, stats)
        assert (plan.tests, plan.alpha, plan.correction, plan.level) == (("paired_ttest",), 0.1, "by", 0.8)
        assert plan.seed == 7

    def test_the_default_list_asks_for_no_test_in_particular(self) -> None:
        """The rule gives the verdict, the list's tests stand beside it."""
        assert resolve(_options(), ir.StatsConfig()).tests == ("auto", "paired_ttest", "bootstrap")


def test_tests_beside_the_verdict_are_made(make_context: MakeContext) -> None:
    """The first test gives the verdict, the others stand under `also`."""
    context = make_context(
        {"tests": ["mcnemar", "ttest", "bootstrap"], "bootstrap_iterations": 500}, base=BASE, tuned=TUNED
    )
    (record,) = BenchStage().run(context, _options()).get_metric("bench")["contrasts"]
    assert record["name"] == "mcnemar"
    assert [other["name"] for other in record["also"]] == ["paired_ttest", "bootstrap"]
    assert record["also"][1]["counts"]["resamples"] == 500
    assert all(other["baseline"] == "base" for other in record["also"])


def test_tests_beside_the_verdict_are_corrected_too(make_context: MakeContext) -> None:
    """A test beside a corrected verdict claims no more than a corrected one may."""
    context = make_context({"tests": ["mcnemar", "ttest"]}, base=BASE, tuned=TUNED, other=[1, *BASE[1:]])
    contrasts = [PAIR, {"baseline": "base", "treatment": "other"}]
    first, second = BenchStage().run(context, _options(contrasts=contrasts)).get_metric("bench")["contrasts"]
    assert first["also"][0]["p_adjusted"] == pytest.approx(2 * first["also"][0]["p"])
    assert second["also"][0]["correction"] == "holm"


def test_a_test_beside_the_verdict_that_cannot_be_made_says_why(make_context: MakeContext) -> None:
    """Two equal columns have no t-test: refused by name, the verdict stands."""
    context = make_context({}, base=BASE, tuned=BASE)
    (record,) = BenchStage().run(context, _options()).get_metric("bench")["contrasts"]
    assert record["verdict"] == "no_difference_found"
    assert [other["name"] for other in record["also"]] == ["paired_ttest", "bootstrap"]
    assert all("all differences are 0" in other["refused"] for other in record["also"])


def test_the_same_test_is_not_made_twice(make_context: MakeContext) -> None:
    """On scores that are not binary the rule itself chooses the paired t-test."""
    context = make_context({"bootstrap_iterations": 200}, base=[0.1, 0.4, 0.3, 0.9], tuned=[0.2, 0.9, 0.3, 1.0])
    (record,) = BenchStage().run(context, _options()).get_metric("bench")["contrasts"]
    assert record["name"] == "paired_ttest"
    assert [other["name"] for other in record["also"]] == ["bootstrap"]


def test_the_effect_that_was_asked_for_must_be_the_one(make_context: MakeContext) -> None:
    """cohens_g goes with McNemar; cohens_dz does not, and `method` says so; the stage wins over the document."""
    context = make_context({"tests": ["auto"], "effect_size_type": "cohens_g"}, base=BASE, tuned=TUNED)
    (record,) = BenchStage().run(context, _options()).get_metric("bench")["contrasts"]
    assert record["effect"]["name"] == "cohens_g"
    same = _options(contrasts=[{"baseline": "base", "treatment": "base"}])
    assert BenchStage().run(context, same).has_metric("bench")
    context = make_context({"tests": ["auto"], "effect_size_type": "dz"}, base=BASE, tuned=TUNED)
    (record,) = BenchStage().run(context, _options()).get_metric("bench")["contrasts"]
    assert record["effect"]["name"] == "cohens_g"
    assert record["method"].endswith(
        "cohens_dz was asked for and is not given: it does not go with McNemar's exact test, which goes with cohens_g, "
        "odds_ratio"
    )
    context = make_context({"tests": ["auto"], "effect_size_type": "cohens_dz"}, base=BASE, tuned=TUNED)
    (record,) = BenchStage().run(context, _options(effect_size_type="cohens_g")).get_metric("bench")["contrasts"]
    assert "asked for" not in record["method"]
    context = make_context({"tests": ["ttest"], "effect_size_type": "rank_biserial"}, base=BASE, tuned=TUNED)
    (record,) = BenchStage().run(context, _options()).get_metric("bench")["contrasts"]
    assert (record["effect"]["name"], record["effect"]["value"]) == ("rank_biserial", 1.0)
    assert record["method"].endswith("in place of that effect rank_biserial, which was asked for")


@pytest.mark.parametrize(
    ("stats", "path", "message"),
    [
        ({"tests": ["mann_whitney"]}, "reliability.stats.tests", 'does not execute "mann_whitney", it compares paired'),
        ({"tests": ["tteest"]}, "reliability.stats.tests", 'unknown test "tteest"; did you mean "ttest"'),
        (
            {"multiple_testing_correction": "tukey"},
            "reliability.stats.multiple_testing_correction",
            "unknown correction",
        ),
        ({"effect_size_type": "cohens_d"}, "reliability.stats.effect_size_type", "available: cohens_g, cohens_dz"),
        ({"effect_size_type": "eta_squared"}, "reliability.stats.effect_size_type", "not available for paired scores"),
        ({"effect_size_type": "cohen"}, "reliability.stats.effect_size_type", '"cohen" is not available'),
        ({"bootstrap_iterations": 5}, "reliability.stats.bootstrap_iterations", "at least 100, got 5"),
        ({"options": {"sed": 1}}, "reliability.stats.options.sed", 'no option "sed"; did you mean "seed"?; known'),
        ({"options": {"seed": "x"}}, "reliability.stats.options.seed", "must be an integer"),
    ],
)
def test_what_the_document_asks_in_vain_is_refused_by_name(
    make_context: MakeContext, stats: Rows, path: str, message: str
) -> None:
    """At validation with its path, and at the run too: nothing is ignored."""
    experiment = _experiment(stats, None, _evaluate(), _evaluate(model="tuned"))
    (problem,) = stage_problems(2, experiment.pipeline[2], Registry(), experiment)
    assert problem.path == path
    assert message in str(problem)
    with pytest.raises(ContractError, match=r"reliability\.stats"):
        BenchStage().run(make_context(stats, base=BASE, tuned=TUNED), _options())


@pytest.mark.parametrize(
    ("options", "path", "message"),
    [
        ({"tests": ["welch"]}, "pipeline[0].options.tests", 'does not execute "welch"'),
        ({"tests": ["friedman"]}, "pipeline[0].options.tests", "auto, mcnemar, paired_ttest, wilcoxon, bootstrap"),
        ({"effect_size_type": "hedges_g"}, "pipeline[0].options.effect_size_type", "not available for paired scores"),
        ({"options": {"seeds": 1}}, "pipeline[0].options.options.seeds", 'did you mean "seed"'),
        ({"bootstrap_iterations": 99}, "pipeline[0].options.bootstrap_iterations", "100"),
        ({"data_source": "files"}, "pipeline[0].options.data_source", "scores, assigns, outputs, metrics"),
        ({"group_by": "x"}, "pipeline[0].options.group_by", "is for data_source: outputs, and this one is scores"),
        ({"metrics": ["x"]}, "pipeline[0].options.metrics", "is for data_source: metrics"),
        ({"baseline": "x"}, "pipeline[0].options.baseline", "is for data_source: assigns, outputs or metrics"),
        ({"contrasts": None}, "pipeline[0].options.contrasts", "say what to compare"),
        ({"contrasts": None, "data_source": "scores"}, "pipeline[0].options.contrasts", "say what to compare"),
        ({"data_source": "assigns", "baseline": "a"}, "pipeline[0].options.baseline", "the contrasts name their"),
        (
            {"data_source": "outputs", "contrasts": [PAIR | {"metric": "f1"}]},
            "pipeline[0].options.contrasts[0].metric",
            "groups have one score each",
        ),
        ({"data_source": "assigns", "tests": ["binomial"]}, "pipeline[0].options.tests", "it compares groups here"),
        ({"data_source": "assigns", "tests": ["ttset"]}, "pipeline[0].options.tests", 'did you mean "ttest"'),
        (
            {"data_source": "assigns", "effect_size_type": "cramers_v"},
            "pipeline[0].options.effect_size_type",
            "available: cohens_d",
        ),
        ({"data_source": "metrics", "contrasts": None}, "pipeline[0].options.metrics", "none is taken that was not"),
        (
            {"data_source": "metrics", "contrasts": None, "metrics": ["a", "a"]},
            "pipeline[0].options.metrics",
            '"a" is there twice',
        ),
        (
            {"data_source": "metrics", "contrasts": None, "metrics": ["lat.a", "lat.b"], "baseline": "lat.c"},
            "pipeline[0].options.baseline",
            '"lat.c" is none of metrics; did you mean "lat.',
        ),
        (
            {"data_source": "metrics", "metrics": ["base", "b"]},
            "pipeline[0].options.contrasts[0].treatment",
            '"tuned" is none of metrics',
        ),
        ({"tests": []}, "pipeline[0].options.tests", "at least one test"),
        ({"correction": "hol"}, "pipeline[0].options.correction", 'did you mean "holm"'),
        ({"alpha": 1.5}, "pipeline[0].options.alpha", "alpha"),
        ({"failures": "ignore"}, "pipeline[0].options.failures", "exclude, zero, abort"),
        ({"contrasts": []}, "pipeline[0].options.contrasts", "at least one"),
        ({"contrasts": [{"baseline": "a", "treatmnt": "b"}]}, "pipeline[0].options.contrasts[0].treatmnt", "treatment"),
    ],
)
def test_bad_options_are_named_by_path(options: Rows, path: str, message: str) -> None:
    """Before anything runs."""
    chosen = {"contrasts": [PAIR], **options}
    experiment = _experiment(options=chosen)
    problems = stage_problems(0, experiment.pipeline[0], Registry(), experiment)
    assert any(problem.path == path and message in str(problem) for problem in problems), problems


def test_describe_lists_what_run_reads() -> None:
    """Names, types and defaults come from the options model."""
    described = BenchStage().describe()
    assert described["name"] == "bench"
    assert described["required"] == []
    assert {"tests", "alpha", "data_source", "options"} < set(described["optional"])
    assert described["defaults"]["data_source"] is None
    assert described["defaults"]["failures"] is None


def test_a_run_has_one_bench_stage(make_context: MakeContext) -> None:
    """A second one would forget the first and correct for its own contrasts only: refused, at validation too."""
    context = BenchStage().run(make_context(base=BASE, tuned=TUNED), _options())
    with pytest.raises(ContractError, match="one bench stage a run: list all contrasts in it"):
        BenchStage().run(context, _options())
    again = {"name": "bench", "options": {"contrasts": [PAIR]}}
    evaluated = (_evaluate(), _evaluate(model="tuned"))
    (problem,) = pipeline_problems(_experiment(None, None, *evaluated, again), Registry())
    assert problem.path == "pipeline[3].name"
    assert pipeline_problems(_experiment(None, None, *evaluated, again | {"enabled": False}), Registry()) == []


def test_contrasts_of_several_metrics_are_one_family(make_context: MakeContext) -> None:
    """A contrast's metric wins over the stage's; all are corrected for together; two metrics have two names."""
    context = make_context(base=BASE, tuned=TUNED)
    for label, shift in (("base", 0.0), ("tuned", 0.3)):
        path = context.artifact_path(f"scores.{label}")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for i, row in enumerate(rows):
            row["scores"]["f1"] = {"kind": "scored", "value": shift + i / 40 + (i % 3) / 50 * (shift > 0)}
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    bench = BenchStage().run(context, _options(contrasts=[PAIR, PAIR | {"metric": "f1"}])).get_metric("bench")
    assert (bench["metric"], bench["metrics"]) == (None, ["exact_match", "f1"])
    right, partly = bench["contrasts"]
    assert [right["contrast"], partly["contrast"]] == ["tuned vs base on exact_match", "tuned vs base on f1"]
    assert [right["metric"], partly["metric"]] == ["exact_match", "f1"]
    assert [right["name"], partly["name"]] == ["mcnemar", "paired_ttest"]
    assert right["comparisons"] == partly["comparisons"] == 2
    only = BenchStage().run(context, _options(contrasts=[PAIR | {"metric": "f1"}])).get_metric("bench")
    assert (only["metric"], only["contrasts"][0]["contrast"]) == ("f1", "tuned vs base")


def test_two_evaluations_of_other_items_are_not_compared(make_context: MakeContext) -> None:
    """Equal ids over another input or another expected answer are refused by id; a file that does not say passes."""
    context = make_context(base=BASE, tuned=TUNED)

    def tell(label: str, field: str, texts: list[Any]) -> None:
        path = context.artifact_path(f"scores.{label}")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row | {field: text}) + "\n" for row, text in zip(rows, texts, strict=True)))

    questions = [f"question {i}" for i in range(20)]
    tell("base", "input", questions)
    assert BenchStage().run(context, _options()).has_metric("bench")
    tell("tuned", "input", ["other", *questions[1:]])
    with pytest.raises(ContractError, match='1 items of base and tuned have the same id and another input: "q0"'):
        BenchStage().run(context, _options())
    tell("tuned", "input", questions)
    tell("base", "expected", [None] * 20)
    tell("tuned", "expected", ["42"] * 20)
    with pytest.raises(ContractError, match='20 items .* another expected: "q0", "q1", "q2" and 17 more'):
        BenchStage().run(context, _options())


@pytest.mark.parametrize("test", ["ttest", "bootstrap"])
@pytest.mark.parametrize(("column", "name"), [(BASE, "mcnemar"), ([0.1, 0.4, 0.3, 0.9], "sign")])
@pytest.mark.parametrize("effect", [None, "cohens_dz"])
def test_a_forced_test_on_equal_columns_gives_way(
    make_context: MakeContext, test: str, column: list[float], name: str, effect: str | None
) -> None:
    """A model against itself does not end the run: no difference found, p = 1, with an interval, and said why."""
    context = make_context({"tests": [test], "effect_size_type": effect}, base=column, tuned=column)
    contrasts = [PAIR, {"baseline": "base", "treatment": "base"}]
    for record in BenchStage().run(context, _options(contrasts=contrasts)).get_metric("bench")["contrasts"]:
        assert (record["name"], record["p"], record["verdict"]) == (name, 1.0, "no_difference_found")
        assert record["interval"]["low"] < 0 < record["interval"]["high"]
        assert "that was asked for, which cannot be made: all differences are 0" in record["method"]


class TestFailurePolicy:
    """Without an option of its own, the comparison treats failed items as the evaluations did."""

    FAILED = ({"kind": "failed", "error": "timeout"}, *TUNED[1:])

    def evaluated(self, make: MakeContext, **policies: str) -> Context:
        """Return a context with summaries of these policies by label."""
        context = make(base=BASE, tuned=list(self.FAILED))
        return context.merge_metrics(
            {f"evaluate.{label}": {"exact_match": {"failures": policy}} for label, policy in policies.items()}
        )

    def test_the_policy_of_the_evaluations_is_adopted(self, make_context: MakeContext) -> None:
        """Means of the table of scores and of the comparison then stand on the same items."""
        bench = BenchStage().run(self.evaluated(make_context, base="zero", tuned="zero"), _options()).metrics["bench"]
        assert (bench["failures"], bench["contrasts"][0]["n"]) == ("zero", 20)
        bench = BenchStage().run(self.evaluated(make_context), _options()).metrics["bench"]
        assert (bench["failures"], bench["contrasts"][0]["n"]) == ("exclude", 19)

    def test_policies_that_disagree_need_a_choice(self, make_context: MakeContext) -> None:
        """Refused by label and policy, unless the stage says which."""
        context = self.evaluated(make_context, base="exclude", tuned="zero")
        with pytest.raises(ContractError, match=r"failed items differently \(base: exclude, tuned: zero\); choose"):
            BenchStage().run(context, _options())
        assert BenchStage().run(context, _options(failures="exclude")).get_metric("bench")["failures"] == "exclude"

    def test_at_validation_too(self) -> None:
        """Before anything is trained."""
        stages = [_evaluate(), _evaluate(model="tuned", failures="zero")]
        (problem,) = _problems({"contrasts": [PAIR]}, *stages)
        assert problem[0] == "pipeline[2].options.failures"
        assert "base: exclude, tuned: zero" in problem[1]
        assert _problems({"contrasts": [PAIR], "failures": "zero"}, *stages) == []


def _evaluate(**options: Any) -> Rows:
    return {"name": "evaluate", "options": options}


def _problems(options: Rows, *stages: Rows) -> list[tuple[str, str]]:
    experiment = _experiment(None, options, *stages)
    last = len(experiment.pipeline) - 1
    return [(p.path, str(p)) for p in stage_problems(last, experiment.pipeline[last], Registry(), experiment)]


class TestAnnounced:
    """A mistyped label or metric is found at validation, from the document alone."""

    def test_labels(self) -> None:
        """Label, else model, else base; each wrong one by its place, with a hint."""
        stages = [_evaluate(), _evaluate(model="rank16", label="tuned")]
        assert _problems({"contrasts": [PAIR]}, *stages) == []
        (problem,) = _problems({"contrasts": [PAIR, PAIR | {"treatment": "tunde"}]}, *stages)
        assert problem[0] == "pipeline[2].options.contrasts[1].treatment"
        assert 'is labelled "tunde"; did you mean "tuned"?; they are: base, tuned' in problem[1]
        (problem,) = _problems({"contrasts": [PAIR | {"baseline": "bsae"}]}, *stages)
        assert problem[0] == "pipeline[2].options.contrasts[0].baseline"

    def test_metrics(self) -> None:
        """A scorer that the evaluation does not make, at the contrast or at the stage, whichever named it."""
        stages = [_evaluate(scorers=["field_f1"]), _evaluate(model="tuned", scorers=["exact_match", "field_f1"])]
        (problem,) = _problems({"contrasts": [PAIR]}, *stages)
        assert problem[0] == "pipeline[2].options.metric"
        assert 'the evaluation "base" does not score "exact_match"; it scores: field_f1' in problem[1]
        found = _problems({"contrasts": [PAIR | {"metric": "feild_f1"}]}, *stages)
        assert {path for path, _ in found} == {"pipeline[2].options.contrasts[0].metric"}
        assert 'did you mean "field_f1"' in found[0][1]
        assert _problems({"contrasts": [PAIR | {"metric": "field_f1"}]}, *stages) == []

    def test_only_what_comes_before_and_is_enabled_counts(self) -> None:
        """An evaluation that is switched off leaves no scores."""
        off = _evaluate(model="tuned") | {"enabled": False}
        (problem,) = _problems({"contrasts": [PAIR]}, _evaluate(), off)
        assert problem[0] == "pipeline[2].options.contrasts[0].treatment"

    def test_a_document_that_does_not_tell_is_not_refused(self) -> None:
        """A stranger's stage that does not say what it leaves may leave these scores."""
        assert _problems({"contrasts": [PAIR]}, _evaluate(), {"name": "my_scores"}) == []

    def test_a_document_without_any_evaluation_is_refused(self) -> None:
        """Every stage before says what it leaves, and none leaves scores."""
        found = _problems({"contrasts": [PAIR]}, {"name": "validate"})
        assert [path for path, _ in found] == [
            "pipeline[1].options.contrasts[0].baseline",
            "pipeline[1].options.contrasts[0].treatment",
        ]
        assert 'no evaluation before this stage is labelled "base"; they are: none' in found[0][1]

    def test_a_strangers_scores_count(self) -> None:
        """Whatever stage announces scores has them: nothing here knows `evaluate` by name."""

        class Scoring(StageBase):
            """Leave scores."""

            name: ClassVar[str] = "my_scores"

            def announces(self, experiment: ir.Experiment, options: Any) -> dict[str, Any]:
                return {"scores.base": {}, "scores.tuned": {"scorers": ["f1"]}, "dataset.test": None}

            def run(self, context: Context, options: Any) -> Context:
                return context

        experiment = _experiment(None, {"contrasts": [PAIR]}, {"name": "my_scores"})
        (problem,) = stage_problems(1, experiment.pipeline[1], Registry(Scoring()), experiment)
        assert problem.path == "pipeline[1].options.metric"
        assert 'the evaluation "tuned" does not score "exact_match"; it scores: f1' in str(problem)

    def test_the_comparison_itself_leaves_nothing(self) -> None:
        """So that a stage after it can check what was left before."""
        assert BenchStage().announces(_experiment(), _options()) == {}
