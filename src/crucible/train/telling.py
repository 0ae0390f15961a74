"""What a training tells while it goes on: steps, epochs, an early end; with how fast it is and the memory it takes."""

from __future__ import annotations

import time
from collections.abc import Iterable

from crucible import events
from crucible.events.registry import event_info
from crucible.train.checkpoints import TrainState
from crucible.train.early_stopping import best_of, value_of
from crucible.train.keeping.choice import Mode
from crucible.train.memory import peak_memory_bytes
from crucible.train.records import EpochRecord, StepRecord

__all__ = ["Pace", "costs", "epoch_record", "tell_epoch", "tell_step", "tell_stopped"]


class Pace:
    """How fast the optimiser steps of this process were, validations and checkpoints left out.

    Args:
        tokens: Input tokens trained on.
        took_ns: The time of their steps.
    """

    def __init__(self, tokens: int = 0, took_ns: int = 0) -> None:
        self.tokens = tokens
        self.took_ns = took_ns
        self._ended_ns = 0

    @property
    def tokens_per_second(self) -> float | None:
        """Input tokens a second; None before the first step, and where no token was counted."""
        return self.tokens * 1e9 / self.took_ns if self.took_ns and self.tokens else None

    def step(self, tokens: int, sent_ns: int) -> Pace:
        """Add a step that has just ended; return its own: it took from the end of the one before, or its sending.

        Args:
            tokens: Its input tokens.
            sent_ns: When it was sent, by the monotonic clock.
        """
        now = time.monotonic_ns()
        took_ns = now - max(sent_ns, self._ended_ns)
        self._ended_ns = now
        self.tokens, self.took_ns = self.tokens + tokens, self.took_ns + took_ns
        return Pace(tokens, took_ns)

    def mark(self) -> Pace:
        """Return the pace so far, to measure from."""
        return Pace(self.tokens, self.took_ns)

    def since(self, mark: Pace) -> Pace:
        """Return the pace after a mark."""
        return Pace(self.tokens - mark.tokens, self.took_ns - mark.took_ns)


def epoch_record(steps: Iterable[StepRecord], epoch: int) -> EpochRecord:
    """Return the sums and means of an epoch's steps; there is at least one."""
    taken = list(steps)
    return EpochRecord(
        epoch=epoch,
        steps=len(taken),
        loss=sum(step["loss"] for step in taken) / len(taken),
        gradient_norm=sum(step["gradient_norm"] for step in taken) / len(taken),
        tokens=sum(step["tokens"] for step in taken),
    )


def costs(pace: Pace, device: str) -> dict[str, float]:
    """Return the measurements `tokens_per_second` and `memory_bytes`, each only where it is known."""
    found = {"tokens_per_second": pace.tokens_per_second, "memory_bytes": peak_memory_bytes(device)}
    return {name: value for name, value in found.items() if value is not None}


def tell_epoch(span: events.Span, record: EpochRecord, pace: Pace, device: str) -> None:
    """Add to the end of an epoch's span what the epoch was."""
    span.measure(
        epoch=record["epoch"],
        steps=record["steps"],
        loss=record["loss"],
        gradient_norm=record["gradient_norm"],
        tokens=record["tokens"],
        **costs(pace, device),
    )


def tell_step(
    record: StepRecord, pace: Pace, device: str, *, model: str, total_steps: int, loss_function: str = ""
) -> None:
    """Tell of an optimiser step; metrics that the registry has a unit for are measurements as well."""
    metrics = record.get("metrics", {})
    info = event_info("crucible_train.batch.stop") if metrics else None
    with_unit = frozenset(info.measurements if info else ())
    about: dict[str, object] = {"model": model, "total_steps": total_steps, "epoch": record["epoch"]}
    if loss_function:
        about["loss_function"] = loss_function
    if metrics:
        about["metrics"] = dict(metrics)
    events.emit(
        "crucible_train.batch.stop",
        {
            "step": record["step"],
            "loss": record["loss"],
            "gradient_norm": record["gradient_norm"],
            "learning_rate": record["learning_rate"],
            "tokens": record["tokens"],
            "duration_ns": pace.took_ns,
            **costs(pace, device),
            **{name: value for name, value in metrics.items() if name in with_unit},
        },
        about,
    )


def tell_stopped(reason: str, state: TrainState, watched: tuple[str, Mode], *, model: str, total_steps: int) -> None:
    """Say that early stopping ended a training, why, and which checkpoint is the best by the watched metric."""
    metric, mode = watched
    best = best_of(state.validation, metric, mode)
    events.decision(
        f"stopped at step {state.step} of {total_steps}",
        reason + (f"; step {best['step']} is best ({value_of(best, metric):.4g})" if best else ""),
        alternatives=[f"go on to step {total_steps}"],
        type="early_stopped",
        metadata={"model": model, "step": state.step, "best_step": best["step"] if best else None},
    )
