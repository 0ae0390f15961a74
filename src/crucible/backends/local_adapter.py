# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers and PEFT models are untyped)
"""An adapter with its gradient, its optimiser and its dropout: what a local session's requests do, one at a time.

All randomness is one generator of its own, so an adapter gives the same numbers alone, beside others, and after `load`.
Nothing here knows of queues, futures or events.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from crucible.backends.adapter import attach_adapter, merged_model
from crucible.backends.batch_checks import check_batch, check_trained
from crucible.backends.batching import groups_by_length
from crucible.backends.checkpoint import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    OPTIMIZER,
    STATE,
    read_checkpoint,
    write_checkpoint,
)
from crucible.backends.local_base import LoadedBase
from crucible.backends.losses import CustomLoss, Loss, evaluate, gradient_of, resolve
from crucible.backends.records import ForwardBackwardOutput
from crucible.backends.scoring import target_logprobs, threads_for, tokens_per_group
from crucible.backends.weights import FlatWeights
from crucible.errors import BackendError, CheckpointError
from crucible.ir import LoraConfig
from crucible.text import Datum

__all__ = ["LocalAdapter"]

_Positions = Sequence[Sequence[int]]


class LocalAdapter:
    """A fresh adapter on a frozen base, in training.

    Args:
        config: Rank, scale, dropout, target modules, seed, mixed precision.
        base: The frozen base model.

    Attributes:
        model: The transformers model with the adapter in it.
        weights: The adapter's weights, gradient and optimiser.
    """

    def __init__(self, config: LoraConfig, base: LoadedBase) -> None:
        self._config = config
        self._base = base
        self._generator = torch.Generator(device=base.device).manual_seed(config.seed)  # dropout
        self.model = attach_adapter(base, config, self._generator)
        self.weights = FlatWeights(self.model.trained())

    def forward_backward(
        self, data: Sequence[Datum], loss: str | Loss, config: Mapping[str, float] | None
    ) -> ForwardBackwardOutput:
        """Add the gradient of the summed loss to the accumulated one; of a loss that is no number, NaN.

        Raises:
            DataError: A datum cannot be used.
            BackendError: The loss is unknown, or the memory is too small.
            TrainError: The loss returned no number that depends on the log-probabilities.
        """
        compute = resolve(loss, config)
        self._check(data)
        check_trained(data)
        asked = [[place for place, weight in enumerate(datum.weights) if weight != 0] for datum in data]
        output = self._score(data, asked, compute, backward=True)
        if not math.isfinite(output.loss):
            self.weights.spoil_gradient()
        self.weights.has_gradient = True
        return output

    @torch.no_grad()
    def forward(
        self, data: Sequence[Datum], loss: str | Loss, config: Mapping[str, float] | None
    ) -> ForwardBackwardOutput:
        """Compute the summed loss and every target's log-probability, without dropout and without a gradient.

        Raises:
            DataError: A datum cannot be used.
            BackendError: The loss is unknown, or the memory is too small.
        """
        compute = resolve(loss, config)
        self._check(data)
        with self.model.without_dropout():
            return self._score(data, _every_position(data), compute, backward=False)

    def forward_backward_custom(self, data: Sequence[Datum], fn: CustomLoss) -> ForwardBackwardOutput:
        """Add the gradient of a function of the log-probabilities of all positions.

        Where the data fit one pass, it is the only one; otherwise each part is computed again for its gradient, with
        the dropout that it had.

        Raises:
            DataError: A datum cannot be used.
            TrainError: The function returned what is no loss.
            NonFiniteLoss: The loss or its gradient is not finite; nothing was added.
        """
        self._check(data)
        asked = _every_position(data)
        with self._threads(data):
            groups = self._groups(data)
            states: list[torch.Tensor] = []
            flats: list[torch.Tensor] = []
            for group in groups:
                states.append(self._generator.get_state())
                with torch.set_grad_enabled(len(groups) == 1):
                    flats.append(self._logprobs(data, group, asked))  # (M,)
            logprobs = _by_datum(data, groups, flats)
            loss, gradients, metrics = gradient_of(fn, data, logprobs)
            if len(groups) == 1:
                flats[0].backward(torch.cat([gradients[i] for i in groups[0]]))
            else:
                after = self._generator.get_state()
                for group, state in zip(groups, states, strict=True):
                    self._generator.set_state(state)
                    self._logprobs(data, group, asked).backward(torch.cat([gradients[i] for i in group]))
                self._generator.set_state(after)
        self.weights.has_gradient = True
        answers: list[list[float | None]] = [[*each.tolist()] for each in logprobs]
        return ForwardBackwardOutput(loss=loss, logprobs=answers, metrics={**metrics, **_counts(data, loss)})

    def save(self, path: Path) -> Path:
        """Write the adapter in the PEFT layout, the optimiser's and the generator's state to the folder `path`.

        Raises:
            StoreError: The disk is full or read-only.
        """
        state = {
            "step": self.weights.step_count,
            "device_type": torch.device(self._base.device).type,
            "generator": base64.b64encode(self._generator.get_state().numpy().tobytes()).decode(),
            "config": self._config.model_dump(mode="json"),
        }
        files = {
            ADAPTER_CONFIG: self.model.config_json(),
            ADAPTER_WEIGHTS: safetensors.torch.save(self.weights.weights(), metadata={"format": "pt"}),
            OPTIMIZER: safetensors.torch.save(self.weights.optimizer_state(), metadata={"format": "pt"}),
            STATE: json.dumps(state, indent=2, sort_keys=True).encode(),
        }
        return write_checkpoint(path, files)

    def load(self, path: Path) -> Path:
        """Go on from the checkpoint at `path`: the next steps are those that would have been taken after it.

        Raises:
            CheckpointError: A file is missing, damaged, or of another model, rank or kind of device.
        """
        files = read_checkpoint(path)
        try:
            state = json.loads(files[STATE])
            weights = safetensors.torch.load(files[ADAPTER_WEIGHTS])
            optimizer = safetensors.torch.load(files[OPTIMIZER])
            generator = torch.frombuffer(bytearray(base64.b64decode(state["generator"])), dtype=torch.uint8)
            written_on = state["device_type"]
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise CheckpointError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
        if written_on != torch.device(self._base.device).type:
            raise CheckpointError(
                f"{path} was written on {written_on} and this session is on {self._base.device}: "
                "dropout could not go on exactly"
            )
        self.weights.restore(weights, optimizer)
        self._generator.set_state(generator)
        return path

    def merged(self) -> Any:
        """Return a plain transformers model with the present weights folded in; it keeps them whatever comes."""
        return merged_model(self.model)

    def _check(self, data: Sequence[Datum]) -> None:
        check_batch(data, window=self._base.window, vocabulary=self._base.embedded_tokens)

    def _threads(self, data: Sequence[Datum]) -> contextlib.AbstractContextManager[int]:
        return threads_for(self.model.model, sum(map(len, data)), device=self._base.device)

    def _groups(self, data: Sequence[Datum]) -> list[list[int]]:
        limit = tokens_per_group(self._base.embedded_tokens, self.model.model, device=self._base.device)
        lengths = [len(datum) for datum in data]
        return list(groups_by_length(lengths, max_rows=len(data), max_padded_tokens=limit))

    def _score(
        self, data: Sequence[Datum], asked: _Positions, compute: Loss, *, backward: bool
    ) -> ForwardBackwardOutput:
        total = 0.0
        parts: dict[str, float] = {}
        logprobs: list[list[float | None]] = [[None] * len(datum) for datum in data]
        with self._threads(data):
            for group in self._groups(data):
                flat = self._logprobs(data, group, asked)  # (M,)
                loss, components = evaluate(compute, flat, self._inputs(data, group, asked))
                if backward:
                    loss.backward()
                total += float(loss.detach())
                for name, value in components.items():
                    parts[name] = parts.get(name, 0.0) + float(value.detach())
                values = iter(flat.tolist())
                for i in group:
                    for place in asked[i]:
                        logprobs[i][place] = next(values)
        metrics = {f"loss/{name}:sum": value for name, value in parts.items()}
        return ForwardBackwardOutput(loss=total, logprobs=logprobs, metrics={**metrics, **_counts(data, total)})

    def _inputs(self, data: Sequence[Datum], group: Sequence[int], asked: _Positions) -> dict[str, torch.Tensor]:
        """Return what the loss reads beside the log-probabilities: (M,) each, float32."""
        columns = {"weights": [data[i].weights for i in group]}
        columns |= {name: [data[i].loss_inputs[name] for i in group] for name in data[0].loss_inputs}
        return {
            name: torch.tensor(
                [row[place] for i, row in zip(group, rows, strict=True) for place in asked[i]],
                dtype=torch.float32,
                device=self._base.device,
            )
            for name, rows in columns.items()
        }

    def _logprobs(self, data: Sequence[Datum], group: Sequence[int], asked: _Positions) -> torch.Tensor:
        """Return the log-probabilities (M,) of the targets that are asked for in the data of a group."""
        try:
            return target_logprobs(
                self.model.model,
                [data[i].model_input.tokens for i in group],
                [data[i].target_tokens for i in group],
                [asked[i] for i in group],
                pad_id=self._base.tokenizer.pad_id,
                device=self._base.device,
                mixed_precision=self._config.mixed_precision,
            )
        except torch.OutOfMemoryError as error:
            longest = max(len(data[i]) for i in group)
            raise BackendError(
                f"{self._base.device} ran out of memory on {len(group)} sequences of up to {longest} tokens; "
                "use smaller batches",
                backend="local",
            ) from error


def _every_position(data: Sequence[Datum]) -> list[range]:
    return [range(len(datum)) for datum in data]


def _by_datum(
    data: Sequence[Datum], groups: Sequence[Sequence[int]], flats: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """Return the log-probabilities of each datum (T_i,), in the order of the data, cut from their graph."""
    found: dict[int, torch.Tensor] = {}
    for group, flat in zip(groups, flats, strict=True):
        found.update(zip(group, flat.detach().split([len(data[i]) for i in group]), strict=True))
    return [found[i] for i in range(len(data))]


def _counts(data: Sequence[Datum], loss: float) -> dict[str, float]:
    return {
        "loss:sum": loss,
        "input_tokens:sum": float(sum(map(len, data))),
        "weighted_tokens:sum": float(sum(sum(weight != 0 for weight in datum.weights) for datum in data)),
    }
