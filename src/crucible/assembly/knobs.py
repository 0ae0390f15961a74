"""What becomes of every value that a document may hold: executed by somebody, refused by name, or kept as a fact.

One table; the page `docs/knobs.md` shows it, and a test walks all of it and holds each line to what `validate` says. A
room that comes later turns refusals into execution here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from crucible.assembly.knobs_walk import ANY, Knob, knobs_of
from crucible.ir import Model

__all__ = ["FATES", "Fate", "fate_of", "is_refused_whole"]


class Fate(NamedTuple):
    """What becomes of a value.

    Args:
        kind: `executed`: it changes what is done. `refused`: `validate` names it. `recorded`: a fact, nothing to do.
        by: Who executes it, in which form it is kept, or why nothing does.
    """

    kind: Literal["executed", "refused", "recorded"]
    by: str


def _executed(by: str) -> Fate:
    return Fate("executed", by)


def _refused(why: str) -> Fate:
    return Fate("refused", why)


_KEPT: Final = Fate("recorded", "kept with the run")
_RECORD: Final = Fate("recorded", "a record of what happened; nothing to carry out")
_OFF: Final = _executed("switches the part off")

_RUNNER: Final = _executed("the runner")
_CHECKED: Final = Fate("recorded", "kept with the run; `crucible validate` holds the document to it")
_BACKEND: Final = _executed("the room of backends")
_LOAD: Final = _executed("`data_load`")
_TRAIN: Final = _executed("`supervised_train`")
_BASE: Final = _executed("`supervised_train`, and `evaluate` with `model: base`")
_BENCH: Final = _executed("`bench`")
_LEVEL: Final = _executed("`bench`; `evaluate` and `fairness` for their intervals")
_GUARDRAILS: Final = _executed("`guardrails`")
_REPORT: Final = _executed("`report`")
_DEVICE: Final = _executed("`supervised_train`, `evaluate`; refused on a machine that has none")

_NO_BACKEND: Final = _refused("no backend of this version uses it")
_NO_MODEL: Final = _refused("base models are folders, built-in models and repositories of the Hugging Face Hub")
_NO_FRAMEWORK: Final = _refused("base models are PyTorch models in the layout of transformers")
_NO_OPTIMIZER: Final = _refused("the trainer has AdamW, Adam, SGD and RMSprop")
_ADAMS: Final = _executed("`supervised_train` with adamw and adam; refused with sgd and rmsprop")
_HELD_OUT: Final = _executed("`supervised_train`, where items are held out; refused where none are")
_PRECISION: Final = _executed("`supervised_train`; refused on a machine that has no bfloat16")
_NO_ENSEMBLE: Final = _refused("nothing in this version asks several models")
_NO_HEDGING: Final = _refused("nothing in this version sends a second request")
_FAIRNESS: Final = _executed("`fairness`")
_DRIFT: Final = _executed("`drift`")
_NO_MONITORING: Final = _refused("nothing in this version watches a service")
_NO_FEEDBACK: Final = _refused("nothing in this version collects feedback")
_NO_DEPLOYMENT: Final = _refused("nothing in this version deploys")
_NO_PROMPT: Final = _refused("nothing in this version sends a prompt as it is; `evaluate` has options of its own")

FATES: Final[Mapping[str, Mapping[str, Fate]]] = {
    "Experiment": {
        "*": _KEPT,
        "schema_version": _executed("migrations, when the document is read"),
        "backend": _BACKEND,
        "pipeline": _RUNNER,
        "dataset": _LOAD,
        "reliability": _executed("its parts; see there"),
        "outputs": _REPORT,
        "experiment_type": _CHECKED,
        "training_config": _executed("`supervised_train`; `data_load` and `evaluate` for their parts of it"),
        "baseline": _executed(
            "`evaluate` with `model: base` where there is no training_config; refused where nothing evaluates it"
        ),
    },
    "BackendRef": {
        "*": _NO_BACKEND,
        "id": _BACKEND,
        "profile": _executed("the room of backends: `default` alone"),
        "options": _refused("the backend local takes none; that of somebody else gets them"),
    },
    "DatasetRef": {
        "*": _LOAD,
        "version": _executed("`data_load`: a revision of a repository, or the sha256 of a file"),
        "split=validation": _executed("`data_load`, where the data has such a split"),
    },
    "StageDef": {
        "*": _RUNNER,
        "name": _executed("the registry of stages"),
        "module": _executed("the registry of stages, if the caller allows the import"),
        "options": _executed("the stage"),
    },
    "RetryPolicy": {"*": _RUNNER},
    "ModelRef": {
        "*": _KEPT,
        "id": _BASE,
        "artifact_uri": _executed("`supervised_train`, `evaluate`: a folder"),
        "provider": _NO_MODEL,
        "provider=local": _BASE,
        "provider=huggingface": _BASE,
        "framework": _NO_FRAMEWORK,
        "framework=nx": _executed("says nothing about the files; the predecessor's default"),
        "framework=pytorch": _BASE,
        "framework=safetensors": _BASE,
        "version": _refused("no revision of a base model can be chosen; give its folder as artifact_uri"),
        "options": _refused("a base model takes no options"),
    },
    "ModelVersion": {"*": _KEPT},
    "TrainingConfig": {
        "*": _TRAIN,
        "id": _KEPT,
        "model_ref": _BASE,
        "dataset_ref": _executed("`data_load`, where the document has no `dataset`; else it must name the same"),
        "optimizer": _NO_OPTIMIZER,
        "optimizer=adam": _TRAIN,
        "optimizer=adamw": _TRAIN,
        "optimizer=sgd": _TRAIN,
        "optimizer=rmsprop": _TRAIN,
        "loss_function": _executed("`supervised_train`: these, and any that was registered"),
        "metrics": _executed(
            "`supervised_train` follows loss and gradient_norm, with held-out items validation_loss and "
            "validation_perplexity, and `evaluate` accuracy: refused are any other, none at all, and accuracy where "
            "nothing evaluates, but in the default `[loss, accuracy]`"
        ),
        "device": _refused("PyTorch runs on cpu, cuda and mps here"),
        "device=cpu": _BASE,
        "device=cuda": _DEVICE,
        "device=mps": _DEVICE,
        "seed": _executed("`data_load`, `supervised_train`, `evaluate`"),
        "mixed_precision=true": _PRECISION,
        "early_stopping": _HELD_OUT,
    },
    "OptimizerConfig": {
        "*": _TRAIN,
        "name": _NO_OPTIMIZER,
        "name=adam": _TRAIN,
        "name=adamw": _TRAIN,
        "name=sgd": _TRAIN,
        "name=rmsprop": _TRAIN,
        "beta1": _ADAMS,
        "beta2": _ADAMS,
        "eps": _executed("`supervised_train` with adamw, adam and rmsprop; refused with sgd"),
        "momentum": _executed("`supervised_train` with sgd and rmsprop; refused with adamw and adam"),
        "weight_decay": _executed("`supervised_train`: decoupled with adamw, part of the gradient with the others"),
    },
    "SchedulerConfig": {"*": _TRAIN},
    "LossConfig": {
        "*": _executed("`supervised_train`: these, and any that was registered"),
        "label_smoothing": _refused("the losses look at the targets' own probabilities"),
    },
    "EarlyStoppingConfig": {
        "*": _TRAIN,
        "metric": _executed(
            "`supervised_train`: validation_loss, validation_perplexity, and loss and gradient_norm of the steps since "
            "the validation before; refused are others"
        ),
    },
    "LoraConfig": {
        "*": _TRAIN,
        "device=cuda": _DEVICE,
        "device=mps": _DEVICE,
        "beta1": _ADAMS,
        "beta2": _ADAMS,
        "eps": _executed("`supervised_train` with adamw, adam and rmsprop; refused with sgd"),
        "momentum": _executed("`supervised_train` with sgd and rmsprop; refused with adamw and adam"),
        "loss": _executed("`supervised_train`: a registered loss that needs nothing beside the items"),
        "eval_every": _HELD_OUT,
        "early_stopping": _HELD_OUT,
        "quality_targets": _executed("`supervised_train`, of what the training reports; refused are other metrics"),
        "gradient_hooks": _executed("`supervised_train` on the backend local; refused on a remote service"),
        "mixed_precision=true": _PRECISION,
        "renderer": _executed("`supervised_train`, of items that are chats; refused where none is"),
        "train_on": _executed("`supervised_train`, of items that are chats; refused where none is"),
    },
    "ReliabilityConfig": {
        "*": _NO_MONITORING,
        "ensemble": _NO_ENSEMBLE,
        "hedging": _NO_HEDGING,
        "guardrails": _GUARDRAILS,
        "stats": _BENCH,
        "fairness": _FAIRNESS,
        "drift": _DRIFT,
        "circuit_breaker": _refused("nothing in this version asks a backend that may fail for a while"),
        "feedback": _NO_FEEDBACK,
    },
    "EnsembleConfig": {"*": _NO_ENSEMBLE, "strategy=none": _OFF},
    "HedgingConfig": {"*": _NO_HEDGING, "strategy=off": _OFF},
    "GuardrailConfig": {"*": _GUARDRAILS, "options": _executed("`guardrails`: the adapter")},
    "StatsConfig": {
        "*": _BENCH,
        "alpha": _LEVEL,
        "confidence_level": _LEVEL,
        "tests": _executed("`bench`, where it fits: of paired scores, or of groups; refused: an empty list"),
        "effect_size_type": _executed("`bench`, where it fits: of paired scores, or of groups"),
    },
    "FairnessConfig": {
        "*": _FAIRNESS,
        "enabled=false": _OFF,
        "metrics": _executed("`fairness`; the four need options: positive"),
        "options": _executed("`fairness`: its options"),
    },
    "DriftConfig": {"*": _DRIFT},
    "MonitoringConfig": {"*": _NO_MONITORING},
    "CircuitBreakerConfig": {"*": _refused("nothing in this version asks a backend that may fail for a while")},
    "FeedbackConfig": {"*": _NO_FEEDBACK, "enabled=false": _OFF},
    "RetrainingTrigger": {"*": _NO_FEEDBACK},
    "OutputSpec": {"*": _REPORT},
    "DeploymentConfig": {"*": _NO_DEPLOYMENT, "id": _KEPT, "metadata": _KEPT},
    "ResourceSpec": {"*": _NO_DEPLOYMENT},
    "ScalingConfig": {"*": _NO_DEPLOYMENT},
    "HealthCheckConfig": {"*": _NO_DEPLOYMENT},
    "EndpointConfig": {"*": _NO_DEPLOYMENT},
    "CanaryConfig": {"*": _NO_DEPLOYMENT},
    "Prompt": {"*": _NO_PROMPT, "request_id": _KEPT, "trace_id": _KEPT, "metadata": _KEPT},
    "Options": {"*": _NO_PROMPT, "stream=false": _OFF, "extended_thinking=false": _OFF},
    "ToolChoice": {"*": _NO_PROMPT},
    "Message": {"*": _RECORD},
    "ContentPart": {"*": _RECORD},
    "ToolCall": {"*": _RECORD},
    "Completion": {"*": _RECORD},
    "Choice": {"*": _RECORD},
    "Thinking": {"*": _RECORD},
    "Usage": {"*": _RECORD},
    "Capabilities": {"*": _RECORD},
    "CheckpointRef": {"*": _RECORD},
    "TrainingRun": {"*": _RECORD},
    "DeploymentStatus": {"*": _RECORD},
    "FeedbackEvent": {"*": _RECORD},
    "TelemetryEvent": {"*": _RECORD},
}
"""Fate by type, and in it by `field=word`, by `field`, or by `*` for the fields that are not named."""


def fate_of(knob: Knob) -> Fate:
    """Return what becomes of a value.

    Raises:
        KeyError: The table does not say; a test keeps that from happening to what `crucible.ir` offers.
    """
    fates = FATES[knob.type]
    by_word = fates.get(f"{knob.field}={knob.word}") if knob.word != ANY else None
    return by_word or fates.get(knob.field) or fates["*"]


def is_refused_whole(kind: type[Model]) -> bool:
    """Tell whether nothing of a type is carried out but the words that switch it off."""
    fates = [fate_of(knob) for knob in knobs_of(kind)]
    return FATES[kind.__name__]["*"].kind == "refused" and all(
        fate.kind != "executed" or fate is _OFF for fate in fates
    )
