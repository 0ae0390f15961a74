"""All problems of a document that only its stages can see: unknown stages, their options, what they cannot do."""

from __future__ import annotations

from typing import Any

from crucible.errors import ContractError, SpecError, SpecErrors
from crucible.ir import Experiment, StageDef
from crucible.pipeline.registry import Registry
from crucible.pipeline.stage import Stage, parse_options

__all__ = ["pipeline_problems", "stage_problems"]


def pipeline_problems(experiment: Experiment, registry: Registry) -> list[SpecError]:
    """Return every problem of the pipeline, in document order, each with its path."""
    problems: list[SpecError] = []
    for index, definition in enumerate(experiment.pipeline):
        problems.extend(stage_problems(index, definition, registry, experiment))
    return _unique(problems)


def stage_problems(
    index: int, definition: StageDef, registry: Registry, experiment: Experiment | None = None
) -> list[SpecError]:
    """Return the problems of one stage definition.

    Args:
        index: Its place in the pipeline, from 0.
        definition: The definition.
        registry: Where stages are found.
        experiment: The whole document, for what a stage checks across it; None while the document does not fit.
    """
    path = f"pipeline[{index}]"
    if definition.module is not None:
        message = "names code to import, which a document may not do; register the stage as an entry point"
        return [SpecError(message, path=f"{path}.module", code="import")]
    try:
        chosen = registry.get(definition.name)
        options = parse_options(chosen, definition.options, path=f"{path}.options")
    except SpecErrors as errors:
        return list(errors.errors)
    except SpecError as error:
        return [SpecError(error.message, path=f"{path}.name", code=error.code)]
    except ContractError as error:
        return [SpecError(str(error), path=f"{path}.name", code="stage")]
    if experiment is None or not definition.enabled:
        return []
    return _own_problems(chosen, experiment, options, path)


def _own_problems(chosen: Stage, experiment: Experiment, options: Any, path: str) -> list[SpecError]:
    check = getattr(chosen, "check", None)
    if check is None:
        return []
    found: list[tuple[str, str]] = check(experiment, options)
    return [
        SpecError(message, path=f"{path}.options.{where}" if _is_option(chosen, where) else where, code="refused")
        for where, message in found
    ]


def _is_option(chosen: Stage, where: str) -> bool:
    first = where.replace("[", ".").split(".", 1)[0]
    return first in chosen.Options.model_fields


def _unique(problems: list[SpecError]) -> list[SpecError]:
    seen = {(problem.path, problem.message): problem for problem in reversed(problems)}
    return [problem for problem in problems if seen.get((problem.path, problem.message)) is problem]
