"""How pipelines, stages and trainings read: both their ends, and what the runner does in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible import events
from crucible.trace.chain import Chain
from crucible.trace.narration.words import Words, facts, measured

__all__ = ["PIPELINE", "PLACES", "RETRY", "SPANS", "SPEAKERS", "ending", "is_stop", "opening", "was_begun"]

PIPELINE = "crucible_framework.pipeline"

PLACES = frozenset({PIPELINE, "crucible_framework.stage"})
"""Spans that enclose whatever happens in their run or stage, also on threads that know of no span."""

RETRY = "crucible_framework.stage.retry"
"""What failed in the stage so far was an attempt that is over."""

SPANS: Mapping[str, str] = {
    PIPELINE: "stage",
    "crucible_framework.stage": "stage",
    "crucible_train.training": "training",
}
"""Spans of which both ends are told, with the stem of their types (`stage_started`, `stage_completed`, …)."""

_STOPPED_ON_REQUEST = frozenset({"Cancelled", "CancelledError", "KeyboardInterrupt"})


def is_stop(event: events.Event) -> bool:
    """Return whether a span was ended by a request to stop."""
    return event.metadata.get("error_type") in _STOPPED_ON_REQUEST


def was_begun(chain: Chain) -> bool:
    """Return whether a chain tells of a pipeline already: an earlier attempt's."""
    return any(event.decision.startswith("Pipeline ") for event in chain.by_type("stage_started"))


def opening(span: str, event: events.Event, *, resumed: bool, of_stages: int | None) -> Words:
    """Tell that a span of `SPANS` opened.

    Args:
        span: Its name, without `.start`.
        event: The event that opened it.
        resumed: Whether an earlier attempt left events in the chain.
        of_stages: How many stages the pipeline has, if known.
    """
    known = facts(event)
    subject = _subject(span, event, known)
    if span == PIPELINE:
        verb = "resumed" if resumed else "started"
        reasoning = "Goes on from an earlier attempt of this run" if resumed else _stages(known)
        return Words("stage_started", f"{subject} {verb}", reasoning, known)
    if span == "crucible_framework.stage":
        place = known.get("stage_index", event.scope.stage_index)
        return Words("stage_started", f"{subject} started", f"{_place(place, of_stages)} in the pipeline", known)
    return Words("training_started", f"{subject} started", _training_plan(known), known)


def ending(span: str, event: events.Event, summary: Mapping[str, Any], *, cause: str | None) -> Words:
    """Tell that a span of `SPANS` closed.

    Args:
        span: Its name, without `.stop` or `.exception`.
        event: The event that closed it.
        summary: What was summed up meanwhile; goes into the metadata.
        cause: What failed inside, if that is already told.
    """
    known = facts(event)
    if summary:
        known.update(summary)
    subject = _subject(span, event, known)
    stem = SPANS[span]
    if event.name.endswith(".stop"):
        reasoning = _training_outcome(known) if stem == "training" else "No error was raised"
        return Words(f"{stem}_completed", f"{subject} completed", reasoning, known)
    if is_stop(event):
        return Words(f"{stem}_failed", f"{subject} cancelled", "Somebody asked the run to stop", known)
    kind = known.get("error_type")
    error = ": ".join(str(part) for part in (kind, known.get("error")) if part) or "An error without a message"
    return Words(f"{stem}_failed", f"{subject} failed", cause or error, known)


def _subject(span: str, event: events.Event, known: Mapping[str, Any]) -> str:
    if span == PIPELINE:
        return "Pipeline"
    if span == "crucible_framework.stage":
        return f"Stage {known.get('stage') or event.scope.stage or '(unnamed)'}"
    return f"Training of {known['model']}" if known.get("model") else "Training"


def _stages(known: Mapping[str, Any]) -> str:
    count = known.get("stages")
    return f"{count} stage{'' if count == 1 else 's'} to run" if isinstance(count, int) else "Stages to run"


def _place(index: Any, of_stages: int | None) -> str:
    if not isinstance(index, int):
        return "Next"
    return f"{index + 1} of {of_stages}" if of_stages is not None else f"Number {index + 1}"


def _training_plan(known: Mapping[str, Any]) -> str:
    parts = [
        f"base model {known['base_model']}" if known.get("base_model") else "",
        f"rank {known['rank']}" if known.get("rank") is not None else "",
        f"{known['total_steps']} steps" if known.get("total_steps") is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "Asked for by the stage"


def _training_outcome(known: Mapping[str, Any]) -> str:
    batches: Mapping[str, Any] = known.get("batches") or {}
    first = known.get("initial_loss", batches.get("first_loss"))
    last = known.get("final_loss", batches.get("last_loss"))
    steps = known.get("steps", batches.get("count"))
    loss = f"Loss {measured(first)} to {measured(last)}" if first is not None and last is not None else "Ended"
    return f"{loss} in {steps} steps" if steps is not None else loss


def _retried(event: events.Event) -> Words:
    """Tell that a stage is tried again. What was decided, and over what, is a decision of its own."""
    known = facts(event)
    stage = known.get("stage") or event.scope.stage or "(unnamed)"
    attempt = f"Attempt {known['attempt']}" if known.get("attempt") is not None else "An attempt"
    error = ": ".join(str(part) for part in (known.get("error_type"), known.get("error")) if part)
    wait = known.get("wait_s")
    after = f"; the next starts after {wait:.3g} s" if isinstance(wait, int | float) else ""
    return Words(
        "stage_retried", f"Stage {stage} is tried again", f"{attempt} failed{error and f' ({error})'}{after}", known
    )


def _cancelling(event: events.Event) -> Words:
    """Tell that the run was asked to stop."""
    return Words("decision_made", "Stop the run", "Somebody asked the run to stop", facts(event))


SPEAKERS = {RETRY: _retried, "crucible_framework.run.cancelling": _cancelling}
"""Single events of the runner that are told, and what tells them."""
