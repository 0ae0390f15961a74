"""A report is built from whatever a run left, and says what it did not."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from crucible.errors import SpecError
from crucible.ir import ArtifactRef
from crucible.pipeline import Context
from crucible.report import FORMATS, build_results, render
from crucible.report.results import Results


def rendered(context: Context) -> dict[str, Any]:
    """Return the results, having rendered them in every format."""
    results = build_results(context)
    for format_ in FORMATS:
        assert render(results, format_)
    return results


def test_results_are_plain_json_with_every_digit(whole_run: Context) -> None:
    """JSON holds the results as they are, and reads back into the same shape."""
    results = rendered(whole_run)
    again = json.loads(render(results, "json"))
    assert again == results
    assert msgspec.to_builtins(msgspec.convert(again, Results)) == results
    assert results["contrasts"][0]["p"] == whole_run.metrics["bench"]["contrasts"][0]["p"]
    assert results["missing"] == []


def test_a_whole_run(whole_run: Context) -> None:
    """Verdicts, scores, trainings and answers stand in the order in which the run made them."""
    results = build_results(whole_run)
    assert [e["label"] for e in results["evaluations"]] == ["base", "rank2", "rank16"]
    assert [t["model"] for t in results["training"]] == ["rank2", "rank16"]
    assert [c["name"] for c in results["contrasts"]] == ["rank16 vs base", "does rank matter?", "base vs base"]
    assert [c["headline"] for c in results["contrasts"]] == [
        "rank16 scores higher than base",
        "No difference found between rank16 and rank2",
        "base against itself: no difference found",
    ]
    assert results["synthetic"] is True
    assert results["provenance"]["seed"] == 0
    assert results["cautions"] == [
        "rank16: 2 of 150 items failed and have no exact_match.",
        "rank16: 2 of 150 answers were cut off at 48 tokens.",
    ]
    assert len(results["training"][0]["history"]) == 200


def test_only_evaluation(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A run that evaluated one model and compared nothing has scores and no verdict."""
    results = rendered(leave.evaluation(leave.start(tmp_path, outputs=None), "base"))
    assert results["contrasts"] == []
    assert results["missing"] == [
        "No difference was tested in this run.",
        "No command was recorded that reproduces the run.",
        "No model was trained in this run.",
        "The run does not say whether its data is synthetic.",
    ]
    assert len(results["samples"]["items"]) == 5


