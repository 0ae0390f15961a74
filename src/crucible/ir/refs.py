"""How a document points at what it does not contain: backends, datasets, models and their versions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from crucible.ir.instant import Instant
from crucible.ir.model import Document
from crucible.ir.opaque import Opaque
from crucible.ir.words import Name, SemVer, Words

__all__ = ["BackendRef", "DatasetRef", "ModelRef", "ModelVersion"]


class BackendRef(Document):
    """Where models live, such as `local`."""

    id: Name = Field(description="Backend, such as `local`.")
    profile: Name = Field(default="default", description="Named profile of that backend.")
    options: Opaque | None = Field(default=None, description="Options of that backend.")
    model_version: str | None = Field(default=None, description="Version of the model asked for.")
    endpoint_url: str | None = Field(default=None, description="Base URL of a remote service.")
    deployment_id: str | None = Field(default=None, description="Deployment of a remote service.")
    fallback: BackendRef | None = Field(default=None, description="Backend to use when this one cannot answer.")


class DatasetRef(Document):
    """Which data, by name and provider; `options` belong to the loader."""

    name: Name = Field(description="Dataset, such as `scifact`, or a hub id.")
    provider: Annotated[Name, Words(("crucible_datasets", "huggingface"))] = Field(
        default="crucible_datasets", description="`crucible_datasets` or `huggingface`."
    )
    split: Annotated[Name, Words(("train", "test", "validation"))] = Field(
        default="train", description="Split to train on."
    )
    options: Opaque | None = Field(default=None, description="Loader options: path, limit, …")
    version: str | None = Field(default=None, description="Revision to use.")
    format: Annotated[Name, Words(("parquet", "csv", "tsv", "json", "jsonl", "arrow"))] | None = Field(
        default=None, description="File format: jsonl, json, csv, tsv, parquet, arrow."
    )
    schema_: Opaque | None = Field(default=None, alias="schema", description="Expected fields.")


class ModelRef(Document):
    """A model, by id or by where its files are."""

    id: Name = Field(description="Base model: built-in name, folder or hub id.")
    name: str | None = Field(default=None, description="Name for people.")
    version: str | None = Field(default=None, description="Version or revision.")
    provider: Annotated[Name, Words(("local", "huggingface", "openai", "anthropic", "s3", "gcs"))] = Field(
        default="local", description="local or huggingface."
    )
    framework: Annotated[Name, Words(("nx", "pytorch", "tensorflow", "onnx", "safetensors"))] = Field(
        default="nx", description="Framework of the files; `nx` says nothing about them."
    )
    architecture: Annotated[Name, Words(("transformer", "lstm", "cnn", "mlp"))] | None = Field(
        default=None, description="Such as transformer."
    )
    task: (
        Annotated[Name, Words(("text_classification", "text_generation", "embedding", "qa", "summarization"))] | None
    ) = Field(default=None, description="Such as text_generation.")
    artifact_uri: str | None = Field(default=None, description="Folder of the model's files; wins over `id`.")
    metadata: Opaque | None = Field(default=None, description="Anything else worth keeping.")
    options: Opaque | None = Field(default=None, description="Options of the provider.")


class ModelVersion(Document):
    """One version of a model, and where it came from."""

    id: Name = Field(description="Name of this version's record.")
    model_id: Name = Field(description="The model that it is a version of.")
    version: SemVer = Field(description="Semantic version, such as 1.0.0.")
    stage: Annotated[Name, Words(("development", "staging", "production", "archived"))] = Field(
        default="development", description="How far it has come: development, staging, production, archived."
    )
    training_run_id: str | None = Field(default=None, description="Run that trained it.")
    metrics: Opaque | None = Field(default=None, description="What was measured of it.")
    artifact_uri: str | None = Field(default=None, description="Where its files are.")
    parent_version: SemVer | None = Field(default=None, description="Version that it was trained from.")
    description: str | None = Field(default=None, description="What is new in it.")
    created_at: Instant | None = Field(default=None, description="When it was made.")
    created_by: str | None = Field(default=None, description="Who made it.")
    options: Opaque | None = Field(default=None, description="Anything else.")
