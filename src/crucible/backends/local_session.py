# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers and PEFT models are untyped)
"""One adapter in training in this process: the session of `LocalBackend`.

Requests run one after another on the session's own thread. All randomness is the session's own generator, so a session
gives the same numbers alone, beside others, and after `load_checkpoint`.
"""

from __future__ import annotations

import base64
import functools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import safetensors.torch
import torch
from safetensors import SafetensorError

from crucible.backends.adapter import attach_adapter, merged_model
from crucible.backends.batching import groups_by_length
from crucible.backends.checkpoint import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    OPTIMIZER,
    STATE,
    read_checkpoint,
    write_checkpoint,
)
from crucible.backends.future import RequestQueue, SessionFuture
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_sampler import LocalSampler
from crucible.backends.losses import get_loss
from crucible.backends.records import AdamParams, ForwardBackwardOutput, OptimStepOutput
from crucible.backends.scoring import target_logprobs, tokens_per_group
from crucible.backends.weights import FlatWeights
from crucible.errors import BackendError, CheckpointError, DataError
from crucible.ir import LoraConfig
from crucible.text import Datum, Tokenizer

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
        self._generator = torch.Generator(device=base.device).manual_seed(config.seed)  # dropout
        self._adapted = attach_adapter(base, config, self._generator)
        self._weights = FlatWeights(self._adapted.trained())
        self._queue = RequestQueue("crucible-session", backend="local")

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
        return self._weights.size

    @property
    def base_digest(self) -> str:
        """SHA-256 of the base model's files."""
        return self._base.digest

    def forward_backward(
        self, data: Sequence[Datum], loss: str = "cross_entropy"
    ) -> SessionFuture[ForwardBackwardOutput]:
        """Add the gradient of the summed loss over `data` to the accumulated gradient.

        The future raises `DataError` for an empty batch, a datum longer than the window or with no weight other than
        0, and a token outside the vocabulary; `BackendError` for an unknown loss.
        """
        call = functools.partial(self._forward_backward, tuple(data), loss)
        return self._queue.submit("forward_backward", call)

    def forward(self, data: Sequence[Datum], loss: str = "cross_entropy") -> SessionFuture[ForwardBackwardOutput]:
        """Compute the summed loss and every target's log-probability, without dropout and without a gradient.

        The future raises as that of `forward_backward`, except that weights may all be 0.
        """
        return self._queue.submit("forward", functools.partial(self._forward, tuple(data), loss))

    def optim_step(self, params: AdamParams) -> SessionFuture[OptimStepOutput]:
        """Take one AdamW step with the accumulated gradient, then clear it.

        The future raises `TrainError` where there is no gradient and `NonFiniteLoss` where it is not finite.
        """
        return self._queue.submit("optim_step", functools.partial(self._weights.step, params))

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

    def create_sampler(self) -> LocalSampler:
        """Return a sampler with the weights as they are after all requests submitted so far."""
        merged = self._queue.submit("create_sampler", functools.partial(merged_model, self._adapted)).result()
        name = f"{self._config.base_model}+lora-r{self._config.rank}"
        return LocalSampler(self._base, model=name, weights=merged)

    def close(self) -> None:
        """Finish what was submitted; later requests raise `BackendError`."""
        self._queue.close()

    def __enter__(self) -> LocalSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _forward_backward(self, data: tuple[Datum, ...], loss: str) -> ForwardBackwardOutput:
        asked = [[place for place, weight in enumerate(datum.weights) if weight != 0] for datum in data]
        for number, positions in enumerate(asked):
            if not positions:
                raise DataError(f"datum {number} has only weights of 0, so there is nothing to train on")
        output = self._score(data, asked, loss, backward=True)
        self._weights.has_gradient = True
        return output

    @torch.no_grad()
    def _forward(self, data: tuple[Datum, ...], loss: str) -> ForwardBackwardOutput:
        with self._adapted.without_dropout():
            return self._score(data, [list(range(len(datum))) for datum in data], loss, backward=False)

    def _score(
        self, data: tuple[Datum, ...], asked: list[list[int]], loss: str, *, backward: bool
    ) -> ForwardBackwardOutput:
        compute = get_loss(loss)
        self._check(data)
        total = 0.0
        logprobs: list[list[float | None]] = [[None] * len(datum) for datum in data]
        lengths = [len(datum) for datum in data]
        limit = tokens_per_group(self._base.embedded_tokens)
        for group in groups_by_length(lengths, max_rows=len(data), max_padded_tokens=limit):
            flat = self._group_logprobs([data[i] for i in group], [asked[i] for i in group])  # (M,)
            weights = torch.tensor([data[i].weights[place] for i in group for place in asked[i]], device=self.device)
            group_loss = compute(flat, weights)
            if backward:
                group_loss.backward()
            total += float(group_loss.detach())
            values = iter(flat.tolist())
            for i in group:
                for place in asked[i]:
                    logprobs[i][place] = next(values)
        metrics = {
            "loss:sum": total,
            "input_tokens:sum": float(sum(lengths)),
            "weighted_tokens:sum": float(sum(sum(weight != 0 for weight in datum.weights) for datum in data)),
        }
        return ForwardBackwardOutput(loss=total, logprobs=logprobs, metrics=metrics)

    def _group_logprobs(self, data: list[Datum], asked: list[list[int]]) -> torch.Tensor:
        try:
            return target_logprobs(
                self._adapted.model,
                [datum.model_input.tokens for datum in data],
                [datum.target_tokens for datum in data],
                asked,
                pad_id=self.tokenizer.pad_id,
                device=self.device,
            )
        except torch.OutOfMemoryError as error:
            longest = max(len(datum) for datum in data)
            raise BackendError(
                f"{self.device} ran out of memory on {len(data)} sequences of up to {longest} tokens; "
                "use smaller batches",
                backend="local",
            ) from error

    def _check(self, data: tuple[Datum, ...]) -> None:
        if not data:
            raise DataError("a request needs at least one datum, got none")
        for number, datum in enumerate(data):
            if len(datum) > self.window:
                raise DataError(f"datum {number} has {len(datum)} tokens and the model's window holds {self.window}")
            if not all(map(math.isfinite, datum.weights)):
                raise DataError(f"datum {number} has a weight that is not finite")
            tokens = (*datum.model_input.tokens, *datum.target_tokens)
            if min(tokens) < 0 or max(tokens) >= self._base.embedded_tokens:
                raise DataError(
                    f"datum {number} holds a token outside the vocabulary of {self._base.embedded_tokens}: "
                    f"{min(tokens) if min(tokens) < 0 else max(tokens)}; was it made with another tokenizer?"
                )

    def _save(self, path: Path) -> Path:
        state = {
            "step": self._weights.step_count,
            "device_type": torch.device(self.device).type,
            "generator": base64.b64encode(self._generator.get_state().numpy().tobytes()).decode(),
            "config": self._config.model_dump(mode="json"),
        }
        files = {
            ADAPTER_CONFIG: self._adapted.config_json(),
            ADAPTER_WEIGHTS: safetensors.torch.save(self._weights.weights(), metadata={"format": "pt"}),
            OPTIMIZER: safetensors.torch.save(self._weights.optimizer_state(), metadata={"format": "pt"}),
            STATE: json.dumps(state, indent=2, sort_keys=True).encode(),
        }
        return write_checkpoint(path, files)

    def _load(self, path: Path) -> Path:
        files = read_checkpoint(path)
        try:
            state = json.loads(files[STATE])
            weights = safetensors.torch.load(files[ADAPTER_WEIGHTS])
            optimizer = safetensors.torch.load(files[OPTIMIZER])
            generator = torch.frombuffer(bytearray(base64.b64decode(state["generator"])), dtype=torch.uint8)
            written_on = state["device_type"]
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise CheckpointError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
        if written_on != torch.device(self.device).type:
            raise CheckpointError(
                f"{path} was written on {written_on} and this session is on {self.device}: "
                "dropout could not go on exactly"
            )
        self._weights.restore(weights, optimizer)
        self._generator.set_state(generator)
        return path
