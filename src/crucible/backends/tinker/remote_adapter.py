# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""The adapter on the service as its session knows it: which client trains it, its gradient, its steps.

What was sent (`has_gradient`) and what was answered (`odd_loss`, `steps`) are kept apart: each is touched by one of the
two threads of a `Pipeline` only, for many requests travel before the first is answered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from crucible.backends.records import AdamParams, ForwardBackwardOutput, OptimizerParams, OptimStepOutput
from crucible.backends.tinker.connection import Connection
from crucible.backends.tinker.conversion import sdk_adam
from crucible.backends.tinker.exporting import exports_files
from crucible.backends.tinker.settings import BACKEND
from crucible.errors import BackendError, NonFiniteLoss, TrainError

__all__ = ["RemoteAdapter"]

_NORMS = ("grad_norm", "gradient_norm", "unclipped_grad_norm", "unclipped_grad_l2")


class RemoteAdapter:
    """One adapter in training on a service.

    Args:
        connection: The service.
        client: The SDK's `TrainingClient`.

    Attributes:
        client: The one that trains it now; loading replaces it.
        has_gradient: Whether what was sent so far left a gradient.
        steps: Optimiser steps answered so far.
    """

    def __init__(self, connection: Connection, client: Any) -> None:
        self.client = client
        self.has_gradient = False
        self.steps = 0
        self._connection = connection
        self._odd_loss: float | None = None

    def noted(self, output: ForwardBackwardOutput) -> ForwardBackwardOutput:
        """Return the answer to a pass that trained, remembering a loss that is not finite for the step behind it."""
        if not math.isfinite(output.loss):
            self._odd_loss = output.loss
        return output

    def send_step(self, params: OptimizerParams) -> Any:
        """Send an optimiser step, and return the SDK's future.

        Raises:
            BackendError: It is of another optimiser than AdamW.
            TrainError: There is no gradient.
        """
        if not isinstance(params, AdamParams) or (not params.decoupled and params.weight_decay > 0):
            kind = "Adam with coupled weight decay" if isinstance(params, AdamParams) else type(params).__name__
            raise BackendError(
                f"{kind} is not offered by Tinker, which steps with AdamW; use AdamParams", backend=BACKEND
            )
        if not self.has_gradient:
            raise TrainError("optim_step needs a forward_backward before it: there is no gradient to step with")
        self.has_gradient = False
        return self.client.optim_step(sdk_adam(params))

    def receive_step(self, pending: Any) -> OptimStepOutput:
        """Return the answer to a step; its norm is NaN where the service reports none.

        Raises:
            BackendError: The service failed.
            NonFiniteLoss: The loss before it or its gradient was not finite.
        """
        step = self.steps + 1
        try:
            answer = self._connection.settle("optim_step", pending)
        except BackendError as error:
            if self._odd_loss is not None:
                raise _not_finite(f"the loss was {self._odd_loss}", step) from error
            raise
        if self._odd_loss is not None:
            raise _not_finite(f"the loss was {self._odd_loss}", step)
        reported = _gradient_norm(answer.metrics or {})
        if reported is not None and not math.isfinite(reported):
            raise _not_finite(f"the gradient norm is {reported}", step)
        self.steps = step
        return OptimStepOutput(gradient_norm=math.nan if reported is None else reported, step=step)

    def send_load(self, remote_path: str) -> None:
        """Go on from a state on the service: with a client of that state, or in place where the SDK can do that."""
        if exports_files(self.client):
            service = self._connection.service()
            pending = service.create_training_client_from_state_with_optimizer(remote_path)
            self.client = self._connection.settle("load_checkpoint", pending)
        else:  # SDK 0.24
            self._connection.settle("load_checkpoint", self.client.load_state_with_optimizer(remote_path))
        self.has_gradient = False

    def receive_load(self, steps: int) -> None:
        """Count from the loaded state's steps on."""
        self.steps, self._odd_loss = steps, None


def _not_finite(what: str, step: int) -> NonFiniteLoss:
    return NonFiniteLoss(
        f"{what}, and the service may have taken the step all the same; go on from the last checkpoint, with a "
        "lower learning rate or grad_clip_norm",
        step=step,
    )


def _gradient_norm(metrics: Mapping[str, float]) -> float | None:
    """Return the gradient's norm among a service's metrics, which have no agreed names."""
    for name, value in metrics.items():
        if name.partition(":")[0].rpartition("/")[2] in _NORMS:
            return float(value)
    return None
