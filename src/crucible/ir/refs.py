"""How a document points at what it does not contain: backends, datasets, models."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from crucible.ir.model import Model

__all__ = ["BackendRef", "DatasetRef", "ModelRef"]


class BackendRef(Model):
    """Where models live, such as `local`."""

    id: str = Field(min_length=1, description="Backend, such as `local`.")
    profile: str = Field(default="default", description="Named profile of that backend.")
    options: dict[str, Any] | None = Field(default=None, description="Options of that backend.")
    model_version: str | None = Field(default=None, description="Version of the model asked for.")
    endpoint_url: str | None = Field(default=None, description="Base URL of a remote service.")
    deployment_id: str | None = Field(default=None, description="Deployment of a remote service.")
    fallback: BackendRef | None = Field(default=None, description="Backend to use when this one cannot answer.")


class DatasetRef(Model):
    """Which data, by name and provider; `options` belong to the loader."""

    name: str = Field(min_length=1, description="Dataset, such as `scifact`, or a hub id.")
    provider: str = Field(default="crucible_datasets", description="`crucible_datasets` or `huggingface`.")
    split: str = Field(default="train", description="Split to train on.")
    options: dict[str, Any] | None = Field(default=None, description="Loader options: path, limit, …")
    version: str | None = Field(default=None, description="Revision to use.")
    format: str | None = Field(default=None, description="File format: jsonl, parquet, csv, arrow.")
    schema_: dict[str, Any] | None = Field(default=None, alias="schema", description="Expected fields.")


class ModelRef(Model):
    """A model, by id or by where its files are."""

    id: str = Field(min_length=1, description="Base model: built-in name, folder or hub id.")
    name: str | None = Field(default=None, description="Name for people.")
    version: str | None = Field(default=None, description="Version or revision.")
    provider: str = Field(default="local", description="local or huggingface.")
    framework: str = Field(default="nx", description="Framework of the files.")
    architecture: str | None = Field(default=None, description="Such as transformer.")
    task: str | None = Field(default=None, description="Such as text_generation.")
    artifact_uri: str | None = Field(default=None, description="Folder of the model's files; wins over `id`.")
    metadata: dict[str, Any] | None = Field(default=None, description="Anything else worth keeping.")
    options: dict[str, Any] | None = Field(default=None, description="Options of the provider.")
