from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from benchmarks import document

Name = Annotated[str, Meta(min_length=1)]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Retry(Part):
    attempts: Annotated[int, Meta(ge=1, le=1000)]
    wait_initial_s: Annotated[float, Meta(ge=0, le=86_400)]
    wait_max_s: Annotated[float, Meta(ge=0, le=86_400)]
    errors: Annotated[tuple[Name, ...], Meta(min_length=1)] | None


class Stage(Part):
    name: Name
    id: Name | None
    needs: tuple[Name, ...] | None
    enabled: bool
    timeout_s: Annotated[float, Meta(gt=0, le=31_536_000)] | None
    retry: Retry | None
    on_error: Literal["halt", "skip", "continue", "fallback"]
    options: dict[str, Any] | None


class Backend(Part):
    id: Name
    profile: str
    options: dict[str, Any] | None


class Dataset(Part):
    name: Name
    provider: str
    split: str
    options: dict[str, Any] | None


class Stats(Part):
    tests: tuple[str, ...]
    alpha: Annotated[float, Meta(gt=0, lt=1)]
    bootstrap_iterations: Annotated[int, Meta(ge=1)] | None


class Reliability(Part):
    stats: Stats | None


class Output(Part):
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
    formats: tuple[str, ...]
    sink: str


class Experiment(Part):
    schema_version: Literal[1]
    id: Name
    description: str | None
    owner: str | None
    tags: tuple[str, ...] | None
    experiment_type: str | None
    backend: Backend
    dataset: Dataset | None
    reliability: Reliability | None
    outputs: tuple[Output, ...] | None
    pipeline: Annotated[tuple[Stage, ...], Meta(min_length=1)]


if __name__ == "__main__":
    document.report("msgspec", msgspec.json.Decoder(Experiment).decode, msgspec.json.Encoder().encode)
