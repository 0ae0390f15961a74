"""The experiment document and its parts: what an experiment is, never how it is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints

from crucible.ir.instant import Instant
from crucible.ir.migration import EXPERIMENT_STEPS, SCHEMA_VERSION, Migrations
from crucible.ir.model import Document, Seq
from crucible.ir.opaque import Opaque
from crucible.ir.predecessor import NotElixir
from crucible.ir.refs import BackendRef, DatasetRef, ModelRef, ModelVersion
from crucible.ir.reliability import ReliabilityConfig
from crucible.ir.training import TrainingConfig
from crucible.ir.words import Name, Words

__all__ = ["SCHEMA_VERSION", "Experiment", "OutputSpec", "RetryPolicy", "StageDef"]


class RetryPolicy(Document):
    """How often a stage is tried again, and after how long; the wait doubles each time, with jitter."""

    attempts: int = Field(default=3, ge=1, le=1_000, description="Attempts at most, the first one counted.")
    wait_initial_s: float = Field(default=0.5, ge=0, le=86_400, description="Seconds before the second attempt.")
    wait_max_s: float = Field(default=30.0, ge=0, le=86_400, description="Seconds between two attempts at most.")
    errors: Seq[Name] | None = Field(
        default=None,
        min_length=1,
        description="Names of the errors that are worth another attempt, such as RateLimited; "
        "null: all but mistakes in the document.",
    )


class StageDef(Document):
    """One stage of the pipeline; `options` are checked by the stage itself."""

    name: Name = Field(description="Registered stage name; see `crucible stages`.")
    module: Annotated[str, StringConstraints(pattern=r"^[\w.]+:[\w.]+$"), NotElixir()] | None = Field(
        default=None, description="Import path `package.module:Name`; must be allowed."
    )
    options: Opaque | None = Field(default=None, description="Options of the stage.")
    enabled: bool = Field(default=True, description="false: the stage is recorded as skipped.")
    id: Name | None = Field(default=None, description="Name of this entry, for `needs`; null: the stage's name.")
    needs: Seq[Name] | None = Field(
        default=None, description="Entries that must be done first; null: all before it. Others run in parallel."
    )
    timeout_s: float | None = Field(default=None, gt=0, le=31_536_000, description="Seconds an attempt may take.")
    retry: RetryPolicy | None = Field(default=None, description="When to try again.")
    on_error: Literal["halt", "skip", "continue", "fallback"] = Field(
        default="halt",
        description="halt: the run fails. skip: the stage and those that need it are skipped. "
        "continue: as if it had added nothing. fallback: the stage in `fallback` runs instead.",
    )
    fallback: StageDef | None = Field(default=None, description="Stage to run instead when this one failed.")


class OutputSpec(Document):
    """A result to hand out, in one or more formats."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$", description="Name of the output, and of its file.")
    formats: Seq[Annotated[Name, Words(("markdown", "json", "html", "latex", "csv"))]] = Field(
        default=("markdown",), description="markdown, html, json, latex, csv."
    )
    sink: Annotated[Name, Words(("file", "stdout", "s3", "database", "postgres"))] = Field(
        default="file", description="file, stdout, s3, database, postgres."
    )
    options: Opaque | None = Field(default=None, description="Options of the sink.")


class Experiment(Document):
    """A whole experiment: data, pipeline, training, statistics, outputs."""

    migrations: ClassVar[Migrations] = Migrations(SCHEMA_VERSION, EXPERIMENT_STEPS)

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, description="Version of this format.")
    id: str = Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$", description="Name of the experiment.")
    backend: BackendRef = Field(description="Where models live.")
    pipeline: Seq[StageDef] = Field(min_length=1, description="Stages, in order.")
    description: str | None = Field(default=None, description="What question is asked.")
    owner: str | None = Field(default=None, description="Who answers for it.")
    tags: Seq[str] | None = Field(default=None, description="Words to find it by.")
    metadata: Opaque | None = Field(default=None, description="Anything else worth keeping.")
    dataset: DatasetRef | None = Field(default=None, description="Data to train and evaluate on.")
    reliability: ReliabilityConfig | None = Field(default=None, description="How sure to be.")
    outputs: Seq[OutputSpec] | None = Field(default=None, description="Results to hand out.")
    created_at: Instant | None = Field(default=None, description="When the document was made.")
    updated_at: Instant | None = Field(default=None, description="When the document was last changed.")
    experiment_type: Annotated[Name, Words(("evaluation", "training", "comparison", "ablation"))] | None = Field(
        default=None, description="evaluation, training, comparison, ablation, …"
    )
    model_version: ModelVersion | None = Field(default=None, description="Version of the model in question.")
    training_config: TrainingConfig | None = Field(default=None, description="Defaults of all training stages.")
    baseline: ModelRef | None = Field(default=None, description="Model to compare against.")

    @classmethod
    def read(cls, data: Mapping[str, Any], *, source: str = "") -> Self:
        """Build the experiment from plain data of this or any older version, strictly.

        Args:
            data: Mappings, lists, strings, numbers, booleans and None.
            source: What is being read, for the message; the type's name if empty.

        Raises:
            SpecErrors: Every problem of `data`, each with its path; or it is of a newer version.
        """
        source = source or cls.__name__
        return super().read(cls.migrations.apply(data, source=source), source=source)
