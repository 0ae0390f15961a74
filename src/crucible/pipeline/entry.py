"""One entry of a pipeline, made ready: its stage found, its options read, its fallback too."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from crucible.errors import ContractError
from crucible.ir import StageDef
from crucible.pipeline.context import Context
from crucible.pipeline.middleware import Retry
from crucible.pipeline.records import StageRecord
from crucible.pipeline.registry import Registry
from crucible.pipeline.stage import OptionsMode, Stage, parse_options

__all__ = ["Entry", "checked", "prepare"]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a pipeline, ready to be carried out.

    Args:
        index: Place in the pipeline, from 0.
        definition: The entry as the document has it.
        path: Where it stands in the document, such as `pipeline[2].fallback`.
        stage: What carries it out; None where it was not found.
        options: What the stage is told.
        problem: Why it cannot be carried out; raised when its turn comes.
        retry: When it is tried again.
        fallback: What is carried out instead when it failed.
        needs_loop: Whether it must be awaited in the run's event loop: async, or with a time limit.
    """

    index: int
    definition: StageDef
    path: str
    stage: Stage | None = None
    options: Any = None
    problem: Exception | None = None
    retry: Retry | None = None
    fallback: Entry | None = None
    needs_loop: bool = False

    @property
    def place(self) -> str:
        """How messages name it."""
        return f"{self.path} {self.definition.name}"

    @property
    def standing(self) -> str | None:
        """The reason in the record of a fallback that did its work; None for an entry of the pipeline itself."""
        return f"{self.path} ran instead" if self.path.endswith(".fallback") else None

    def function(self, name: str) -> Callable[..., Any] | None:
        """Return the stage's `run` or `rebuild`; None where it has none."""
        return getattr(self.stage, name, None)

    def that_made(self, record: StageRecord) -> Entry:
        """Return the entry that a record of success is of: itself, or one of its fallbacks."""
        entry: Entry | None = self
        while entry is not None:
            if (entry.definition.name, entry.standing) == (record.name, record.reason):
                return entry
            entry = entry.fallback
        return self


def prepare(index: int, definition: StageDef, registry: Registry, mode: OptionsMode, *, path: str = "") -> Entry:
    """Find the stage of an entry and read its options; what is wrong is kept, for when its turn comes.

    Args:
        index: Place in the pipeline, from 0.
        definition: The entry as the document has it.
        registry: Where stages are found.
        mode: How its options are read.
        path: Where it stands in the document; `pipeline[index]` if empty.
    """
    path = path or f"pipeline[{index}]"
    if not definition.enabled:
        return Entry(index, definition, path)
    retry = None if definition.retry is None else Retry(definition.retry)
    try:
        stage = registry.resolve(definition)
        options = parse_options(stage, definition.options, path=f"{path}.options", mode=mode)
        fallback = _fallback(index, definition, registry, mode, path)
    except Exception as problem:  # noqa: BLE001  # raised when its turn comes
        return Entry(index, definition, path, problem=problem)
    functions = (stage.run, getattr(stage, "rebuild", None))
    needs_loop = definition.timeout_s is not None or any(map(inspect.iscoroutinefunction, functions))
    needs_loop = needs_loop or (fallback is not None and fallback.needs_loop)
    return Entry(index, definition, path, stage, options, None, retry, fallback, needs_loop)


def _fallback(index: int, definition: StageDef, registry: Registry, mode: OptionsMode, path: str) -> Entry | None:
    if definition.fallback is None or not definition.fallback.enabled:
        if definition.on_error == "fallback":
            raise ContractError(f"{path}: on_error is fallback, and there is no fallback; name an enabled stage there")
        return None
    fallback = prepare(index, definition.fallback, registry, mode, path=f"{path}.fallback")
    if fallback.problem is not None:
        raise fallback.problem
    return fallback


def checked(result: Any, before: Context, entry: Entry) -> Context:
    """Return what a stage returned, if it is the next context of the same run.

    Raises:
        ContractError: It is something else.
    """
    if result is before:
        return before
    name = entry.definition.name
    if inspect.iscoroutine(result):
        result.close()
        raise ContractError(f'stage "{name}" returned a coroutine: declare its run with `async def`')
    if not isinstance(result, Context) or result.run_id != before.run_id:
        got = "the Context of another run" if isinstance(result, Context) else type(result).__name__
        raise ContractError(f'stage "{name}" must return the new Context, got {got}')
    for slot in ("metrics", "outputs", "artifacts", "assigns"):
        had, has = len(getattr(before, slot)), len(getattr(result, slot))
        if has < had:
            raise ContractError(
                f'stage "{name}" was given {had} {slot} and returned a context with {has}; '
                "derive it from the context that `run` is called with"
            )
    return result
