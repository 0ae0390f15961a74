"""What comes at a high rate, summed up: optimiser steps, validations, calls of samplers.

The sums go into the metadata of the event that closes what encloses them.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any

from crucible import events
from crucible.trace.narration.words import fact

__all__ = ["SUMMED", "Sums"]

_MODELS = 32  # models counted by name; more are counted together
_COUNTED = ("prompts", "prompt_tokens", "completion_tokens", "duration_ns")


class Sums:
    """Sums of one enclosing event, by what they are of: `batches`, `validation`, `requests`."""

    __slots__ = ("batches", "requests", "validation")

    def __init__(self) -> None:
        self.batches: dict[str, Any] = {}
        self.validation: dict[str, Any] = {}
        self.requests: dict[str, Any] = {}

    def summary(self) -> dict[str, Any]:
        """Return what was summed up, as metadata; empty if nothing was."""
        if not (self.batches or self.validation or self.requests):
            return {}
        summed = {"batches": self.batches, "validation": self.validation, "requests": self.requests}
        return {name: values for name, values in summed.items() if values}

    def add_batch(self, event: events.Event) -> None:
        """Count an optimiser step."""
        known, summed = event.measurements, self.batches
        loss, step = fact(known.get("loss")), fact(known.get("step"))
        if not summed:
            summed.update(count=0, first_step=step, first_loss=loss)
        summed["count"] += 1
        summed["last_step"], summed["last_loss"] = step, loss
        _add(summed, "tokens", known.get("tokens"))

    def add_validation(self, event: events.Event) -> None:
        """Count a validation, and keep the best."""
        loss, step = fact(event.measurements.get("loss")), fact(event.measurements.get("step"))
        summed = self.validation
        summed["count"] = summed.get("count", 0) + 1
        if isinstance(loss, int | float) and ("best_loss" not in summed or loss < summed["best_loss"]):
            summed["best_loss"], summed["best_step"] = loss, step

    def add_request(self, event: events.Event) -> None:
        """Count a call of a sampler, an unanswered one, too."""
        known, summed = event.measurements, self.requests
        if not summed:
            summed.update(count=0, failed=0, models={})
        summed["count"] += 1
        for name in _COUNTED:
            _add(summed, name, known.get(name))
        _count(summed["models"], str(fact(event.metadata.get("model") or "(unnamed)")), 1)
        if event.name.endswith(".exception"):
            summed["failed"] += 1
            summed["last_error"] = _error(event.metadata)

    def take_requests(self, inner: Sums) -> None:
        """Add the calls that were summed up inside, where nothing told of them."""
        if not self.requests or not inner.requests:
            self.requests = self.requests or inner.requests
            return
        summed, more = self.requests, inner.requests
        for name in ("count", "failed", *_COUNTED):
            _add(summed, name, more.get(name))
        for model, count in more["models"].items():
            _count(summed["models"], model, count)
        if "last_error" in more:
            summed["last_error"] = more["last_error"]


SUMMED: Mapping[str, Callable[[Sums, events.Event], None]] = {
    "crucible_train.batch.stop": Sums.add_batch,
    "crucible_train.validation.stop": Sums.add_validation,
    "req_llm.request.stop": Sums.add_request,
    "req_llm.request.exception": Sums.add_request,
}
"""Events that are summed up, and what does it."""


def _add(summed: dict[str, Any], name: str, value: Any) -> None:
    """Add a number of any kind; a key that nobody gave a number for is not there."""
    if value.__class__ is not int:
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            return
        real = float(value)
        value = int(value) if isinstance(value, numbers.Integral) or real.is_integer() else real  # pyright: ignore[reportArgumentType]  # every whole real number has an int
    summed[name] = summed.get(name, 0) + value


def _count(models: dict[str, int], model: str, count: int) -> None:
    name = model if model in models or len(models) < _MODELS else "(others)"
    models[name] = models.get(name, 0) + count


def _error(metadata: Mapping[str, Any]) -> str:
    parts = (metadata.get("error_type"), metadata.get("error"))
    return ": ".join(str(fact(part)) for part in parts if part) or "An error without a message"
