from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmarks import document

Name = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Retry(Part):
    attempts: Annotated[int, Field(ge=1, le=1000)]
    wait_initial_s: Annotated[float, Field(ge=0, le=86_400)]
    wait_max_s: Annotated[float, Field(ge=0, le=86_400)]
    errors: Annotated[tuple[Name, ...], Field(min_length=1)] | None


class Stage(Part):
    name: Name
    id: Name | None
    needs: tuple[Name, ...] | None
    enabled: bool
    timeout_s: Annotated[float, Field(gt=0, le=31_536_000)] | None
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
    alpha: Annotated[float, Field(gt=0, lt=1)]
    bootstrap_iterations: Annotated[int, Field(ge=1)] | None


class Reliability(Part):
    stats: Stats | None


class Output(Part):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
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
    pipeline: Annotated[tuple[Stage, ...], Field(min_length=1)]


if __name__ == "__main__":
    document.report("pydantic", Experiment.model_validate_json, Experiment.model_dump_json)
