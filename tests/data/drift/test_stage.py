from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from crucible import data, events
from crucible.backends.scripted import ScriptedSampler
from crucible.data.drift import DriftOptions, DriftStage
from crucible.data.drift.reading import read_sample
from crucible.errors import ContractError
from crucible.ir import Experiment, new_experiment
from crucible.pipeline import Context, Registry, Runner, RunResult, pipeline_problems


def document(*options: dict[str, Any], drift: Any = None, path: Path | None = None) -> Experiment:
    """Return an experiment with such stages, after the loading of a dataset where a path is given."""
    stages: list[dict[str, Any]] = [{"name": "data_load"}] if path else []
    fields: dict[str, Any] = {"dataset": {"name": "jsonl", "options": {"path": str(path)}}} if path else {}
    if drift is not None:
        fields["reliability"] = {"drift": drift}
    stages += [{"name": "drift", "options": each} for each in options or ({},)]
    return Experiment.read({"id": "e", "backend": {"id": "local"}, "pipeline": stages, **fields})


def written(tmp_path: Path) -> Path:
    """Write a dataset whose test items are longer than the training items, and say other things."""
    rng = random.Random(0)
    for name, words, size in (("train", "alpha beta gamma", 8), ("test", "alpha beta delta", 12)):
        rows = [
            {
                "id": f"{name}{i}",
                "input": " ".join(rng.choices(words.split(), k=size)),
                "expected": "x",
                "age": rng.gauss(40, 9),
                "from": {"country": rng.choice("ab")},
            }
            for i in range(150)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def run(tmp_path: Path, experiment: Experiment, **assigns: Any) -> RunResult:
    """Run such an experiment."""
    return Runner(Registry(DriftStage())).run(experiment, workspace=tmp_path / "w", assigns=assigns)


def metric(result: RunResult, name: str = "drift") -> dict[str, Any]:
    """Return what the stage found."""
    result.raise_for_status()
    return json.loads(json.dumps(dict(result.context.get_metric(name)), default=list))


def problems(*options: dict[str, Any], drift: Any = None) -> dict[str, str]:
    """Return what is wrong with such an experiment, by path."""
    registry = Registry(DriftStage())
    return {each.path: str(each) for each in pipeline_problems(document(*options, drift=drift), registry)}


def test_a_document_is_carried_out(tmp_path: Path) -> None:
    """`reliability.drift` says what is compared and how; train is the reference, test the current sample."""
    fields = ["input", "age", "from.country", "expected"]
    config = {"method": "mannwhitney", "fields": fields, "alpha": 0.01, "min_samples": 120}
    with events.collect("crucible_trace.*") as seen:
        result = run(tmp_path, document(drift=config, path=written(tmp_path)))
    found = metric(result)
    assert (found["status"], found["drifted"]) == ("drift_found", ["input (length)", "input (content)"])
    assert (found["alpha"], found["min_samples"], found["method"]) == (0.01, 120, "mannwhitney")
    assert [one["test"] for one in found["tests"]] == ["mannwhitney", "mmd", "mannwhitney", "chi_square"]
    assert [(one["field"], one["reason"]) for one in found["untested"]] == [
        ("expected", "all values of both samples are the same")
    ]
    assert found["reference"] == {"name": "train", "rows": 150}
    (decision,) = [each for each in seen if each.metadata.get("type") == "constraint_evaluated"]
    assert decision.metadata["decision"] == "test against train: drift found"
    assert json.loads(result.context.artifact_path("drift").read_text()) == found


def test_without_fields_everything_numeric_is_compared(tmp_path: Path) -> None:
    """And nothing else."""
    found = metric(run(tmp_path, document(path=written(tmp_path))))
    assert [one["field"] for one in found["tests"]] == ["age"]
    assert found["wording"].startswith("No drift found in age (1 test at alpha 0.05); a change too small")


@pytest.mark.parametrize("method", ["ks", "psi", "chi_square", "energy", "g"])
def test_every_method_that_a_document_may_name_is_carried_out(tmp_path: Path, method: str) -> None:
    """Psi has a test by permutation; the figure alone decides nothing."""
    rng = random.Random(1)
    rows = {
        side: [{"id": f"{side}{i}", "x": rng.gauss(place, 1)} for i in range(100)] for place, side in enumerate("ab")
    }
    options = {"reference": "assigns.a", "current": "assigns.b", "resamples": 999}
    found = metric(run(tmp_path, document(options, drift={"method": method}), **rows))
    assert (found["drifted"], found["tests"][0]["test"]) == (["x"], method)


def test_drift_ends_the_run_if_asked_to(tmp_path: Path) -> None:
    """With the sentence; too few values never do."""
    options = {"reference": "assigns.a", "current": "assigns.b", "fail_on_drift": True}
    far = {"a": {"x": list(range(100))}, "b": {"x": list(range(1000, 1100))}}
    result = run(tmp_path, document(options), **far)
    assert result.failure is not None
    assert result.failure.message.startswith("Drift was found in x (1 test at alpha 0.05): x mean 49.5")
    assert result.failure.message.endswith("(fail_on_drift)")
    few = {"a": {"x": [1] * 9 + [2]}, "b": {"x": [5] * 9 + [6]}}
    assert metric(run(tmp_path / "few", document(options), **few))["status"] == "nothing_tested"
    none = metric(run(tmp_path / "none", document(options), a=[{"t": "x"}], b=[]))
    assert none["cautions"] == ["no field is numeric, so nothing was tested; name fields"]


def test_evaluations_are_compared_by_scores_and_answers(tmp_path: Path) -> None:
    """And the same items on both sides are said to be no two samples."""
    items = tuple(data.Item(str(i), f"q {i}", "yes") for i in range(120))
    dataset = data.Dataset("d", "test", items, data.Provenance(source="memory"))
    context = Context(run_id="r", experiment=document(), workspace=tmp_path)
    for label, answer in (("old", "yes"), ("new", "no, not at all")):
        path = tmp_path / f"{label}.jsonl"
        sampler = ScriptedSampler(lambda prompt, answer=answer: answer if int(prompt[2:]) % 9 else "yes")
        data.evaluate(sampler, dataset, ["exact_match"], data.EvalOptions(record=path, repeats=2))
        context = context.add_file(f"scores.{label}", path)
    options = DriftOptions(reference="scores.old", current="scores.new", fields=("exact_match", "output"))
    found = DriftStage().run(context, options)
    assert list(found.get_metric("drift")["drifted"]) == ["exact_match", "output"]
    cautions = found.get_metric("drift")["cautions"]
    assert "120 items are in both samples" in cautions[2]
    assert "scores.old: items were asked several times" in cautions[0]
    sample = read_sample(context, "scores.new")
    assert (sample.rows, sample.columns["exact_match"][:2]) == (120, [1.0, 0.0])
    with pytest.raises(ContractError, match='no evaluation is called "scores.odl"; did you mean "scores.old"'):
        read_sample(context, "scores.odl")


def test_samples_that_are_not_there_end_the_run(tmp_path: Path) -> None:
    """With what there is."""
    context = Context(run_id="r", experiment=document(), workspace=tmp_path)
    context = context.put_resource("model", object()).assign({"text": "x", "mixed": {"x": 3}, "rows": [1]})
    for name, message in (
        ("test", 'no resource "test"'),
        ("model", '"model" is a object and no dataset'),
        ("assigns.gone", "the run has no assigns.gone"),
        ("assigns.text", "must be columns"),
        ("assigns.mixed", "must be columns"),
        ("assigns.rows", "must be columns"),
    ):
        with pytest.raises(ContractError, match=message):
            read_sample(context, name)


def test_what_cannot_be_carried_out_is_found_before_the_run() -> None:
    """Each by its path."""
    assert not problems({})
    assert not problems({}, drift={"method": "psi", "fields": ["x"]})
    found = problems({}, drift={"methd": "ks"})
    assert '"methd" is none of method, fields, alpha, min_samples; did you mean "method"?' in found["reliability.drift"]
    assert "a value does not fit one of method" in problems({}, drift={"alpha": "low"})["reliability.drift"]
    found = problems({}, drift={"method": "kolmogorov"})
    assert 'no test is called "kolmogorov"' in found["reliability.drift.method"]
    assert not problems({"method": "ks"}, drift={"method": "kolmogorov"})
    assert "names no field" in problems({}, drift={"fields": []})["reliability.drift.fields"]
    assert "pipeline[0].options.correction" in problems({"correction": "sidak"})
    assert "cannot give a p-value below" in problems({"resamples": 99, "alpha": 0.001})["pipeline[0].options.resamples"]
    assert "is the reference, too" in problems({"current": "train"})["pipeline[0].options.current"]
    found = problems({"current": "scores.new"})
    assert 'no evaluation before this stage is labelled "new"' in found["pipeline[0].options.current"]
    assert "give each a label of its own" in problems({}, {})["pipeline[1].options.label"]


def test_two_stages_have_results_of_their_own(tmp_path: Path) -> None:
    """By label; a second one under the same label is refused."""
    options = {"reference": "assigns.a", "current": "assigns.b"}
    rows = {"a": {"x": list(range(100))}, "b": {"x": list(range(100))}}
    result = run(tmp_path, document(options, {**options, "label": "again"}), **rows)
    assert metric(result)["status"] == metric(result, "drift.again")["status"] == "no_drift_found"
    stage = DriftStage()
    assert stage.rebuild(result.context, DriftOptions()) is result.context
    assert stage.announces(new_experiment("e", "local", ["drift"]), DriftOptions()) == {}
    assert stage.describe()["name"] == "drift"
    with pytest.raises(ContractError, match="was written by an earlier stage"):
        stage.run(result.context, DriftOptions())
    with pytest.raises(ContractError, match="is the reference, too"):
        stage.run(result.context, DriftOptions(reference="a", current="a", label="third"))
