"""The experiment document and its parts: what an experiment is, never how it is carried out."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from crucible.ir.model import Model, Seq
from crucible.ir.refs import BackendRef, DatasetRef, ModelRef
from crucible.ir.reliability import ReliabilityConfig
from crucible.ir.training import TrainingConfig

__all__ = ["Experiment", "OutputSpec", "StageDef"]

SCHEMA_VERSION = 1


class StageDef(Model):
    """One stage of the pipeline; `options` are checked by the stage itself."""

    name: str = Field(min_length=1, description="Registered stage name; see `crucible stages`.")
    module: str | None = Field(default=None, description="Import path of a stage that is not registered.")
    options: dict[str, Any] | None = Field(default=None, description="Options of the stage.")
    enabled: bool = Field(default=True, description="false: the stage is recorded as skipped.")


class OutputSpec(Model):
    """A result to hand out, in one or more formats."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$", description="Name of the output, and of its file.")
    formats: Seq[str] = Field(default=("markdown",), description="markdown, html, json.")
    sink: str = Field(default="file", description="file or stdout.")
    options: dict[str, Any] | None = Field(default=None, description="Options of the sink.")


class Experiment(Model):
    """A whole experiment: data, pipeline, training, statistics, outputs."""

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, description="Version of this format.")
    id: str = Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$", description="Name of the experiment.")
    backend: BackendRef = Field(description="Where models live.")
    pipeline: Seq[StageDef] = Field(min_length=1, description="Stages, in order.")
    description: str | None = Field(default=None, description="What question is asked.")
    owner: str | None = Field(default=None, description="Who answers for it.")
    tags: Seq[str] | None = Field(default=None, description="Words to find it by.")
    metadata: dict[str, Any] | None = Field(default=None, description="Anything else worth keeping.")
    dataset: DatasetRef | None = Field(default=None, description="Data to train and evaluate on.")
    reliability: ReliabilityConfig | None = Field(default=None, description="How sure to be.")
    outputs: Seq[OutputSpec] | None = Field(default=None, description="Results to hand out.")
    created_at: AwareDatetime | None = Field(default=None, description="When the document was made.")
    updated_at: AwareDatetime | None = Field(default=None, description="When the document was last changed.")
    experiment_type: str | None = Field(default=None, description="evaluation, training, comparison, ablation, …")
    training_config: TrainingConfig | None = Field(default=None, description="Defaults of all training stages.")
    baseline: ModelRef | None = Field(default=None, description="Model to compare against.")
