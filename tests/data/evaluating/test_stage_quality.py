"""The stage `evaluate` with classes and quality targets: what the run keeps, what `validate` refuses, what fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from crucible import events
from crucible.backends.scripted import ScriptedSampler
from crucible.ir import BackendRef, DatasetRef, Experiment, StageDef
from crucible.pipeline import Context, NoOptions, Registry, Runner, StageBase, pipeline_problems

ROWS = [{"id": str(n), "input": f"claim {n}", "expected": "supports" if n % 3 else "refutes"} for n in range(12)]


def provide(answer: Callable[[str], str]) -> Any:
    """Return a stage that provides a model of these answers."""

    class Provide(StageBase):
        """Provide a model."""

        name: ClassVar[str] = "provide"
        Options: ClassVar[type[BaseModel]] = NoOptions

        def run(self, context: Context, options: NoOptions) -> Context:
            """Put it where a training stage would."""
            return context.put_resource("sampler.tuned", ScriptedSampler(answer))

    return Provide()


def document(folder: Path, **options: Any) -> Experiment:
    """Return a document that evaluates the model on the rows."""
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    pipeline = (
        StageDef(name="data_load"),
        StageDef(name="provide"),
        StageDef(name="evaluate", options={"model": "tuned", "dataset": "train", **options}),
    )
    dataset = DatasetRef(name="jsonl", options={"path": str(file), "answer_schema": ["verdict"]})
    return Experiment(id="e", backend=BackendRef(id="local"), dataset=dataset, pipeline=pipeline)


def run(folder: Path, answer: Callable[[str], str], **options: Any) -> Any:
    """Run it without a store."""
    return Runner(Registry(provide(answer))).run(document(folder, **options), workspace=folder / "run")


TARGETS = {"exact_match": 0.5, "mean_exact_match": 0.9, "schema_compliance": 0.95, "f1": 0.3, "micro_recall": 0.6}


def test_classes_and_targets_are_metrics_of_the_run(tmp_path: Path) -> None:
    """Always the same answer: right on two thirds of the items, on one class of two; nothing is JSON."""
    with events.collect("crucible_*") as found:
        done = run(
            tmp_path,
            lambda prompt: "supports",
            scorers=["exact_match", "schema_compliance"],
            classes={},
            quality_targets=TARGETS,
        )
    assert done.status == "completed", done.failure
    classes = done.context.get_metric("classification.tuned")
    figures = {each["figure"]: each["value"] for each in classes["figures"]}
    assert figures["recall of supports"] == 1.0
    assert figures["recall of refutes"] == 0.0
    supports = next(each for each in classes["classes"] if each["class"] == "supports")
    assert supports["predicted"] == classes["items"] > supports["support"] == supports["right"] > 4
    assert figures["macro_f1"] == pytest.approx(supports["right"] / (supports["right"] + classes["items"]))
    assert classes["unread"] == 0
    quality = done.context.get_metric("quality.tuned")
    assert {each["metric"]: each["passed"] for each in quality["targets"]} == {
        "exact_match": True,
        "mean_exact_match": False,
        "schema_compliance": False,
        "f1": True,
        "micro_recall": True,
    }
    assert quality["summary"] == "3/5 quality targets met"
    assert quality["recommendations"][0].startswith("Raise schema_compliance by 0.95: it is 0 and is to be at least")
    assert any(event.metadata.get("decision") == quality["summary"] for event in found)


def test_the_class_may_be_a_field_of_json(tmp_path: Path) -> None:
    """And labels may be said; the schema is a list of fields."""
    rows = [{**row, "expected": json.dumps({"verdict": row["expected"]})} for row in ROWS]
    before, ROWS[:] = list(ROWS), rows
    try:
        done = run(
            tmp_path,
            lambda prompt: '{"verdict": "SUPPORTS", "why": "so"}',
            scorers=["schema_compliance"],
            classes={"field": "verdict", "labels": ["refutes", "supports", "unclear"]},
            quality_targets={"schema_compliance": 1.0},
            on_missed_target="fail",
        )
    finally:
        ROWS[:] = before
    assert done.status == "completed", done.failure
    classes = done.context.get_metric("classification.tuned")["classes"]
    assert [each["class"] for each in classes] == ["refutes", "supports", "unclear"]
    assert [each["right"] for each in classes] == [0, classes[1]["support"], 0]
    assert classes[1]["predicted"] > classes[1]["support"] > 4


def test_a_missed_target_fails_the_stage_if_it_is_told_to(tmp_path: Path) -> None:
    """With what was missed; the scores stay in their file."""
    done = run(tmp_path, lambda prompt: "x", quality_targets={"exact_match": 0.5}, on_missed_target="fail")
    assert done.status == "failed"
    message = str(done.failure)
    assert "tuned: 0/1 quality targets met: exact_match is 0, wanted at least 0.5 (on_missed_target: fail)" in message
    assert (tmp_path / "run" / "evaluate" / "tuned.jsonl").is_file()


def test_without_either_nothing_is_added(tmp_path: Path) -> None:
    """No classification and no quality of nothing."""
    done = run(tmp_path, lambda prompt: "x")
    assert not done.context.has_metric("classification.tuned")
    assert not done.context.has_metric("quality.tuned")


@pytest.mark.parametrize(
    ("options", "path", "message"),
    [
        ({"quality_targets": {"f1": 0.5}}, "quality_targets", '"f1" is not measured; it is a figure of classes: add'),
        ({"quality_targets": {"exact_mach": 0.5}}, "quality_targets", 'did you mean "exact_match"'),
        ({"classes": {"labels": ["a", "a"]}}, "classes.labels", "names a class twice"),
        ({"classes": {"labels": ["Yes", "yes "]}}, "classes.labels", "are one class to who reads answers"),
        ({"classes": {"labels": ["yes", "..."]}}, "classes.labels", "'...' has no word by which an answer could name"),
        ({"on_missed_target": "fail"}, "on_missed_target", "fail needs quality_targets"),
        ({"scorers": ["overall_pass"]}, "scorers[0]", '"overall_pass" needs a judge of entailment of your own'),
    ],
)
def test_what_nothing_could_decide_is_refused_by_validate(
    tmp_path: Path, options: dict[str, Any], path: str, message: str
) -> None:
    """Before anything is asked, at its place."""
    found = pipeline_problems(document(tmp_path, **options), Registry(provide(str)))
    assert [problem.path.rpartition("options.")[2] for problem in found] == [path]
    assert message in found[0].message


def test_an_expected_answer_that_is_no_class_fails_before_anything_is_asked(tmp_path: Path) -> None:
    """Asking a model every item to throw the answers away costs money."""
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "supports"

    done = run(tmp_path, answer, classes={"labels": ["supports", "unclear"]})
    assert done.status == "failed"
    assert '"refutes" has none of the labels supports, unclear' in str(done.failure)
    assert asked == []
