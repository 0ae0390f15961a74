from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from crucible import events
from crucible.backends.scripted import ScriptedSampler
from crucible.data.fairness import FairnessOptions, FairnessStage
from crucible.data.fairness.reading import field_of, group_of
from crucible.data.items import Item
from crucible.errors import ContractError
from crucible.ir import Experiment
from crucible.pipeline import NoOptions, Registry, Runner, RunResult, Stage, StageBase, pipeline_problems

N = 60


class Provide(StageBase):
    """Provide a scripted model."""

    name: ClassVar[str] = "provide"
    Options: ClassVar[type[BaseModel]] = NoOptions
    reads: ClassVar[frozenset[str] | None] = frozenset()
    answers: ClassVar[Callable[[str], str]]

    def run(self, context: Any, options: NoOptions) -> Any:
        """Put the sampler where a training stage would."""
        return context.put_resource("sampler.tuned", ScriptedSampler(self.answers))

    def announces(self, experiment: Any, options: Any) -> dict[str, Any]:
        """Say that there are no scores."""
        return {}

    rebuild = run


def says(answers: Callable[[str], str]) -> Stage:
    """Return a stage that provides a model with these answers."""
    return type("Says", (Provide,), {"answers": staticmethod(answers)})()


def biased(prompt: str) -> str:
    """Answer yes to every question in English, and to one of three in German."""
    return "Yes" if "english" in prompt or int(prompt.split(maxsplit=1)[0]) % 3 == 0 else "no"


def document(
    tmp_path: Path, *options: dict[str, Any], fairness: dict[str, Any] | None = None, **evaluate: Any
) -> Experiment:
    """Return an experiment over half English and half German questions, of which half are to be answered by yes."""
    rows = [
        {
            "id": str(i),
            "input": f"{i} {'english' if i % 2 else 'german'}",
            "expected": "yes" if i // 2 % 2 else "no",
            "lang": "en" if i % 2 else "de",
            "who": {"age": "old" if i % 4 < 2 else "young"},
        }
        for i in range(2 * N)
    ]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "train.jsonl").write_text('{"id": "t", "input": "x", "expected": "yes"}\n')
    told = {"model": "tuned", "scorers": ["exact_match"], **evaluate}
    stages: list[dict[str, Any]] = [{"name": "data_load"}, {"name": "provide"}, {"name": "evaluate", "options": told}]
    stages += [{"name": "fairness", "options": each} for each in options or ({},)]
    fields: dict[str, Any] = {"reliability": {"fairness": fairness}} if fairness else {}
    return Experiment.read(
        {
            "id": "e",
            "backend": {"id": "local"},
            "dataset": {"name": "jsonl", "options": {"path": str(tmp_path)}},
            "pipeline": stages,
            **fields,
        }
    )


def registry(answers: Callable[[str], str] = biased) -> Registry:
    """Return the installed stages, this one and a scripted model."""
    return Registry(FairnessStage(), says(answers))


def run(tmp_path: Path, *options: dict[str, Any], answers: Callable[[str], str] = biased, **fields: Any) -> RunResult:
    """Run such an experiment."""
    return Runner(registry(answers)).run(document(tmp_path, *options, **fields), workspace=tmp_path / "w")


def metric(result: RunResult, name: str = "fairness") -> dict[str, Any]:
    """Return what the stage found."""
    result.raise_for_status()
    return json.loads(json.dumps(dict(result.context.get_metric(name)), default=list))


def problems(tmp_path: Path, *options: dict[str, Any], **fields: Any) -> dict[str, str]:
    """Return what is wrong with such an experiment, by path."""
    return {each.path: str(each) for each in pipeline_problems(document(tmp_path, *options, **fields), registry())}


def test_a_document_is_carried_out(tmp_path: Path) -> None:
    """`reliability.fairness` alone says what is compared, by which limit, and what the answers mean."""
    fairness = {
        "enabled": True,
        "group_by": "lang",
        "metrics": ["demographic_parity", "equalized_odds"],
        "threshold": 0.1,
        "options": {"positive": ["yes"], "negative": ["no"]},
    }
    with events.collect("crucible_trace.*") as seen:
        result = run(tmp_path, fairness=fairness)
    found = metric(result)
    assert (found["evaluation"], found["group_by"], found["sizes"]) == ("tuned", ["lang"], {"de": N, "en": N})
    assert (found["judgement"], found["threshold"], found["threshold_as"]) == ("clear_violation", 0.1, "difference")
    rates = {(one["measure"], one["group"]): one["value"] for one in found["groups"]}
    assert rates["selection_rate", "en"] == 1.0
    assert rates["selection_rate", "de"] == pytest.approx(1 / 3)
    assert [one["metric"] for one in found["findings"]] == ["demographic_parity", "equalized_odds"]
    decided = [event.metadata["decision"] for event in seen if "demographic" in str(event.metadata["decision"])]
    assert decided == ["demographic_parity of tuned by lang: clear violation"]
    file = result.context.artifact_path("fairness")
    assert json.loads(file.read_text()) == found
    assert found["synthetic"] is False


