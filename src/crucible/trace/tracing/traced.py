"""Tracing a block of code or a function: `traced_training` and `traced_stage`.

Entering adds a `…_started` event; leaving adds a `…_completed` or `…_failed` one below it, with the duration; an error
goes on unchanged. Nested blocks on one chain hang on each other across calls. Tasks and threads do not mix: a task
starts inside the blocks of its maker, a thread outside of all, unless it was given its maker's context.

Blocks on one chain may run in several threads; they take turns at adding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, Unpack, cast

from crucible.errors import ContractError
from crucible.trace.event import EventFields
from crucible.trace.tracing.block import Block, Kind, enclosing
from crucible.trace.tracing.decorating import decorated
from crucible.trace.tracing.turns import Growing, turns_of
from crucible.trace.training.making import given, mapping, text

__all__ = ["Traced", "enclosing", "traced_stage", "traced_training"]

P = ParamSpec("P")
R = TypeVar("R")


class Traced:
    """What `traced_stage` and `traced_training` return: a context manager (`with`, `async with`) and a decorator.

    As a context manager it can be used again after it was left. As a decorator it opens a block of its own for each
    call, so recursion and concurrent calls are fine; a generator is inside only while it runs itself, not while its
    consumer does.

    Args:
        chain: What to add to.
        kind: How the block reads.
        fields: Fields of its events.
    """

    def __init__(self, chain: Growing, kind: Kind, fields: EventFields) -> None:
        if not callable(getattr(chain, "add", None)):
            raise TypeError(f"the chain must have add(event), as a Chain has, got a {type(chain).__name__}")
        self._chain = chain
        self._kind = kind
        self._fields = fields
        self._block: Block | None = None

    def __enter__(self) -> Block:
        if self._block is not None:
            raise ContractError(
                f"{self._kind.subject} is already open through this object; make another for each block"
            )
        self._block = self._open()
        self._block.enter()
        return self._block

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        block, self._block = self._block, None
        if block is not None:
            block.leave(error)

    async def __aenter__(self) -> Block:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return `function` with a block around each call; within, `enclosing(chain)` is the block."""
        return decorated(function, self._open)

    def _open(self) -> Block:
        return Block(turns_of(self._chain), self._kind, self._fields)


def traced_training(
    chain: Growing,
    name: str | None = None,
    reasoning: str = "Beginning training run",
    *,
    dataset: str | None = None,
    config: Mapping[str, Any] | None = None,
    **fields: Unpack[EventFields],
) -> Traced:
    """Trace a training: `training_started`, then `training_completed` or `training_failed`.

    Args:
        chain: A `Chain`, or anything else with `add(event)`.
        name: The model's name, for the words.
        reasoning: Why it is trained.
        dataset: What it is trained on.
        config: Settings of the training.
        **fields: Any other field of `Event`. `metadata`, `stage_id`, `experiment_id`, `code_section` and
            `spec_reference` are those of both events, the others of the first one. The parent is the enclosing block on
            this chain unless `parent_id` is given.

    Raises:
        TypeError: An argument has the wrong type.
    """
    computed = given(text, model_name=name, dataset=dataset) | given(mapping, config=config)
    subject = f"Training of {computed['model_name']}" if name is not None else "Training"
    return Traced(chain, Kind("training", subject, "Training run", text("reasoning", reasoning), computed), fields)


def traced_stage(
    chain: Growing, stage_id: str, /, reasoning: str = "Beginning stage execution", **fields: Unpack[EventFields]
) -> Traced:
    """Trace a stage: `stage_started`, then `stage_completed` or `stage_failed`.

    Args:
        chain: A `Chain`, or anything else with `add(event)`.
        stage_id: The stage; events recorded through the block carry it, too.
        reasoning: Why it runs.
        **fields: As for `traced_training`, but for `stage_id`.

    Raises:
        TypeError: An argument has the wrong type, or the stage is given twice.
    """
    if "stage_id" in fields:
        raise TypeError(f"the stage was given twice: {stage_id!r} and stage_id={fields['stage_id']!r}; give it once")
    stage = text("stage_id", stage_id)
    kind = Kind("stage", f"Stage {stage}", "Stage", text("reasoning", reasoning), {"stage_id": stage})
    return Traced(chain, kind, cast("EventFields", {**fields, "stage_id": stage}))
