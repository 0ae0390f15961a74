"""All problems of a document that only its stages can see: unknown stages, their options, what they cannot do."""

from __future__ import annotations

from typing import Any

from crucible.errors import ContractError, SpecError, SpecErrors
from crucible.ir import Experiment, StageDef
from crucible.pipeline.graph import needs_problems
from crucible.pipeline.registry import Registry, using
from crucible.pipeline.stage import Stage, parse_options

__all__ = ["announced", "pipeline_problems", "stage_problems"]


def pipeline_problems(experiment: Experiment, registry: Registry) -> list[SpecError]:
    """Return every problem of the pipeline, in document order, each with its path."""
    problems = needs_problems(experiment.pipeline)
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
    return _problems(f"pipeline[{index}]", definition, registry, experiment)


def announced(experiment: Experiment, registry: Registry, before: int) -> dict[str, Any] | None:
    """Return what the enabled stages before an entry will leave, by name; see `StageBase.announces`.

    Args:
        experiment: The document; every stage before the entry must be valid.
        registry: Where stages are found.
        before: The entry's place in the pipeline, from 0.

    Returns:
        None where one of those stages does not say what it leaves.
    """
    found: dict[str, Any] = {}
    for definition in experiment.pipeline[:before]:
        if not definition.enabled:
            continue
        try:
            chosen = registry.resolve(definition)
            options = parse_options(chosen, definition.options)
        except (SpecError, SpecErrors, ContractError):
            return None  # reported where it stands
        announces = getattr(chosen, "announces", None)
        left = None if announces is None else announces(experiment, options)
        if left is None:
            return None
        found.update(left)
    return found


def _problems(path: str, definition: StageDef, registry: Registry, experiment: Experiment | None) -> list[SpecError]:
    problems = _entry_problems(path, definition, registry, experiment)
    fallback, path = definition.fallback, f"{path}.fallback"
    if fallback is None or not fallback.enabled:
        if definition.on_error == "fallback":
            message = "on_error is fallback, and there is none that is enabled; name the stage to run instead"
            problems.append(SpecError(message, path=path, code="missing"))
        return problems
    if definition.on_error != "fallback":
        message = f"never runs, because on_error is {definition.on_error}; set on_error: fallback, or leave it out"
        problems.append(SpecError(message, path=path, code="refused"))
    for name in ("id", "needs"):
        if getattr(fallback, name) is not None:
            message = "a fallback runs in the place of its stage, under that one's; leave it out"
            problems.append(SpecError(message, path=f"{path}.{name}", code="refused"))
    return problems + _problems(path, fallback, registry, experiment)


def _entry_problems(
    path: str, definition: StageDef, registry: Registry, experiment: Experiment | None
) -> list[SpecError]:
    try:
        chosen = registry.resolve(definition)
        options = parse_options(chosen, definition.options, path=f"{path}.options")
    except SpecErrors as errors:
        return list(errors.errors)
    except SpecError as error:
        where = "module" if error.code == "import" else "name"
        return [SpecError(error.message, path=f"{path}.{where}", code=error.code)]
    except ContractError as error:
        return [SpecError(str(error), path=f"{path}.name", code="stage")]
    if experiment is None or not definition.enabled:
        return []
    with using(registry):
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
