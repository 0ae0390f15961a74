"""The stage: every option honoured, what it leaves in the context, and a resumed run that skips it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from crucible.backends import LocalBackend
from crucible.backends.base_files import base_digest
from crucible.backends.local_sampler import LocalSampler
from crucible.backends.local_session import LocalSession
from crucible.data import load
from crucible.errors import CheckpointError, ContractError, DataError, SpecErrors, TrainError
from crucible.ir import Experiment, LoraConfig
from crucible.pipeline import Context, FrozenMap, Registry, parse_options, pipeline_problems
from crucible.train import stages, trained
from crucible.train.resolution import TrainNaming
from crucible.train.stages import SupervisedTrainStage

STAGE = SupervisedTrainStage()
SHORT: dict[str, Any] = {"rank": 4, "learning_rate": 5e-3, "max_steps": 4, "checkpoint_interval": 2, "batch_size": 4}


def options(**values: Any) -> TrainNaming:
    """Return options as a document gives them."""
    return cast("TrainNaming", parse_options(STAGE, {**SHORT, **values}))


@pytest.fixture
def context(base: Path, tmp_path: Path) -> Context:
    """A run with twelve training tickets and a base model."""
    experiment = Experiment.read(
        {
            "id": "x",
            "backend": {"id": "local"},
            "pipeline": [{"name": "supervised_train"}],
            "training_config": {"id": "t", "model_ref": {"id": str(base)}, "dataset_ref": {"name": "tickets"}},
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
    assert {record["synthetic"] for record in history} == {True}
    assert (facts["synthetic"], facts["dataset"], facts["dataset_role"]) == (True, "tickets", "train")
    assert after.artifact_path("adapter.tuned").name == "adapter_model.safetensors"
    origin = json.loads((after.artifact_path("adapter.tuned").parent / "training.json").read_text())
    assert origin["data"]["synthetic"] is True
    assert origin["base_digest"] == facts["base_digest"] == base_digest(Path(facts["config"]["base_model"]))
    for name in ("sampler.tuned", "sampler.base"):
        assert isinstance(after.resource(name).sample(["Ticket: hi\nJSON:"])[0].text, str)


def test_the_metric_says_how_the_training_ended(context: Context) -> None:
    """The best checkpoint, those on disk, the optimiser, the end, and each quality target with what came of it."""
    targets = {"final_loss": 0.001, "steps": 4.0}
    facts = STAGE.run(context, options(validation_fraction=0.2, quality_targets=targets)).metrics["train.tuned"]
    assert (facts["optimizer"], facts["stopped_early"], facts["checkpoints"]) == ("adam", False, [2, 4])
    assert facts["stop_reason"] == "all 4 steps are taken"
    assert facts["best_step"] == facts["kept_step"]
    assert facts["best_metrics"]["validation_loss"] == facts["kept_validation_loss"]
    assert facts["kept_validation_loss"] < facts["initial_validation_loss"]
    assert (facts["quality"]["passed"], facts["quality"]["summary"]) == (False, "1/2 quality targets met")
    missed, met = facts["quality"]["targets"]
    assert (missed["metric"], missed["actual"], missed["passed"]) == ("final_loss", facts["final_loss"], False)
    assert (met["metric"], met["actual"], met["delta"], met["passed"]) == ("steps", 4.0, 0.0, True)
    json.dumps(facts, allow_nan=False)


def test_a_missed_target_fails_the_stage_where_the_document_says_so(context: Context) -> None:
    """After everything is saved; a target that is met fails nothing."""
    asked = {"model": "strict", "quality_targets": {"final_loss": 0.001}, "on_missed_target": "fail"}
    with pytest.raises(TrainError, match=r"strict: 0/1 quality targets met: final_loss is .*, wanted at most 0.001"):
        STAGE.run(context, options(**asked))
    assert (context.workspace / "train" / "strict" / "saved" / "adapter" / "adapter_model.safetensors").is_file()
    within = STAGE.run(context, options(quality_targets={"final_loss": 1e6}, on_missed_target="fail"))
    assert within.metrics["train.tuned"]["quality"]["passed"] is True


def test_how_chats_are_rendered_is_refused_where_there_are_none(context: Context) -> None:
    """A renderer would change nothing about prompts and answers, so it is named before anything is trained."""
    with pytest.raises(DataError, match="renderer and train_on: none of the 12 items of tickets is a chat"):
        STAGE.run(context, options(renderer="role_colon", train_on="all_tokens"))


def test_a_resumed_run_gets_the_same_sampler_back(context: Context) -> None:
    """`rebuild` reloads the adapter without training, also where no other stage gave the base."""
    prompt = "Ticket: the lamp is broken\nJSON:"
    after = STAGE.run(context, options(learning_rate=0.05))
    resumed = STAGE.rebuild(msgspec.structs.replace(after, resources=FrozenMap()), options(learning_rate=0.05))
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


def test_real_data_is_not_stamped(context: Context) -> None:
    """No record, file or metric calls observed items made up."""
    real = load([(f"question {index}", "answer") for index in range(6)])
    after = STAGE.run(context.put_resource("train", real), options())
    assert after.metrics["train.tuned"]["synthetic"] is False
    assert not any("synthetic" in record for record in json.loads(after.artifact_path("history.tuned").read_text()))
    origin = json.loads((after.artifact_path("adapter.tuned").parent / "training.json").read_text())
    assert origin["data"]["synthetic"] is False


def test_an_adapter_is_not_put_on_another_base(context: Context, base: Path, tmp_path: Path) -> None:
    """Where the files of the base model changed since, a resumed run ends by name."""
    folder = shutil.copytree(base, tmp_path / "base")
    after = STAGE.run(context, options(base_model=str(folder)))
    later = msgspec.structs.replace(after, resources=FrozenMap())
    assert STAGE.rebuild(later, options()).has_resource("sampler.tuned")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "note": "changed"}))
    with pytest.raises(CheckpointError, match="are not those that the adapter was trained on: base_digest was"):
        STAGE.rebuild(later, options())


def test_the_base_is_sampled_on_the_device_of_the_training(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tuned and the untuned model compute in the same numbers; each base of a run is its own."""
    asked: list[tuple[str, str | None]] = []

    class Spy(LocalBackend):
        def start_session(self, config: LoraConfig) -> LocalSession:
            return super().start_session(config.model_copy(update={"device": "cpu"}))

        def create_sampler(
            self, base_model: str, *, device: str | None = None, adapter: Path | None = None
        ) -> LocalSampler:
            asked.append((Path(base_model).name, device))
            return super().create_sampler(base_model, adapter=adapter)

    for module in (stages, trained):
        monkeypatch.setattr(module, "get_backend", lambda ref: Spy())
    after = STAGE.run(context, options(device="cuda", max_steps=1))
    STAGE.rebuild(msgspec.structs.replace(after, resources=FrozenMap()), options())
    assert asked == [(Path(after.metrics["train.tuned"]["config"]["base_model"]).name, "cuda")] * 2


def test_the_dataset_is_the_one_named(context: Context) -> None:
    """`dataset` names the resource; without it there is an error that names it."""
    other = context.put_resource("test", load("tickets", split="test", limit=5))
    facts = STAGE.run(other, options(dataset="test")).metrics["train.tuned"]
    assert (facts["items"], facts["dataset_role"]) == (5, "test")
    with pytest.raises(ContractError, match='"nowhere"'):
        STAGE.run(context, options(dataset="nowhere"))


def test_the_document_is_checked_through_the_stage(context: Context) -> None:
    """`crucible validate` finds what cannot be done, at its place."""
    document = context.experiment.model_copy(update={"training_config": None})
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
    assert set(described["optional"]) == {"model", "dataset", "on_missed_target", *LoraConfig.model_fields}
    assert described["__extensions__"]["help"]["rank"] == "Rank of the adapter's matrices. Default: 16."
    assert all(described["__extensions__"]["help"].values())


def test_names_that_cannot_be_folders_are_refused() -> None:
    """The result's name becomes a folder and part of artifact names."""
    for bad in ("a/b", "..", ""):
        with pytest.raises(SpecErrors) as caught:
            options(model=bad)
        assert [error.path for error in caught.value.errors] == ["options.model"]
