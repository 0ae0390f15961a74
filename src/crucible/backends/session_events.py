"""What a session tells the bus: its beginning and end, and its requests, each once, by whoever carries it out.

Every backend's sessions tell the same events through here. Requests tell in the scope in which they were submitted.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic_ns
from typing import Any

from crucible import events
from crucible.backends.hooks import HookReport
from crucible.backends.records import ForwardBackwardOutput, OptimStepOutput

__all__ = ["SessionEvents"]


class SessionEvents:
    """The events of one session.

    Args:
        backend: Name of the backend.
        base_model: What is adapted.
        rank: Rank of the adapter.
    """

    def __init__(self, *, backend: str, base_model: str, rank: int) -> None:
        self.session_id = secrets.token_hex(8)
        self._about = {"session": self.session_id, "backend": backend, "base_model": base_model}
        self._life = events.span("crucible_backends.session", {**self._about, "rank": rank})
        self._about_losses: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._steps = 0
        self._tokens = 0.0
        self._ended = False

    def begin(self) -> None:
        """Tell that the session begins."""
        self._life.begin()

    def end(self, failure: BaseException | None) -> None:
        """Tell that it ended, the first time this is called.

        Args:
            failure: What its first request that failed raised; None where none did.
        """
        with self._lock:
            ended, self._ended = self._ended, True
        if not ended:
            self._life.measure(steps=self._steps, tokens=self._tokens)
            self._life.end(failure)

    def forward_backward(
        self, data: int, loss: object, call: Callable[[], ForwardBackwardOutput]
    ) -> ForwardBackwardOutput:
        """Carry out a forward_backward, tell how it went, and return its answer.

        Args:
            data: Count of data.
            loss: The loss, by name or itself.
            call: What carries it out.
        """
        name = loss if isinstance(loss, str) else getattr(loss, "name", "") or getattr(loss, "__name__", "custom")
        about = self._about_losses.get(name)
        if about is None:
            about = self._about_losses[name] = {**self._about, "loss": name}
        started = monotonic_ns()
        try:
            output = call()
        except BaseException as error:
            measured = {"data": data, "duration_ns": monotonic_ns() - started}
            events.emit("crucible_backends.session.forward_backward.exception", measured, _failed(about, error))
            raise
        tokens = output.metrics["input_tokens:sum"]
        self._tokens += tokens
        measured = {
            "data": data,
            "tokens": tokens,
            "loss_sum": output.loss,
            "duration_ns": monotonic_ns() - started,
        }
        events.emit("crucible_backends.session.forward_backward.stop", measured, about)
        return output

    def optim_step(self, call: Callable[[], OptimStepOutput]) -> OptimStepOutput:
        """Carry out an optimiser step, tell how it went, and return its answer."""
        started = monotonic_ns()
        try:
            output = call()
        except BaseException as error:
            measured = {"duration_ns": monotonic_ns() - started}
            events.emit("crucible_backends.session.optim_step.exception", measured, _failed(self._about, error))
            raise
        self._steps += 1
        measured = {
            "step": output.step,
            "gradient_norm": output.gradient_norm,
            "duration_ns": monotonic_ns() - started,
        }
        events.emit("crucible_backends.session.optim_step.stop", measured, self._about)
        return output

    def gradient_seen(self, report: HookReport, step: int) -> None:
        """Tell what a hook found in the gradient that a step is about to be taken with."""
        if report.is_built_in:
            measured = {"step": step, **report.numbers, "duration_ns": report.duration_ns}
            events.emit(f"crucible_backends.gradient.{report.name}", measured, {**self._about, **report.details})
            return
        measured = {"step": step, "duration_ns": report.duration_ns}
        about = {**self._about, "hook": report.name, "numbers": report.numbers, **report.details}
        events.emit("crucible_backends.gradient.custom", measured, about)

    def checkpoint_saved(self, path: Path | str, *, step: int, duration_ns: int) -> None:
        """Tell that a checkpoint was written."""
        measured = {"step": step, "duration_ns": duration_ns}
        events.emit("crucible_backends.session.checkpoint_saved", measured, {**self._about, "path": str(path)})

    def checkpoint_loaded(self, path: Path | str, *, step: int, duration_ns: int) -> None:
        """Tell that the session goes on from a checkpoint."""
        measured = {"step": step, "duration_ns": duration_ns}
        events.emit("crucible_backends.session.checkpoint_loaded", measured, {**self._about, "path": str(path)})

    def sampler_created(self, model: str, *, step: int, duration_ns: int) -> None:
        """Tell that a sampler was made of the present weights."""
        measured = {"step": step, "duration_ns": duration_ns}
        events.emit("crucible_backends.session.sampler_created", measured, {**self._about, "model": model})


def _failed(about: Mapping[str, Any], error: BaseException) -> dict[str, Any]:
    return {**about, "error_type": type(error).__name__, "error": str(error)}
