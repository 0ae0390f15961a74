"""The stage: every option honoured, what it leaves in the context, and a resumed run that skips it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, cast

import pytest

from crucible.data import load
from crucible.errors import ContractError, SpecErrors
from crucible.ir import Experiment, LoraConfig
from crucible.pipeline import Context, Registry, parse_options, pipeline_problems
from crucible.train.resolution import TrainNaming
from crucible.train.stages import SupervisedTrainStage

STAGE = SupervisedTrainStage()
SHORT: dict[str, Any] = {"rank": 4, "learning_rate": 5e-3, "max_steps": 4, "checkpoint_interval": 2}


def options(**values: Any) -> TrainNaming:
    """Return options as a document gives them."""
    return cast("TrainNaming", parse_options(STAGE, {**SHORT, **values}))


@pytest.fixture
def context(base: Path, tmp_path: Path) -> Context:
    """A run with twelve training tickets and a baseline."""
    experiment = Experiment.read(
        {
            "id": "x",
            "backend": {"id": "local"},
            "pipeline": [{"name": "supervised_train"}],
            "baseline": {"id": str(base)},
        }
    )
    start = Context(run_id="r", experiment=experiment, workspace=tmp_path)
    return start.put_resource("train", load("tickets", limit=12))


def test_it_leaves_samplers_metric_and_artifacts(context: Context) -> None:
    """Everything that evaluate, report and bench look for, with resolved values and plain numbers."""
    after = STAGE.run(context, options(validation_fraction=0.2))
    facts = after.metrics["train.tuned"]
    assert LoraConfig.read(facts["config"]).rank == 4
    assert facts["final_loss"] < facts["initial_loss"]
    assert (facts["steps"], facts["items"], facts["truncated"], facts["refused"]) == (4, 10, 0, 0)
    assert facts["kept_validation_loss"] is not None
    assert facts["parameters_trained"] > 0
    history = json.loads(after.artifact_path("history.tuned").read_text())
    assert [record["step"] for record in history] == [1, 2, 3, 4]
    assert ["validation_loss" in record for record in history] == [False, True, False, True]
    assert after.artifact_path("adapter.tuned").name == "adapter_model.safetensors"
    for name in ("sampler.tuned", "sampler.base"):
        assert isinstance(after.resource(name).sample(["Ticket: hi\nJSON:"])[0].text, str)


def test_a_resumed_run_gets_the_same_sampler_back(context: Context) -> None:
    """`rebuild` reloads the adapter without training, also where no other stage gave the base."""
    prompt = "Ticket: the lamp is broken\nJSON:"
    after = STAGE.run(context, options(learning_rate=0.05))
    resumed = STAGE.rebuild(dataclasses.replace(after, resources={}), options(learning_rate=0.05))
    for name in ("sampler.tuned", "sampler.base"):
        assert resumed.resource(name).logprobs([prompt]) == after.resource(name).logprobs([prompt])
    assert resumed.resource("sampler.tuned").logprobs([prompt]) != resumed.resource("sampler.base").logprobs([prompt])


def test_two_models_of_one_run_share_the_base(context: Context) -> None:
    """Each has its own name, folder and sampler; a name is used once."""
    after = STAGE.run(STAGE.run(context, options(model="a")), options(model="b", rank=1))
    assert after.resource("sampler.a") is not after.resource("sampler.b")
    assert after.metrics["train.a"]["parameters_trained"] == 4 * after.metrics["train.b"]["parameters_trained"]
    with pytest.raises(ContractError, match='"a" was trained before'):
        STAGE.run(after, options(model="a"))


def test_the_dataset_is_the_one_named(context: Context) -> None:
    """`dataset` names the resource; without it there is an error that names it."""
    other = context.put_resource("test", load("tickets", split="test", limit=5))
    assert STAGE.run(other, options(dataset="test")).metrics["train.tuned"]["items"] == 5
    with pytest.raises(ContractError, match='"nowhere"'):
        STAGE.run(context, options(dataset="nowhere"))


def test_the_document_is_checked_through_the_stage(context: Context) -> None:
    """`crucible validate` finds what cannot be done, at its place."""
    document = context.experiment.model_copy(update={"baseline": None})
    found = pipeline_problems(document, Registry())
    assert [problem.path for problem in found] == ["pipeline[0].options.base_model"]


def test_both_names_are_registered() -> None:
    """`train` is an alias of `supervised_train`."""
    for name in ("train", "supervised_train"):
        assert isinstance(Registry().get(name), SupervisedTrainStage)


def test_it_describes_every_option() -> None:
    """`crucible stages` shows each with its meaning and default."""
    described = STAGE.describe()
    assert described["required"] == []
    assert set(described["optional"]) == {"model", "dataset", *LoraConfig.model_fields}
    assert described["help"]["rank"] == "Rank of the adapter's matrices. Default: 16."
    assert all(described["help"].values())


def test_names_that_cannot_be_folders_are_refused() -> None:
    """The result's name becomes a folder and part of artifact names."""
    for bad in ("a/b", "..", ""):
        with pytest.raises(SpecErrors) as caught:
            options(model=bad)
        assert [error.path for error in caught.value.errors] == ["options.model"]
