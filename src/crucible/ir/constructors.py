"""Short ways to single values, in the names that the predecessor's users asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crucible.ir.builder_draft import given
from crucible.ir.deployment import DeploymentConfig
from crucible.ir.experiment import Experiment, StageDef
from crucible.ir.read import from_dict
from crucible.ir.refs import BackendRef, DatasetRef, ModelRef
from crucible.ir.training import TrainingConfig

__all__ = ["new_deployment_config", "new_experiment", "new_model_ref", "new_training_config"]


def new_experiment(
    id: str,  # noqa: A002  # the field's name
    backend: str | BackendRef,
    pipeline: Iterable[str | StageDef | Mapping[str, Any]],
    **fields: Any,
) -> Experiment:
    """Return an experiment.

    Args:
        id: Name of the experiment.
        backend: A backend, or its id.
        pipeline: Stages, or their names.
        **fields: Further fields of `Experiment`.

    Raises:
        SpecErrors: Every problem, each with its path.
    """
    stages = [given(stage, "name", {}) for stage in pipeline]
    return from_dict({"id": id, "backend": given(backend, "id", {}), "pipeline": stages, **fields}, Experiment)


def new_model_ref(id: str, **fields: Any) -> ModelRef:  # noqa: A002  # the field's name
    """Return a reference to a model.

    Args:
        id: Built-in name, folder or hub id.
        **fields: Further fields of `ModelRef`.

    Raises:
        SpecErrors: Every problem, each with its path.
    """
    return from_dict({"id": id, **fields}, ModelRef)


def new_training_config(
    id: str,  # noqa: A002  # the field's name
    model_ref: str | ModelRef,
    dataset_ref: str | DatasetRef,
    **fields: Any,
) -> TrainingConfig:
    """Return the configuration of a training.

    Args:
        id: Name of the configuration.
        model_ref: A model, or its id.
        dataset_ref: A dataset, or its name.
        **fields: Further fields of `TrainingConfig`.

    Raises:
        SpecErrors: Every problem, each with its path.
    """
    refs = {"model_ref": given(model_ref, "id", {}), "dataset_ref": given(dataset_ref, "name", {})}
    return from_dict({"id": id, **refs, **fields}, TrainingConfig)


def new_deployment_config(id: str, model_version_id: str, **fields: Any) -> DeploymentConfig:  # noqa: A002  # the field's name
    """Return the configuration of a deployment.

    Args:
        id: Name of the deployment.
        model_version_id: Version that serves.
        **fields: Further fields of `DeploymentConfig`.

    Raises:
        SpecErrors: Every problem, each with its path.
    """
    return from_dict({"id": id, "model_version_id": model_version_id, **fields}, DeploymentConfig)
