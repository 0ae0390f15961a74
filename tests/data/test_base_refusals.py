"""What a document says of its base model and is not carried out: refused where `evaluate` would load it."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.data.evaluate_stage import EvaluateStage
from crucible.ir import Experiment
from crucible.pipeline import parse_options


def found(document: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    """Return what `evaluate` refuses in a document."""
    stage = EvaluateStage()
    whole = {"id": "e", "backend": {"id": "local"}, "pipeline": [{"name": "evaluate"}], **document}
    return stage.check(Experiment.read(whole), parse_options(stage, options))


def training(model: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a document whose training_config names a model."""
    model_ref = {"id": "my/base", **model}
    return {"training_config": {"id": "t", "model_ref": model_ref, "dataset_ref": {"name": "tickets"}, **fields}}


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"provider": "s3"}, "provider", "s3 is not supported; use local or huggingface"),
        ({"framework": "onnx"}, "framework", "onnx is not supported"),
        ({"version": "v2"}, "version", "revisions are not supported"),
        ({"options": {"a": 1}}, "options", "takes no options"),
    ],
)
def test_the_base_that_is_meant_is_checked(given: dict[str, Any], field: str, words: str) -> None:
    """That of the training_config, else the baseline."""
    ((path, message),) = found(training(given))
    assert path == f"training_config.model_ref.{field}"
    assert words in message
    ((path, message),) = found({"baseline": {"id": "my/base", **given}})
    assert path == f"baseline.{field}"
    assert words in message


def test_a_base_that_is_not_meant_is_not_checked() -> None:
    """A tuned model has its base, the stage may name another, and so may a training before it."""
    document = training({"provider": "openai"})
    assert found(document, model="tuned") == []
    assert found(document, base_model="other") == []
    stages = [{"name": "supervised_train", "options": {"base_model": "other"}}, {"name": "evaluate"}]
    assert found({**document, "pipeline": stages}) == []
    stages[0]["enabled"] = False
    assert len(found({**document, "pipeline": stages})) == 1
    assert found({}) == []


def test_the_device_is_checked() -> None:
    """A word that is no device, and a device that this machine has not; what another backend has is its own affair."""
    ((path, message),) = found(training({}, device="tpu"))
    assert (path, message) == ("training_config.device", "tpu is not supported; use cpu, cuda, mps")
    ((path, message),) = found(training({}, device="mps"))
    assert path == "training_config.device"
    assert "no MPS device on this machine" in message
    assert found({**training({}, device="mps"), "backend": {"id": "elsewhere"}}) == []
    stages = [{"name": "supervised_train", "options": {"device": "cpu"}}, {"name": "evaluate"}]
    assert found({**training({}, device="tpu"), "pipeline": stages}) == []
