"""Documents in full: the typed part by `ir`, the options by the stages, both at once."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from crucible.errors import SpecError, SpecErrors
from crucible.ir import BackendRef, Experiment, StageDef, apply_overrides, did_you_mean, read_mapping
from crucible.pipeline import Registry, pipeline_problems, stage_problems

__all__ = ["load", "problems_of"]


def load(path: str | Path, overrides: Iterable[str] = ()) -> Experiment:
    """Read an experiment document, stage options included.

    Args:
        path: A `.yaml`, `.yml` or `.json` file.
        overrides: Values to set before reading, such as `pipeline[2].options.rank=8`.

    Raises:
        SpecErrors: Every problem of the document at once, each with its path.
    """
    data = read_mapping(path)
    try:
        apply_overrides(data, overrides)
    except SpecError as error:
        raise SpecErrors(str(path), [error]) from None
    try:
        experiment = Experiment.read(data, source=str(path))
    except SpecErrors as errors:
        raise SpecErrors(str(path), [*errors.errors, *_readable_stages(data)]) from None
    if problems := problems_of(experiment):
        raise SpecErrors(str(path), problems)
    return experiment


def problems_of(experiment: Experiment, registry: Registry | None = None) -> list[SpecError]:
    """Return what would keep an experiment from being carried out as written; empty if nothing.

    Args:
        experiment: The document.
        registry: Where stages are found; None: the installed ones.
    """
    problems = _backend_problems(experiment.backend)
    problems += pipeline_problems(experiment, registry or Registry())
    if experiment.baseline is not None:
        message = "no stage reads it yet; name the baseline in the contrasts of the stage `bench`"
        problems.append(SpecError(message, path="baseline", code="refused"))
    stages = {definition.name for definition in experiment.pipeline if definition.enabled}
    if experiment.outputs and "report" not in stages:
        message = "nothing makes them: add the stage `report` to the pipeline"
        problems.append(SpecError(message, path="outputs", code="refused"))
    stats = experiment.reliability.stats if experiment.reliability else None
    if stats is not None and "bench" not in stages:
        message = "nothing carries it out: add the stage `bench` to the pipeline"
        problems.append(SpecError(message, path="reliability.stats", code="refused"))
    return problems


def _backend_problems(backend: BackendRef) -> list[SpecError]:
    known = [point.name for point in entry_points(group="crucible.backends")]
    problems: list[SpecError] = []
    if backend.id not in known:
        hint = did_you_mean(backend.id, known) or f"; known: {', '.join(sorted(known))}"
        problems.append(SpecError(f'unknown backend "{backend.id}"{hint}', path="backend.id", code="choice"))
    for name in ("options", "model_version", "endpoint_url", "deployment_id", "fallback"):
        if getattr(backend, name) is not None:
            message = f"the backend {backend.id} does not use it; leave it out"
            problems.append(SpecError(message, path=f"backend.{name}", code="refused"))
    if backend.profile != "default":
        message = f'the backend {backend.id} has the profile "default" only, got "{backend.profile}"'
        problems.append(SpecError(message, path="backend.profile", code="refused"))
    return problems


def _readable_stages(data: dict[str, Any]) -> list[SpecError]:
    """Problems of the stages of a document that does not fit as a whole."""
    pipeline = data.get("pipeline")
    if not isinstance(pipeline, list):
        return []
    registry = Registry()
    problems: list[SpecError] = []
    for index, entry in enumerate(cast("list[Any]", pipeline)):
        try:
            definition = StageDef.read(entry)
        except SpecErrors:
            continue
        problems.extend(stage_problems(index, definition, registry))
    return problems
