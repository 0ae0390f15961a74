"""One adapter in training in this process: the session of `LocalBackend`.

Requests run one after another on the session's own thread, each in the scope of whoever submitted it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import msgspec
import torch

from crucible.backends.distributed.opening import open_adapter
from crucible.backends.future import RequestQueue, SessionFuture
from crucible.backends.hooks import GradientHook, GradientHooks, Gradients, HookReport, metrics_of
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_sampler import LocalSampler
from crucible.backends.losses import CustomLoss, Loss
from crucible.backends.prompt_scoring import prompt_logprobs
from crucible.backends.records import ForwardBackwardOutput, OptimizerParams, OptimStepOutput, SessionStatus
from crucible.backends.session_events import SessionEvents
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput, Tokenizer

__all__ = ["LocalSession"]


class LocalSession:
    """A LoRA adapter in training on a frozen base; `Session` says what each method means.

    Args:
        config: The adapter's configuration; the fields about data, steps and schedules are the caller's business.
        base: The frozen base model.
    """

    def __init__(self, config: LoraConfig, base: LoadedBase) -> None:
        self._config = config
        self._base = base
        self._queue = RequestQueue("crucible-session", backend="local")
        self._events = SessionEvents(backend="local", base_model=config.base_model, rank=config.rank)
        self._adapter = open_adapter(config, base)
        self._hooks = GradientHooks(config.gradient_hooks)
        self._events.begin()
        self._queue.is_ready()

    @property
    def tokenizer(self) -> Tokenizer:
        """The base model's tokenizer."""
        return self._base.tokenizer

    @property
    def window(self) -> int:
        """Most tokens of one sequence."""
        return self._base.window

    @property
    def device(self) -> str:
        """Where the weights live."""
        return self._base.device

    @property
    def trainable_parameters(self) -> int:
        """Count of the adapter's weights."""
        return self._adapter.weights.size

    @property
    def base_digest(self) -> str:
        """SHA-256 of the base model's files."""
        return self._base.digest

    @property
    def session_id(self) -> str:
        """16 hexadecimal digits that this session's events carry."""
        return self._events.session_id

    @property
    def status(self) -> SessionStatus:
        """What the session does now; its thread sets it as requests begin and end."""
        return self._queue.status

    def forward_backward(
        self,
        data: Sequence[Datum],
        loss: str | Loss = "cross_entropy",
        *,
        loss_config: Mapping[str, float] | None = None,
    ) -> SessionFuture[ForwardBackwardOutput]:
        """Add the gradient of the summed loss over `data` to the accumulated gradient.

        The future raises `DataError` for an empty batch, a datum longer than the window or with no weight other than
        0, a token outside the vocabulary, and an input of the loss that is missing; `BackendError` for an unknown
        loss; `TrainError` for a loss that returned no number.

        Args:
            data: At least one datum, each with a weight other than 0.
            loss: Name of a registered loss, or the loss itself.
            loss_config: Settings of the loss that are not its defaults.
        """
        call = functools.partial(self._forward_backward, tuple(data), loss, loss_config)
        return self._queue.submit("forward_backward", call)

    def forward(
        self,
        data: Sequence[Datum],
        loss: str | Loss = "cross_entropy",
        *,
        loss_config: Mapping[str, float] | None = None,
    ) -> SessionFuture[ForwardBackwardOutput]:
        """Compute the summed loss and every target's log-probability, without dropout and without a gradient.

        The future raises as that of `forward_backward`, except that weights may all be 0.
        """
        call = functools.partial(self._adapter.forward, tuple(data), loss, loss_config)
        return self._queue.submit("forward", call, status="evaluating")

    def forward_backward_custom(self, data: Sequence[Datum], fn: CustomLoss) -> SessionFuture[ForwardBackwardOutput]:
        """Add the gradient of any differentiable function of the log-probabilities of the data's targets.

        `fn(data, logprobs)` is called once, on the session's thread, after one forward pass with dropout; it returns
        a scalar tensor and its metrics. The future raises what `fn` raises, `DataError` as `forward` does,
        `TrainError` where no loss came back or none that depends on the logprobs, `NonFiniteLoss` where the loss or
        its gradient is not finite; then nothing was added.
        """
        call = functools.partial(self._forward_backward_custom, tuple(data), fn)
        return self._queue.submit("forward_backward_custom", call)

    def optim_step(self, params: OptimizerParams) -> SessionFuture[OptimStepOutput]:
        """Take one step of the optimiser that `params` are of with the accumulated gradient, then clear it.

        The future raises `TrainError` where there is no gradient and `NonFiniteLoss` where it, or a loss that it is
        of, is not finite; the weights are left as they were then.
        """
        return self._queue.submit("optim_step", functools.partial(self._optim_step, params))

    def add_gradient_hook(self, name: str, hook: GradientHook | None = None) -> None:
        """Let a hook look at the accumulated gradient before every step from now on, behind the hooks there are.

        One of a name that is there takes its place. It runs on the session's thread, before the gradient is clipped,
        and gets a copy: nothing that it does changes the step. What it returns is in `OptimStepOutput.metrics` and told
        as an event. One that raises fails the step, and with it the session, by a `TrainError` that names both.

        Args:
            name: What its results are called; one of `norm`, `distribution`, `flow` and `health` without a function.
            hook: Called with the `Gradients`; returns None, numbers by name, or what one of these four returns.

        Raises:
            SpecError: The name is unknown, one of Crucible's, or no name; or the hook cannot be called.
        """
        self._hooks.add(name, hook)

    def save_checkpoint(self, path: Path) -> SessionFuture[Path]:
        """Write the adapter in the PEFT layout, the optimiser's and the generator's state to the folder `path`.

        The future raises `StoreError` where the disk is full or read-only.
        """
        return self._queue.submit("save_checkpoint", functools.partial(self._save, Path(path)))

    def load_checkpoint(self, path: Path) -> SessionFuture[Path]:
        """Go on from the checkpoint at `path`: the next steps are those that the saved session would have taken.

        The future raises `CheckpointError` where a file is missing, damaged, or of another model or rank.
        """
        return self._queue.submit("load_checkpoint", functools.partial(self._load, Path(path)))

    def logprobs(self, prompts: Sequence[str | ModelInput]) -> SessionFuture[list[list[float | None]]]:
        """Compute each prompt's token log-probabilities given the tokens before; the first token has None.

        The future raises `DataError` for a prompt that is empty or longer than the window.
        """
        call = functools.partial(self._logprobs, tuple(prompts))
        return self._queue.submit("logprobs", call, status="evaluating")

    def create_sampler(self) -> LocalSampler:
        """Return a sampler with the weights as they are after all requests submitted so far; it keeps them."""
        return self._queue.submit("create_sampler", self._create_sampler, status="evaluating").result()

    def close(self) -> None:
        """Finish what was submitted; later requests raise `BackendError`."""
        self._queue.close()
        self._events.end(self._queue.failure)

    def __enter__(self) -> LocalSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _forward_backward(
        self, data: tuple[Datum, ...], loss: str | Loss, config: Mapping[str, float] | None
    ) -> ForwardBackwardOutput:
        call = functools.partial(self._adapter.forward_backward, data, loss, config)
        return self._events.forward_backward(len(data), loss, call)

    def _forward_backward_custom(self, data: tuple[Datum, ...], fn: CustomLoss) -> ForwardBackwardOutput:
        call = functools.partial(self._adapter.forward_backward_custom, data, fn)
        return self._events.forward_backward(len(data), fn, call)

    def _optim_step(self, params: OptimizerParams) -> OptimStepOutput:
        if not self._hooks:
            return self._events.optim_step(functools.partial(self._adapter.weights.step, params))
        return self._events.optim_step(functools.partial(self._step_watched, params))

    def _step_watched(self, params: OptimizerParams) -> OptimStepOutput:
        """Take a step before which the hooks look at the gradient; what they found is told even if it is refused."""
        found: list[HookReport] = []

        def look(layers: Mapping[str, torch.Tensor], step: int) -> None:
            for report in self._hooks.run(Gradients(layers, step)):
                found.append(report)
                self._events.gradient_seen(report, step)

        output = self._adapter.weights.step(params, look)
        took_ns = sum(report.duration_ns for report in found)
        return msgspec.structs.replace(output, metrics=metrics_of(found), hooks_ns=took_ns)

    def _save(self, path: Path) -> Path:
        started = time.monotonic_ns()
        self._adapter.save(path)
        step = self._adapter.weights.step_count
        self._events.checkpoint_saved(path, step=step, duration_ns=time.monotonic_ns() - started)
        return path

    def _load(self, path: Path) -> Path:
        started = time.monotonic_ns()
        self._adapter.load(path)
        step = self._adapter.weights.step_count
        self._events.checkpoint_loaded(path, step=step, duration_ns=time.monotonic_ns() - started)
        return path

    def _create_sampler(self) -> LocalSampler:
        started = time.monotonic_ns()
        name = f"{self._config.base_model}+lora-r{self._config.rank}"
        sampler = self._adapter.sampler(name)
        step = self._adapter.weights.step_count
        self._events.sampler_created(sampler.model, step=step, duration_ns=time.monotonic_ns() - started)
        return sampler

    def _logprobs(self, prompts: tuple[str | ModelInput, ...]) -> list[list[float | None]]:
        return prompt_logprobs(
            prompts,
            lambda data: self._adapter.forward(data, "cross_entropy", None),
            tokenizer=self.tokenizer,
            window=self.window,
        )