def test_only_training(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A run that only trained has losses and no scores."""
    results = rendered(leave.origin(leave.training(leave.start(tmp_path), "rank2", 2), synthetic=False))
    assert results["missing"] == ["No difference was tested in this run.", "No model was evaluated in this run."]
    assert results["synthetic"] is False
    assert "SYNTHETIC" not in render(results, "html")


def test_nothing_at_all(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A run that did nothing has a report that says so."""
    assert len(rendered(leave.start(tmp_path))["missing"]) == 5


def test_parts_of_an_unknown_shape_are_left_out(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A stranger's metric under one of our names does not break the report, and is not lost."""
    context = leave.start(tmp_path).merge_metrics(
        {
            "train.odd": 3,
            "evaluate.odd": {"exact_match": 0.5, "loss": {"mean": "high", "interval": {"low": 0}, "attempted": "all"}},
            "bench": {"contrasts": [{"p": "small", "counts": {"pairs": None}, "effect": {"name": "d"}, "n": 3.0}, 7]},
            "data": [1, 2],
            "mine": {"f": 1.5},
            "validation": {"status": "passed", "warnings": []},
        }
    )
    results = rendered(context)
    assert results["other"] == {
        "train.odd": 3, "data": [1, 2], "mine": {"f": 1.5}, "validation": {"status": "passed"},
    }  # fmt: skip
    assert results["evaluations"] == [
        {"label": "odd", "generation": {}, "scores": [msgspec.to_builtins(results["evaluations"][0]["scores"][0])]}
    ]
    assert results["evaluations"][0]["scores"][0]["mean"] is None
    assert results["contrasts"][0]["headline"] == "treatment against baseline: not tested"
    assert results["contrasts"][0]["n"] == 3


def test_flat_facts_of_data(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Facts that are not split by part, and a nested provenance, are found; synthetic in any part counts."""
    results = rendered(leave.start(tmp_path).put_metric("data", {"name": "mine", "provenance": {"synthetic": True}}))
    assert results["data"] == {"name": "mine", "synthetic": True}
    assert results["synthetic"] is True
    part = {"items": 3, "provenance": {"synthetic": True, "revision": ""}}
    results = rendered(leave.start(tmp_path).put_metric("data", {"synthetic": False, "test": part}))
    assert results["datasets"] == [{"role": "test", "facts": {"items": 3, "synthetic": True}}]
    assert results["synthetic"] is True


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "could not be read"), ("[", "could not be read"), ('[{"step": 1, "loss": NaN}, {"loss": 1}, 3]', "")],
)
def test_a_broken_history(tmp_path: Path, leave: SimpleNamespace, content: str | None, words: str) -> None:
    """A history that cannot be read is named as missing, and one that is not a number has no place in the chart."""
    context = leave.training(leave.start(tmp_path), "rank2", 2)
    path = context.artifact_path("history.rank2")
    path.unlink()
    if content is not None:
        path.write_text(content)
    results = rendered(context)
    assert any(words in line for line in results["missing"])
    assert results["training"][0]["history"] == ([] if words else [{"step": 1, "loss": None, "validation_loss": None}])


def test_a_training_without_history(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Facts alone are enough for the table of trainings."""
    results = rendered(leave.start(tmp_path).put_metric("train.tuned", {"final_loss": 0.5, "notes": {"a": [1]}}))
    assert "No loss history was recorded for tuned." in results["missing"]


def test_broken_answers(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Answers that cannot be read are named with file and line; a missing file is named too."""
    context = leave.evaluation(leave.start(tmp_path), "base")
    context.artifact_path("scores.base").write_text('{"id": "a"}\n\n{')
    results = rendered(context)
    assert results["samples"] is None
    assert any("base.jsonl:3 is not JSON" in line for line in results["missing"])
    gone = context.put_artifact("scores.base", ArtifactRef(path="gone", sha256="", size_bytes=0))
    assert any("could not be read" in line for line in rendered(gone)["missing"])


def test_samples_can_be_left_out(whole_run: Context) -> None:
    """Nothing is read where no item is to be shown."""
    assert build_results(whole_run, samples=0)["samples"] is None


def test_half_a_surrogate_pair_can_be_reported(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A text that no file can hold is spelled out, in every format."""
    context = leave.evaluation(leave.start(tmp_path), "base")
    context.artifact_path("scores.base").write_text('{"id": "a", "output": "\\ud800"}\n')
    results = build_results(context)
    for format_ in FORMATS:
        text = render(results, format_)
        text.encode("utf-8")
        assert ("ud800" if format_ == "latex" else "\\ud800") in text or format_ == "csv"
    assert json.loads(render(results, "json")) == results


def test_cautions(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Test items that were trained on, cut prompts and items left out are counted in words."""
    context = leave.start(tmp_path).merge_metrics(
        {
            "data": {"overlap": 12, "on_overlap": "keep", "test": {"items": 150}},
            "train.tuned": {"truncated": 3, "refused": 1},
            "generation.base": {"truncated_prompts": 4, "cut_answers": 2},
            "evaluate.base": {"exact_match": {"mean": None, "failed": 5}},
        }
    )
    assert build_results(context)["cautions"] == [
        "12 of 150 test items are also training items: scores on them may show memory, not skill.",
        "base: 5 items failed and have no exact_match.",
        "base: 2 answers were cut off.",
        "base: 4 prompts were cut to fit the model's window.",
        "tuned: 3 training items were cut to fit the model's window.",
        "tuned: 1 training items were left out, too long for the window.",
    ]
    warned = context.put_metric("validation", {"status": "warnings", "warnings": ["bench: nothing to compare"]})
    assert build_results(warned)["cautions"][0] == "The document was found at fault: bench: nothing to compare"
    dropped = context.put_metric("data", {"overlap": 12, "on_overlap": "drop"})
    assert not any("also training items" in line for line in build_results(dropped)["cautions"])
    unknown = context.put_metric("data", {"overlap": 12})
    assert build_results(unknown)["cautions"][0].startswith("12 test items are also")
    assert "Before you rely on these results" in render(build_results(context), "markdown")


def test_unknown_format_and_wrong_content() -> None:
    """A format that does not exist is refused with the nearest that does, and wrong content with its place."""
    with pytest.raises(
        SpecError, match='expected one of markdown, html, json, latex, csv; got "htm"; did you mean "html"'
    ):
        render({}, "htm")
    with pytest.raises(SpecError, match=r"Expected `str`, got `int` - at `\$.experiment_id`"):
        render({"experiment_id": 3})
    with pytest.raises(SpecError, match="not the content of a report"):
        render({"x": object()}, "json")
    with pytest.raises(SpecError, match="not the content of a report"):
        render({"x": float("nan")}, "json")


def test_training_on_the_evaluated_items_is_the_first_caution(tmp_path: Path, leave: SimpleNamespace) -> None:
    """A model evaluated on the part that it was trained on is named before anything else; the others are not."""
    context = leave.start(tmp_path)
    for label in ("base", "rank2", "rank16"):
        context = leave.evaluation(context, label, failed=2)
        context = context if label == "base" else leave.training(context, label, 2)
    facts = context.metrics["train.rank2"] | {"dataset_role": "test"}
    results = rendered(context.merge_metrics({"train.rank2": facts}))
    assert results["cautions"][0] == (
        "rank2 was trained on the test items and is evaluated on them: its scores may show memory, not skill."
    )
    assert not any("trained on" in line for line in results["cautions"][1:])
    answers = context.metrics["generation.rank2"] | {"dataset_role": "train"}
    results = rendered(context.merge_metrics({"generation.again": answers, "evaluate.again": {"f": {"mean": 0.5}}}))
    assert results["cautions"][0].startswith("again (rank2) was trained on the training items")


def test_old_runs_do_not_say_what_they_were_trained_on(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Where no role was recorded, nothing is claimed."""
    context = leave.training(leave.evaluation(leave.start(tmp_path), "rank2"), "rank2", 2)
    old = {name: dict(context.metrics[name]) for name in ("train.rank2", "generation.rank2")}
    for facts in old.values():
        del facts["dataset_role"]
    assert rendered(context.merge_metrics(old))["cautions"] == []


def test_made_up_data_is_stamped_in_every_format(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Also where nothing was evaluated, and where only the training says that its data is synthetic."""
    context = leave.training(leave.start(tmp_path), "rank2", 2)
    facts = context.metrics["train.rank2"] | {"synthetic": True}
    for made in (leave.origin(context), context.merge_metrics({"train.rank2": facts})):
        results = rendered(made)
        assert results["evaluations"] == []
        assert json.loads(render(results, "json"))["stamp"] == "SYNTHETIC DATA"
        assert all("SYNTHETIC DATA" in render(results, format_) for format_ in FORMATS)
    assert rendered(leave.origin(context, synthetic=False))["stamp"] is None


def test_contrasts_of_several_metrics(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Each says which metric it compares: in its headline, its table row and its chart."""
    context = leave.start(tmp_path)
    for label in ("base", "rank2", "rank16"):
        context = leave.evaluation(context, label)
    pair = {"baseline": "rank2", "treatment": "rank16"}
    context = leave.bench(context, [pair, pair | {"metric": "field_f1"}, {"baseline": "base", "treatment": "rank2"}])
    results = rendered(context)
    assert results["metric"] is None
    assert [c["metric"] for c in results["contrasts"]] == ["exact_match", "field_f1", "exact_match"]
    assert [c["comparisons"] for c in results["contrasts"]] == [3, 3, 3]
    assert [c["headline"].rsplit(" ", 2)[1:] for c in results["contrasts"]] == [
        ["in", "exact_match"], ["in", "field_f1"], ["in", "exact_match"],
    ]  # fmt: skip
    text = render(results, "markdown")
    assert "| rank16 against rank2, exact_match |" in text
    assert "| rank16 against rank2, field_f1 |" in text
    assert "(rank16 vs rank2" not in text
    page = render(results, "html")
    assert page.count("Differences in exact_match, treatment minus baseline.") == 1
    assert page.count("Differences in field_f1, treatment minus baseline.") == 1


def test_assigns_of_the_caller_are_in_no_report(tmp_path: Path, leave: SimpleNamespace) -> None:
    """Of the provenance only known facts are shown: never what the caller handed over, which cannot replace them."""
    context = leave.origin(leave.start(tmp_path))
    given = {"examples": [{"input": "eve@example.com"}], "blob": "A" * 50, "cfg": {"store": "S3CR", "seed": 99}}
    provenance = {**context.get_assign("provenance"), "assigns": given, "note": "x", "platform": {"of": "mine"}}
    results = build_results(context.assign("provenance", provenance))
    assert results["provenance"]["seed"] == 0
    assert results["provenance"]["facts"] == {
        "source": "examples/quickstart.yaml",
        "experiment_hash": "c0ffee" * 10,
        "started_at": "2026-04-12T09:30:05+00:00",
        "store": ".crucible",
    }
    for format_ in FORMATS:
        text = render(results, format_)
        assert not any(word in text for word in ("eve@example", "AAAA", "S3CR", "mine"))