def test_plain_scores_need_no_positive_answer(tmp_path: Path) -> None:
    """By default the evaluation's first scorer is compared."""
    found = metric(run(tmp_path, {"group_by": ["lang"]}))
    assert [one["metric"] for one in found["findings"]] == ["score"]
    assert (found["scorer"], found["judgement"]) == ("exact_match", "not_judged")
    assert {one["group"]: one["n"] for one in found["groups"]} == {"de": N, "en": N}


def test_the_stage_wins_over_the_document_and_several_fields_make_groups(tmp_path: Path) -> None:
    """Its group_by, its threshold; a nested field by dots."""
    fairness = {"enabled": True, "group_by": "lang", "threshold": 0.1, "options": {"positive": ["yes"]}}
    options = {"group_by": ["metadata.lang", "who.age"], "threshold": 0.8, "metrics": ["demographic_parity"]}
    found = metric(run(tmp_path, options, fairness=fairness))
    assert set(found["sizes"]) == {"de & old", "en & old", "de & young", "en & young"}
    assert found["threshold_as"] == "ratio"


def test_a_clear_violation_ends_the_run_if_asked_to(tmp_path: Path) -> None:
    """With the sentence; a possible one only by fail_on."""
    options = {"group_by": ["lang"], "positive": ["yes"], "metrics": ["demographic_parity"], "fail_on_violation": True}
    result = run(tmp_path, {**options, "threshold": 0.1})
    assert result.failure is not None
    assert result.failure.message.startswith("demographic_parity: a clear violation was found: selection_rate of en")
    assert result.failure.message.endswith("(fail_on_violation)")
    inside = {"threshold": 0.6, "threshold_as": "difference"}
    for fail_on in ("clear", "possible"):
        here = tmp_path / fail_on
        here.mkdir()
        result = run(here, {**options, **inside, "fail_on": fail_on})
        if fail_on == "clear":
            assert metric(result)["judgement"] == "possible_violation"
        else:
            assert result.failure is not None
            assert result.failure.message.startswith("demographic_parity: a possible violation: ")


def test_answers_may_be_json_and_truth_may_be_metadata(tmp_path: Path) -> None:
    """What cannot be read is left out and said so."""
    options = {
        "group_by": ["lang"],
        "positive": ["yes"],
        "negative": ["no"],
        "prediction": "output.say",
        "truth": "metadata.who.age",
        "metrics": ["demographic_parity"],
    }

    def answer(prompt: str) -> str:
        return "broken" if prompt.startswith("7 ") else json.dumps({"say": "maybe" if prompt[0] == "8" else "yes"})

    found = metric(run(tmp_path, options, answers=answer))
    assert {one["group"]: one["value"] for one in found["groups"]} == {"de": 1.0, "en": 1.0}
    assert f"12 of {2 * N} items have no answer that can be read" in found["cautions"]
    assert f"{2 * N} of {2 * N} items have no right answer that can be read" in found["cautions"]


