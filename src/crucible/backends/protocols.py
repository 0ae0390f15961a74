"""The three protocols between the rooms above and wherever models live.

A backend opens sessions (one adapter in training) and samplers (frozen weights that answer). Session calls return
futures at once; the order of submission is the order of execution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from crucible.backends.future import SessionFuture
from crucible.backends.records import (
    ForwardBackwardOutput,
    OptimizerParams,
    OptimStepOutput,
    Sample,
    SamplingParams,
    SessionStatus,
)
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput, Tokenizer

if TYPE_CHECKING:
    from crucible.backends.losses import CustomLoss, Loss  # PyTorch's tensors, which nobody here needs

__all__ = ["Backend", "Sampler", "Session"]


@runtime_checkable
class Sampler(Protocol):
    """Frozen weights that answer prompts, which are text or tokens. Safe to use from several threads."""

    @property
    def model(self) -> str:
        """Name of the model for events and reports."""
        ...

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The model's tokenizer; None where the backend has none."""
        ...

    @property
    def device(self) -> str | None:
        """Where the weights live, such as `cpu`; None where the backend does not say."""
        ...

    @property
    def dtype(self) -> str | None:
        """Number type of the weights, such as `float32`; None where the backend does not say."""
        ...

    def sample(self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None) -> list[Sample]:
        """Return one answer a prompt, in the order of the prompts."""
        ...

    def sample_groups(
        self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None, *, num_samples: int
    ) -> list[list[Sample]]:
        """Return `num_samples` answers a prompt, in the order of the prompts."""
        ...

    async def asample(self, prompts: Sequence[str | ModelInput], params: SamplingParams | None = None) -> list[Sample]:
        """`sample`, without blocking the event loop."""
        ...

    def logprobs(self, prompts: Sequence[str | ModelInput]) -> list[list[float | None]]:
        """Return the log-probability of each prompt's tokens given those before; None for a first token."""
        ...

    def top_logprobs(self, prompts: Sequence[str | ModelInput], k: int) -> list[list[list[tuple[int, float]]]]:
        """Return, for each token of each prompt, the k likeliest tokens in its place given those before it.

        Each with its natural-log probability, likeliest first; for a first token there are none.
        """
        ...


@runtime_checkable
class Session(Protocol):
    """One adapter in training on a frozen base model.

    A failed request fails every later one with the cause, because what they were meant to build on did not happen.
    """

    @property
    def tokenizer(self) -> Tokenizer:
        """The base model's tokenizer."""
        ...

    @property
    def window(self) -> int:
        """Most tokens of one sequence."""
        ...

    @property
    def device(self) -> str:
        """Where the weights live, such as `cpu`."""
        ...

    @property
    def trainable_parameters(self) -> int | None:
        """Count of weights that training changes; None where the backend does not say."""
        ...

    @property
    def base_digest(self) -> str | None:
        """SHA-256 of the base model's files; None where the backend does not see them."""
        ...

    @property
    def status(self) -> SessionStatus:
        """What the session does now; each request sets it as it begins and ends."""
        ...

    def forward_backward(
        self,
        data: Sequence[Datum],
        loss: str | Loss = "cross_entropy",
        *,
        loss_config: Mapping[str, float] | None = None,
    ) -> SessionFuture[ForwardBackwardOutput]:
        """Add the gradient of the summed loss over `data` to the accumulated gradient.

        Args:
            data: At least one datum, each with a weight other than 0.
            loss: Name of a registered loss, or the loss itself.
            loss_config: Settings of the loss that are not its defaults.
        """
        ...

    def forward(
        self,
        data: Sequence[Datum],
        loss: str | Loss = "cross_entropy",
        *,
        loss_config: Mapping[str, float] | None = None,
    ) -> SessionFuture[ForwardBackwardOutput]:
        """Compute the summed loss over `data` without dropout and without touching the gradient."""
        ...

    def forward_backward_custom(self, data: Sequence[Datum], fn: CustomLoss) -> SessionFuture[ForwardBackwardOutput]:
        """Add the gradient of any differentiable function of the targets' log-probabilities.

        Args:
            data: At least one datum; what their weights mean is up to `fn`.
            fn: `(data, logprobs) -> (loss, metrics)`: called once, with one tensor a datum, (T_i,), or (T_i, K_i) of
                one with soft targets.
        """
        ...

    def optim_step(self, params: OptimizerParams) -> SessionFuture[OptimStepOutput]:
        """Change the weights by the accumulated gradient, then clear it."""
        ...

    def save_checkpoint(self, path: Path) -> SessionFuture[Path]:
        """Write weights, optimiser state and generator state to the folder `path`, whole or not at all."""
        ...

    def load_checkpoint(self, path: Path) -> SessionFuture[Path]:
        """Continue from the checkpoint at `path`, exactly as if training had never stopped."""
        ...

    def logprobs(self, prompts: Sequence[str | ModelInput]) -> SessionFuture[list[list[float | None]]]:
        """Compute the log-probability of each prompt's tokens given those before, without dropout; None for a first."""
        ...

    def create_sampler(self) -> Sampler:
        """Wait for all requests submitted so far, and return a sampler with the weights as they are then.

        It is the one call beside `close` that waits: whoever gets the sampler knows that what it is of was computed.
        """
        ...

    def close(self) -> None:
        """Finish what was submitted, then release the weights; later requests fail."""
        ...


@runtime_checkable
class Backend(Protocol):
    """Where models live."""

    def start_session(self, config: LoraConfig) -> Session:
        """Open a training session on `config.base_model` with a fresh adapter."""
        ...

    def create_sampler(self, base_model: str, *, device: str | None = None) -> Sampler:
        """Return a sampler of the untuned base model, with the weights that a session on this device trains on.

        Args:
            base_model: Its name, as in `LoraConfig.base_model`.
            device: As `LoraConfig.device`; None: where the backend likes.
        """
        ...
