"""Events of stages, and of the workers of a distributed training."""

from __future__ import annotations

from typing import Any, Unpack, cast

from crucible.trace.event import Event, EventFields
from crucible.trace.training.making import event_of, given, number, text, whole

__all__ = [
    "barrier_reached",
    "gradients_aggregated",
    "in_words",
    "stage_completed",
    "stage_failed",
    "stage_started",
]


def in_words(duration_ns: int) -> str:
    """Return a duration as the predecessor writes it: `850us`, `12.30ms`, `4.20s`."""
    microseconds = duration_ns // 1000
    if microseconds < 1000:
        return f"{microseconds}us"
    return f"{microseconds / 1000:.2f}ms" if microseconds < 1_000_000 else f"{microseconds / 1_000_000:.2f}s"


def stage_started(stage_id: str, /, **fields: Unpack[EventFields]) -> Event:
    """Make a `stage_started`; the stage is its field and in its metadata.

    Args:
        stage_id: The stage.
        **fields: Any other field of `Event`.
    """
    return _of_stage("stage_started", stage_id, "started", "Beginning stage execution", {}, fields)


def stage_completed(stage_id: str, /, *, duration_ns: int | None = None, **fields: Unpack[EventFields]) -> Event:
    """Make a `stage_completed`; the stage is its field and in its metadata.

    Args:
        stage_id: The stage.
        duration_ns: How long it took, by a monotonic clock, in nanoseconds.
        **fields: Any other field of `Event`.
    """
    took = given(whole, duration_ns=duration_ns)
    words = f" in {in_words(took['duration_ns'])}" if took else ""
    return _of_stage("stage_completed", stage_id, "completed", f"Stage completed successfully{words}", took, fields)


def stage_failed(
    stage_id: str,
    /,
    reasoning: str,
    *,
    duration_ns: int | None = None,
    error_type: str | None = None,
    error: str | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `stage_failed`; the stage is its field and in its metadata.

    Args:
        stage_id: The stage.
        reasoning: Why it failed.
        duration_ns: How long it took, by a monotonic clock, in nanoseconds.
        error_type: Name of the error's class.
        error: The error's message.
        **fields: Any other field of `Event`.
    """
    computed = given(whole, duration_ns=duration_ns) | given(text, error_type=error_type, error=error)
    return _of_stage("stage_failed", stage_id, "failed", reasoning, computed, fields)


def gradients_aggregated(
    workers: int,
    *,
    gradient_norm: float | None = None,
    step: int | None = None,
    rank: int | None = None,
    **fields: Unpack[EventFields],
) -> Event:
    """Make a `gradients_aggregated`.

    Args:
        workers: How many workers' gradients were summed.
        gradient_norm: Norm of the sum.
        step: The step.
        rank: The worker that says so.
        **fields: Any other field of `Event`.
    """
    workers = whole("workers", workers)
    about = given(number, gradient_norm=gradient_norm) | given(whole, step=step, rank=rank)
    words = f"Gradients of {workers} workers aggregated"
    return event_of("gradients_aggregated", words, "Workers' gradients summed", {"workers": workers, **about}, fields)


def barrier_reached(
    barrier: str, *, rank: int | None = None, step: int | None = None, **fields: Unpack[EventFields]
) -> Event:
    """Make a `barrier_reached`.

    Args:
        barrier: Which one.
        rank: The worker that waits.
        step: The step.
        **fields: Any other field of `Event`.
    """
    barrier = text("barrier", barrier)
    computed = {"barrier": barrier, **given(whole, rank=rank, step=step)}
    return event_of("barrier_reached", f"Barrier {barrier} reached", "Waiting for the other workers", computed, fields)


def _of_stage(
    type: str,  # noqa: A002  # the field's name
    stage_id: str,
    verb: str,
    reasoning: str,
    computed: dict[str, Any],
    fields: EventFields,
) -> Event:
    if "stage_id" in fields:
        raise TypeError(f"the stage was given twice: {stage_id!r} and stage_id={fields['stage_id']!r}; give it once")
    stage = text("stage_id", stage_id)
    named = cast("EventFields", {**fields, "stage_id": stage})
    return event_of(type, f"Stage {stage} {verb}", reasoning, {"stage_id": stage, **computed}, named)