def test_what_cannot_be_carried_out_is_found_before_the_run(tmp_path: Path) -> None:
    """Each by its path."""
    found = problems(tmp_path, {})
    assert "say which field of the items names their group" in found["pipeline[3].options.group_by"]
    off = problems(tmp_path, {}, fairness={"enabled": False, "group_by": "lang"})
    assert "reliability.fairness is not enabled" in off["pipeline[3].options.group_by"]
    found = problems(tmp_path, {"group_by": ["lang"], "metrics": ["equal_odds"]})
    assert 'unknown metric "equal_odds"; did you mean "equalized_odds"' in found["pipeline[3].options.metrics[0]"]
    found = problems(tmp_path, {"group_by": ["lang"], "metrics": ["accuracy"], "fail_on_violation": True})
    assert "accuracy compares positive answers" in found["pipeline[3].options.positive"]
    assert "fail_on_violation needs a threshold" in found["pipeline[3].options.threshold"]
    found = problems(tmp_path, {"group_by": ["lang"], "evaluation": "tund"})
    assert 'no evaluation before this stage is labelled "tund"' in found["pipeline[3].options.evaluation"]
    found = problems(tmp_path, {"group_by": ["lang"], "scorer": "f1", "evaluation": "tuned"})
    assert 'the evaluation does not score "f1"' in found["pipeline[3].options.scorer"]
    found = problems(tmp_path, {"group_by": ["lang"], "positive": ["yes"], "negative": ["YES "]})
    assert '"yes" is among the positive answers, too' in found["pipeline[3].options.negative"]
    found = problems(tmp_path, {"group_by": ["lang"], "correction": "sidak"})
    assert "pipeline[3].options.correction" in found
    found = problems(tmp_path, {"group_by": ["lang"]}, {"group_by": ["who.age"]})
    assert "give each a label of its own" in found["pipeline[4].options.label"]
    config = {"enabled": True, "group_by": "lang", "metrics": ["calibration"], "options": {"positiv": ["yes"]}}
    found = problems(tmp_path, {}, fairness=config)
    assert 'did you mean "positive"' in found["reliability.fairness.options.positiv"]
    found = problems(tmp_path, {}, fairness={**config, "options": {"positive": ["yes"]}})
    assert 'unknown metric "calibration"' in found["reliability.fairness.metrics[0]"]
    assert not problems(tmp_path, {}, fairness={"enabled": True, "group_by": "lang"})


def test_a_field_that_no_item_has_ends_the_run(tmp_path: Path) -> None:
    """With those that they have."""
    result = run(tmp_path, {"group_by": ["langg"]})
    assert result.failure is not None
    assert 'no item has langg; did you mean "lang"?; their metadata has: lang, who' in result.failure.message


def test_two_stages_have_results_of_their_own(tmp_path: Path) -> None:
    """By label; a failed scoring is counted."""
    result = run(tmp_path, {"group_by": ["lang"]}, {"group_by": ["who.age"], "label": "age"})
    assert metric(result)["group_by"] == ["lang"]
    assert metric(result, "fairness.age")["group_by"] == ["who.age"]
    stage = FairnessStage()
    assert stage.rebuild(result.context, FairnessOptions()) is result.context
    assert stage.describe()["name"] == "fairness"
    with pytest.raises(ContractError, match="was written by an earlier stage"):
        stage.run(result.context, FairnessOptions(group_by=("lang",)))


def test_repeats_are_one_item(tmp_path: Path) -> None:
    """The mean of its scores, and its first answer."""
    found = metric(run(tmp_path, {"group_by": ["lang"], "positive": ["yes"]}, repeats=2))
    assert {one["n"] for one in found["groups"] if one["measure"] in ("score", "selection_rate")} == {N}
    assert any("the first answer counts" in caution for caution in found["cautions"])


def test_groups_by_metadata() -> None:
    """Truth values and numbers by their text, keys with dots, and None where a field is missing or holds no value."""
    item = Item("a", "x", metadata={"f": True, "n": 3, "a.b": "x", "in": {"b": "y"}, "l": [1], "none": None})
    assert group_of(item, ["f", "n", "a.b", "in.b"]) == "true & 3 & x & y"
    assert [group_of(item, [name]) for name in ("l", "none", "gone", "in.gone", "in")] == [None] * 5
    assert field_of("text", "a") is None


def test_an_evaluation_or_a_dataset_that_is_not_there_ends_the_stage(tmp_path: Path) -> None:
    """With what there is; nothing is guessed."""
    result = run(tmp_path, {"group_by": ["lang"]})
    stage, here = FairnessStage(), result.context
    path = here.artifact_path("scores.tuned")
    two = here.add_file("scores.other", path)
    with pytest.raises(ContractError, match="name the evaluation to look at; the run has: tuned, other"):
        stage.run(two, FairnessOptions(group_by=("lang",), label="x"))
    with pytest.raises(ContractError, match='no evaluation is labelled "tund"; did you mean "tuned"'):
        stage.run(two, FairnessOptions(group_by=("lang",), label="x", evaluation="tund"))
    with pytest.raises(ContractError, match="say which field of the items names their group"):
        stage.run(here, FairnessOptions(label="x"))
    with pytest.raises(ContractError, match='"test" is a object and no dataset, so nobody knows the groups'):
        stage.run(here.put_resource("test", object()), FairnessOptions(group_by=("lang",), label="x"))
    fewer = here.put_resource("test", here.resource("test").take(3))
    with pytest.raises(ContractError, match='item "3" of the evaluation is not in the dataset'):
        stage.run(fewer, FairnessOptions(group_by=("lang",), label="x"))
    with pytest.raises(ContractError, match='the evaluation does not score "f1"'):
        stage.run(here, FairnessOptions(group_by=("lang",), label="x", scorer="f1"))
