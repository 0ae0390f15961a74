"""Groups of scores, compared all at once and in pairs, are reported like evaluated models."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crucible.pipeline import Context, parse_options
from crucible.report import FORMATS, build_results, render
from crucible.stats.stages import BenchStage

GROUPS = {
    "a": [2.0, 2.5, 3.1, 2.2, 2.9, 2.4],
    "b": [4.0, 4.4, 5.1, 3.8, 4.6, 4.9],
    "c": [2.1, 2.6, 2.8, 3.0, 2.2, 2.7, 2.5],
}


def compared(context: Context, **options: Any) -> dict[str, Any]:
    """Compare with the stage that does it in a run, and return the results, rendered in every format."""
    stage = BenchStage()
    results = build_results(stage.run(context, parse_options(stage, {"data_source": "assigns", **options})))
    for format_ in FORMATS:
        assert render(results, format_)
    return results


@pytest.fixture
def results(tmp_path: Path, leave: SimpleNamespace) -> dict[str, Any]:
    """The results of a run that only compared three groups."""
    context = leave.start(tmp_path, pipeline=[{"name": "bench"}, {"name": "report"}]).assign("bench_data", GROUPS)
    return compared(context, metric="latency")


def test_groups_have_scores_and_verdicts(results: dict[str, Any]) -> None:
    """Each group has its mean and counts, all together one test, and each pair a verdict over its observations."""
    assert [(e["label"], e["scores"][0]["scorer"], e["scores"][0]["scored"]) for e in results["evaluations"]] == [
        ("a", "latency", 6), ("b", "latency", 6), ("c", "latency", 7),
    ]  # fmt: skip
    assert [test["verdict"] for test in results["group_tests"]] == ["difference"]
    assert [c["verdict"] for c in results["contrasts"]] == ["difference", "no_difference_found", "difference"]
    assert "over 6 and 6 observations" in results["contrasts"][0]["sentence"]
    assert "No difference was tested" not in " ".join(results["missing"])


def test_groups_in_every_format(results: dict[str, Any]) -> None:
    """The sentence of the test of all groups stands first in the verdict, its numbers in a table and a row."""
    wording = results["group_tests"][0]["wording"]
    assert wording.startswith("A difference was found between 3 groups in latency")
    markdown = render(results, "markdown")
    assert markdown.split("## Verdict\n\n")[1].startswith(wording[:40])
    assert "**All groups at once**" in markdown
    assert "| Pairs (n) |" not in markdown
    assert "All groups at once" in render(results, "html")
    assert "tab:crucible-group-tests" in render(results, "latex", fragment=True)
    rows = list(csv.DictReader(io.StringIO(render(results, "csv"), newline="")))
    [row] = [row for row in rows if row["kind"] == "group_test"]
    assert float(row["p"]) == results["group_tests"][0]["p"]
    assert (row["text"], row["n"], row["metric"]) == ("a; b; c", "19", "latency")


def test_why_nothing_was_tested(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A run without groups, with one, or with groups that cannot be tested says why."""
    context = leave.start(tmp_path)
    assert compared(context)["missing"][0] == "No difference was tested: the run has no assigns.bench_data."
    alone = compared(context.assign("bench_data", {"a": [1.0, 2.0]}))
    assert alone["missing"][0].startswith("No difference was tested: one group")
    flat = compared(context.assign("bench_data", {"a": [1.0], "b": [2.0], "c": [3.0]}))
    assert [test["verdict"] for test in flat["group_tests"]] == [None]
    assert "not made" in flat["group_tests"][0]["wording"]
    assert all(contrast["headline"].endswith("not tested") for contrast in flat["contrasts"])
    assert "was not tested" in flat["contrasts"][0]["sentence"]


def test_groups_of_fractions_and_failures(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Scores of 0 and 1 are fractions; a failed one that counts as 0 is among the scores of the mean, and counted."""
    interval = {"low": 0.1, "high": 0.9, "level": 0.95, "method": "Wilson"}
    bench = {
        "metric": "solved",
        "failures": "zero",
        "groups": {"a": {"n": 4, "failed": 1, "mean": 0.5, "interval": interval}},
        "omnibus": [{"name": "kruskal"}],
        "left_out": ["3 of 9 outputs have no prompt"],
    }  # fmt: skip
    results = build_results(leave.start(tmp_path).put_metric("bench", bench))
    [score] = results["evaluations"][0]["scores"]
    assert (score["attempted"], score["scored"], score["failed"], score["unit"]) == (4, 3, 1, "fraction")
    assert results["cautions"][-1] == "bench: 3 of 9 outputs have no prompt."
    assert "no sentence was recorded" in render(results, "markdown")


@pytest.mark.parametrize(
    ("metric", "means", "method", "unit"),
    [
        ("exact_match", (81.0, 90.2), "Student t", "value"),
        ("exact_match", (0.81, 0.9), "Student t", "fraction"),
        ("retries", (0.4, 4.2), "Wilson score", "value"),
        ("seconds", (0.4, 0.6), "Student t of the Wilson plant", "value"),
        ("solved", (0.4, 0.6), "Wilson score", "fraction"),
    ],
)
def test_the_unit_follows_from_the_values(
    tmp_path: Path, leave: SimpleNamespace, metric: str, means: tuple[float, float], method: str, unit: str
) -> None:
    """Percent is for shares, by their values: no name of a metric and no word makes percentages of other numbers."""
    groups = {
        label: {"n": 5, "mean": mean, "interval": {"low": mean, "high": mean, "level": 0.95, "method": method}}
        for label, mean in zip("ab", means, strict=True)
    }
    contrast = {"baseline": "a", "treatment": "b", "difference": means[1] - means[0]}
    bench = {"metric": metric, "groups": groups | {"c": {"n": 1, "mean": 1.0}}, "contrasts": [contrast]}
    results = build_results(leave.start(tmp_path).put_metric("bench", bench))
    units = [evaluation["scores"][0]["unit"] for evaluation in results["evaluations"]]
    assert units == [unit] * 3
    assert results["contrasts"][0]["unit"] == unit
    for format_ in FORMATS:
        render(results, format_)


def test_the_unit_of_a_contrast_without_groups(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A stranger's contrast of a known share is in points, unless its means are no shares."""
    for mean, unit in ((0.5, "fraction"), (81.0, "value")):
        contrast = {"baseline": "a", "treatment": "b", "metric": "exact_match", "baseline_mean": mean}
        results = build_results(leave.start(tmp_path).put_metric("bench", {"contrasts": [contrast]}))
        assert results["contrasts"][0]["unit"] == unit
