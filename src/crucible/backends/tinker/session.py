# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the SDK is reached through `require`, so that it is optional)
"""One adapter in training on a Tinker service: the session of `TinkerBackend`.

Requests go out in the order of submission without waiting for one another; the service carries them out in that order.
A request that fails ends the session: what was sent behind it may have been carried out on the service, and only a
checkpoint is a sound place to go on from.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from crucible.backends.future import SessionFuture
from crucible.backends.records import ForwardBackwardOutput, OptimizerParams, OptimStepOutput, SessionStatus
from crucible.backends.tinker.bridge import TelemetryBridge
from crucible.backends.tinker.connection import Connection
from crucible.backends.tinker.passes import Passes
from crucible.backends.tinker.pipeline import Pipeline, Request
from crucible.backends.tinker.remote_adapter import RemoteAdapter
from crucible.backends.tinker.sampler import TinkerSampler, sdk_retry_config
from crucible.backends.tinker.saving import Saving
from crucible.backends.tinker.settings import BACKEND
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput, Tokenizer

if TYPE_CHECKING:
    from crucible.backends.losses import CustomLoss, Loss

__all__ = ["TinkerSession"]


class TinkerSession:
    """A LoRA adapter in training on a service; `Session` says what each method means.

    Args:
        connection: The service.
        client: The SDK's `TrainingClient`.
        config: The adapter's configuration.
        tokenizer: The base model's tokenizer.
        window: Most tokens of one sequence.
    """

    def __init__(
        self, connection: Connection, client: Any, config: LoraConfig, *, tokenizer: Tokenizer, window: int
    ) -> None:
        self._connection = connection
        self._config = config
        self._tokenizer = tokenizer
        self._window = window
        self._pipeline = Pipeline(connection)
        self._events = TelemetryBridge(connection).session(config)
        self._events.begin()
        self._adapter = RemoteAdapter(connection, client)
        self._passes = Passes(connection, self._adapter, self._events, tokenizer=tokenizer, window=window)
        self._saving = Saving(connection, self._adapter, self._events, config)

    @property
    def tokenizer(self) -> Tokenizer:
        """The base model's tokenizer."""
        return self._tokenizer

    @property
    def window(self) -> int:
        """Most tokens of one sequence."""
        return self._window

    @property
    def device(self) -> str:
        """`tinker`: the service does not say where its weights live."""
        return BACKEND

    @property
    def trainable_parameters(self) -> int | None:
        """None: the service does not say how many weights it trains."""
        return None

    @property
    def base_digest(self) -> str | None:
        """None: the base model's files are not seen from here."""
        return None

    @property
    def session_id(self) -> str:
        """16 hexadecimal digits that this session's events carry."""
        return self._events.session_id

    @property
    def status(self) -> SessionStatus:
        """What the session does now."""
        return self._pipeline.status

    def forward_backward(
        self,
        data: Sequence[Datum],
        loss: str | Loss = "cross_entropy",
        *,
        loss_config: Mapping[str, float] | None = None,
    ) -> SessionFuture[ForwardBackwardOutput]:
        """Add the gradient of the summed loss over `data` to the accumulated gradient.

        A loss that the service does not know is computed here, between a forward and a backward there.

        The future raises `DataError` for data that cannot be used and `BackendError` for an unknown loss.
        """
        with self._pipeline.own_code():
            request = self._passes.forward_backward(tuple(data), loss, loss_config)
        return self._pipeline.submit(request)

    def forward_backward_custom(self, data: Sequence[Datum], fn: CustomLoss) -> SessionFuture[ForwardBackwardOutput]:
        """Add the gradient of `fn(data, logprobs) -> (loss, metrics)`, which is called once, on another thread.

        The future raises what `fn` raises, `TrainError` where it returns no loss, and as `forward_backward`.
        """
        with self._pipeline.own_code():
            request = self._passes.custom(tuple(data), fn)
        return self._pipeline.submit(request)

    def forward(
        self,
        data: Sequence[Datum],
        loss: str | Loss = "cross_entropy",
        *,
        loss_config: Mapping[str, float] | None = None,
    ) -> SessionFuture[ForwardBackwardOutput]:
        """Compute the summed loss and every target's log-probability, without a gradient.

        The future raises as that of `forward_backward`, except that weights may all be 0.
        """
        return self._pipeline.submit(self._passes.forward(tuple(data), loss, loss_config))

    def optim_step(self, params: OptimizerParams) -> SessionFuture[OptimStepOutput]:
        """Take one AdamW step with the accumulated gradient, then clear it.

        The gradient's norm is NaN where the service does not report it. The future raises `BackendError` for another
        optimiser, `TrainError` where there is no gradient, and `NonFiniteLoss` after a loss that was not finite.
        """

        def send() -> Any:
            return self._adapter.send_step(params)

        def receive(pending: Any) -> OptimStepOutput:
            return self._events.optim_step(lambda: self._adapter.receive_step(pending))

        return self._pipeline.submit(Request("optim_step", send, receive))

    def save_checkpoint(self, path: Path) -> SessionFuture[Path]:
        """Keep weights and optimiser on the service, and download the adapter to the folder `path`.

        `remote.json` there names the state on the service, which `load_checkpoint` goes on from.

        The future raises `BadResponse` for a download that is torn or no adapter, `StoreError` for a full disk.
        """
        return self._pipeline.submit(self._saving.save(Path(path)))

    def load_checkpoint(self, path: Path) -> SessionFuture[Path]:
        """Go on from the state on the service that the checkpoint at `path` names.

        The future raises `CheckpointError` where it is damaged, of another model or rank, or of the local backend,
        and `BackendError` where the service has forgotten the state.
        """
        return self._pipeline.submit(self._saving.load(Path(path)))

    def logprobs(self, prompts: Sequence[str | ModelInput]) -> SessionFuture[list[list[float | None]]]:
        """Compute the log-probability of each prompt's tokens given those before; None for a first token.

        The future raises `DataError` for a prompt that is empty or longer than the window.
        """
        return self._pipeline.submit(self._passes.logprobs(tuple(prompts)))

    def create_sampler(self) -> TinkerSampler:
        """Return a sampler with the weights as they are after all requests submitted so far."""

        def send() -> Any:
            retry_config = sdk_retry_config(self._connection.settings)
            pending = self._adapter.client.save_weights_and_get_sampling_client(retry_config=retry_config)
            return (pending,)  # it may be a stand-in for the client that it becomes

        def receive(sent: Any) -> TinkerSampler:
            started = time.monotonic_ns()
            name = f"{self._config.base_model}+lora-r{self._config.rank}"
            client = self._connection.settle("create_sampler", sent[0])
            self._events.sampler_created(name, step=self._adapter.steps, duration_ns=time.monotonic_ns() - started)
            return TinkerSampler(self._connection, client, model=name, tokenizer=self._tokenizer, window=self._window)

        return self._pipeline.submit(Request("create_sampler", send, receive, status="evaluating")).result()

    def close(self) -> None:
        """Wait for what was submitted; later requests raise `BackendError`. Samplers go on answering."""
        self._pipeline.close()
        self._events.end(self._pipeline.failure)

    def __enter__(self) -> TinkerSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
