"""The stage `dpo_train`: what it leaves, what it is made of, what it refuses, and a resumed run that skips it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from crucible.backends import ScriptedSampler
from crucible.data import Dataset, Item, Provenance, load
from crucible.errors import ContractError, DataError
from crucible.ir import Experiment, LoraConfig
from crucible.pipeline import Context, FrozenMap, Registry, parse_options, pipeline_problems
from crucible.train.preference.comparisons import comparison_of
from crucible.train.preference.options import PreferenceNaming
from crucible.train.preference.sampled import with_rejected
from crucible.train.preference.stages import DPOTrainStage
from crucible.train.stages import SupervisedTrainStage

STAGE = DPOTrainStage()
SHORT: dict[str, Any] = {"rank": 4, "learning_rate": 5e-3, "max_steps": 4, "checkpoint_interval": 2, "batch_size": 4}


def options(**values: Any) -> PreferenceNaming:
    """Return options as a document gives them."""
    return cast("PreferenceNaming", parse_options(STAGE, {**SHORT, **values}))


@pytest.fixture
def context(base: Path, tmp_path: Path, comparisons: list[Item]) -> Context:
    """A run with some comparisons, one of them a tie, and a base model."""
    experiment = Experiment.read(
        {
            "id": "x",
            "backend": {"id": "local"},
            "pipeline": [{"name": "dpo_train"}],
            "training_config": {"id": "t", "model_ref": {"id": str(base)}, "dataset_ref": {"name": "pairs"}},
        }
    )
    tie = Item("tie", "What?", None, {"chosen": "a", "rejected": "b", "label": "Tie", "synthetic": True})
    dataset = Dataset("pairs", "train", (*comparisons, tie), Provenance(source="here", synthetic=True))
    return Context(run_id="r", experiment=experiment, workspace=tmp_path).put_resource("train", dataset)


def test_it_leaves_what_other_stages_use(context: Context) -> None:
    """Samplers, the adapter, each step with its margin, and a metric with settings, counts and rewards, JSON."""
    after = STAGE.run(context, options(beta=0.3, validation_fraction=0.2, loss_type="cdpo", label_smoothing=0.2))
    facts = after.metrics["train.preferred"]
    assert LoraConfig.read(facts["config"]).rank == 4
    assert (facts["preference"]["beta"], facts["preference"]["label_smoothing"]) == (0.3, 0.2)
    assert facts["comparisons"] == {"ties": 1, "alike": 0, "truncated": 0, "refused": 0}
    assert facts["initial_validation"]["validation_accuracy"] == 0.5
    assert {"validation_accuracy", "validation_margin"} <= facts["kept_metrics"].keys()
    history = json.loads(after.artifact_path("history.preferred").read_text())
    assert all({"dpo/margin", "dpo/accuracy"} <= record["metrics"].keys() for record in history)
    assert (facts["synthetic"], {record["synthetic"] for record in history}) == (True, {True})
    json.dumps(facts, allow_nan=False)
    for name in ("sampler.preferred", "sampler.base"):
        assert isinstance(after.resource(name).sample(["Ticket: hi\nJSON:"])[0].text, str)
    with pytest.raises(ContractError, match="was trained before in this run"):
        STAGE.run(after, options())
    resumed = STAGE.rebuild(msgspec.structs.replace(after, resources=FrozenMap()), options())
    prompt = "Ticket: the lamp is broken\nJSON:"
    for name in ("sampler.preferred", "sampler.base"):
        assert resumed.resource(name).logprobs([prompt]) == after.resource(name).logprobs([prompt])


def test_it_goes_on_from_a_stage_before_it_and_learns_from_its_mistakes(context: Context) -> None:
    """Items with answers alone become comparisons with what that model answers wrongly; resumed, with the same ones."""
    tickets = load("tickets", limit=8)
    run = msgspec.structs.replace(context, resources=FrozenMap()).put_resource("train", tickets)
    supervised = SupervisedTrainStage()
    run = supervised.run(run, cast("Any", parse_options(supervised, SHORT)))
    asked = options(start_from="tuned", rejected_from="tuned", rejected_max_tokens=8)
    after = STAGE.run(run, asked)
    facts = after.metrics["train.preferred"]
    assert (facts["items"], facts["start_from"], facts["rejected_from"]) == (8, "tuned", "tuned")
    assert facts["initial_loss"] == pytest.approx(0.693147, abs=1e-6)
    kept = run.workspace / "train" / "preferred" / "rejected.json"
    drawn = kept.read_text()
    assert len(json.loads(drawn)["answers"]) == 8
    again = STAGE.run(run, asked)  # a run that was killed after training: nothing is drawn or trained anew
    assert again.metrics["train.preferred"] == facts
    assert kept.read_text() == drawn
    kept.write_text("{")
    assert STAGE.run(run, asked).metrics["train.preferred"] == facts
    assert kept.read_text() == drawn


def test_a_model_that_no_stage_trained_is_missed_by_name(context: Context) -> None:
    """And items with no answer cannot be preferred to anything."""
    with pytest.raises(ContractError, match='no stage of this run has trained "tuned"'):
        STAGE.run(context, options(start_from="tuned"))
    bare = Dataset("bare", "train", (Item("q", "What?"),), Provenance(source="here"))
    run = msgspec.structs.replace(context, resources=FrozenMap()).put_resource("train", bare)
    with pytest.raises(DataError, match='item "q" is no comparison and has no answer'):
        STAGE.run(run, options(rejected_from="base"))


def test_a_label_of_a_question_is_not_taken_for_a_verdict(tmp_path: Path) -> None:
    """The right choice stays the preferred one, though it is called B, or false."""
    questions = [
        Item("1", "A or B?", "C", {"label": "B"}),
        Item("2", "A or B?", "C", {"label": False, "desirable": False}),
    ]
    how: dict[str, Any] = {"model": "says", "seed": 0, "max_tokens": 4, "path": tmp_path / "rejected.json"}
    found = with_rejected(questions, ScriptedSampler(lambda prompt: "B"), **how)
    assert [(comparison_of(item).chosen, comparison_of(item).rejected) for item in found] == [("C", "B")] * 2
    assert with_rejected(questions, ScriptedSampler(lambda prompt: "B"), keeps_verdicts=True, **how)[1] is questions[1]
    talk = Item("3", "hi", "C", {"messages": [{"role": "user", "content": "hi"}]})
    with pytest.raises(DataError, match='item "3" is a conversation'):
        with_rejected([talk], ScriptedSampler(lambda prompt: "B"), **how)


def problems(base: Path, *before: str, **values: Any) -> dict[str, str]:
    """Return what validation says of a document with this stage, by option."""
    stages = [{"name": name} for name in before] + [
        {"name": "dpo_train", "options": {"base_model": str(base), **values}}
    ]
    document = {"id": "x", "backend": {"id": "local"}, "dataset": {"name": "tickets"}, "pipeline": stages}
    found = pipeline_problems(Experiment.read(document), Registry())
    place = f"pipeline[{len(before)}].options."
    return {error.path.removeprefix(place): error.message for error in found if error.path.startswith(place)}


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        ({"loss": "mse"}, "loss", "is of supervised training; leave it out: .* loss_type"),
        ({"train_on": "all_tokens"}, "train_on", "is of supervised training"),
        ({"label_smoothing": 0.2}, "label_smoothing", "is a setting of cdpo"),
        ({"loss_type": "orpo", "reference_model": "x"}, "reference_model", "is a setting of dpo"),
        ({"reference_model": "/nowhere/at/all"}, "reference_model", "there is no folder"),
        ({"start_from": "tunde"}, "start_from", 'no stage of this document trains "tunde"'),
        ({"start_from": "preferred"}, "start_from", "is what this stage itself trains"),
        ({"rejected_from": "other"}, "rejected_from", "no stage of this document trains"),
        ({"rejected_max_tokens": 9}, "rejected_max_tokens", "is of rejected_from"),
        (
            {"quality_targets": {"validation_acuracy": 0.9}, "validation_fraction": 0.2},
            "quality_targets",
            "did you mean",
        ),
        ({"quality_targets": {"validation_accuracy": 0.9}}, "quality_targets", "needs held-out items"),
        ({"beta": 0}, "beta", "must be positive"),
        ({"loss_type": "ppo"}, "loss_type", "dpo"),
        ({"model": "base"}, "model", "untuned model"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_by_name(
    base: Path, values: dict[str, Any], path: str, message: str
) -> None:
    """Before a run begins, at the option that says it."""
    found = problems(base, "data_load", "supervised_train", **values)
    assert path in found, found
    assert re.search(message, found[path]), found


def test_a_model_that_is_trained_later_is_no_start(base: Path) -> None:
    """Found before a run has trained for an hour."""
    own = {"name": "dpo_train", "options": {"base_model": str(base), "start_from": "tuned"}}
    for stages, count in (([own, {"name": "supervised_train"}], 1), ([{"name": "supervised_train"}, own], 0)):
        document = {"id": "x", "backend": {"id": "local"}, "dataset": {"name": "tickets"}, "pipeline": stages}
        found = pipeline_problems(Experiment.read(document), Registry())
        assert len([error for error in found if "only after this stage" in error.message]) == count


def test_what_can_be_carried_out_is_not_refused(base: Path) -> None:
    """A stage before this one may be the start, and the metrics of its validations may be targets."""
    asked = {
        "start_from": "tuned",
        "rejected_from": "base",
        "rejected_max_tokens": 9,
        "validation_fraction": 0.2,
        "quality_targets": {"validation_accuracy": 0.6, "final_loss": 0.6},
        "early_stopping": {"metric": "validation_margin", "mode": "max"},
    }
    assert problems(base, "data_load", "supervised_train", **asked) == {}
    assert "validation_divergence" not in problems(base, "data_load", loss_type="kto", desirable_weight=2.0)
