# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers and PEFT models are untyped)
"""An adapter with its gradient, its optimiser and its dropout: what a local session's requests do, one at a time.

All randomness is one generator of its own, so an adapter gives the same numbers alone, beside others, and after `load`.
Nothing here knows of queues, futures or events.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from crucible.backends.adapter import attach_adapter, merged_model
from crucible.backends.adapter_state import restore_adapter, write_adapter
from crucible.backends.batch_checks import check_batch, check_trained
from crucible.backends.data_scoring import DataScoring, every_position, weighted_positions
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_sampler import LocalSampler
from crucible.backends.losses import CustomLoss, Loss, evaluate, gradient_of, requirements, resolve
from crucible.backends.losses.rows import Positions, row_counts, row_inputs
from crucible.backends.records import ForwardBackwardOutput
from crucible.backends.weights import FlatWeights
from crucible.ir import LoraConfig
from crucible.text import Datum

__all__ = ["LocalAdapter"]


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
        self._scoring = DataScoring(base, self.model.model, mixed_precision=config.mixed_precision)

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
        output = self._score(data, weighted_positions(data), compute, backward=True)
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
            return self._score(data, every_position(data), compute, backward=False)

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
        asked = every_position(data)
        with self._scoring.threads(data):
            groups = self._scoring.groups(data)
            states: list[torch.Tensor] = []
            flats: list[torch.Tensor] = []
            for group in groups:
                states.append(self._generator.get_state())
                with torch.set_grad_enabled(len(groups) == 1):
                    flats.append(self._logprobs(data, group, asked))  # (M,)
            logprobs = _by_datum(data, groups, flats)
            loss, gradients, metrics = gradient_of(fn, data, logprobs)
            if len(groups) == 1:
                flats[0].backward(torch.cat([gradients[i].flatten() for i in groups[0]]))
            else:
                after = self._generator.get_state()
                for group, state in zip(groups, states, strict=True):
                    self._generator.set_state(state)
                    slopes = torch.cat([gradients[i].flatten() for i in group])
                    self._logprobs(data, group, asked).backward(slopes)
                self._generator.set_state(after)
        self.weights.has_gradient = True
        return _answer(data, asked, logprobs, loss, metrics)

    def save(self, path: Path) -> Path:
        """Write the adapter in the PEFT layout, the optimiser's and the generator's state to the folder `path`.

        Raises:
            StoreError: The disk is full or read-only.
        """
        layout = self.model.config_json()
        return write_adapter(path, self.weights, self._generator, layout=layout, config=self._config)

    def load(self, path: Path) -> Path:
        """Go on from the checkpoint at `path`: the next steps are those that would have been taken after it.

        Raises:
            CheckpointError: A file is missing, damaged, or of another model, rank or kind of device.
        """
        return restore_adapter(path, self.weights, self._generator)

    def dropout_state(self) -> bytes:
        """Return what the masks of the next passes depend on."""
        return self._generator.get_state().numpy().tobytes()

    def restore_dropout(self, state: bytes) -> None:
        """Let the masks of the next passes be those that followed `dropout_state`."""
        self._generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))

    def seed_dropout(self, seed: int) -> None:
        """Let the masks of the next passes depend on the seed alone."""
        self._generator.manual_seed(seed)

    def merged(self) -> Any:
        """Return a plain transformers model with the present weights folded in; it keeps them whatever comes."""
        return merged_model(self.model)

    def sampler(self, model: str) -> LocalSampler:
        """Return a sampler of the present weights, which it keeps.

        Args:
            model: Its name, for events and reports.
        """
        return LocalSampler(self._base, model=model, weights=self.merged())

    def _check(self, data: Sequence[Datum]) -> None:
        check_batch(data, window=self._base.window, vocabulary=self._base.embedded_tokens)

    def _score(
        self, data: Sequence[Datum], asked: Positions, compute: Loss, *, backward: bool
    ) -> ForwardBackwardOutput:
        total = 0.0
        parts: dict[str, float] = {}
        found: dict[int, torch.Tensor] = {}
        with_entropy = "entropy" in requirements(compute)
        with self._scoring.threads(data):
            for group in self._scoring.groups(data):
                own, places = [data[i] for i in group], [asked[i] for i in group]
                flat, computed = self._scoring.logprobs(own, places, with_entropy=with_entropy)  # (M,)
                inputs = {**row_inputs(own, places, device=self._base.device), **computed}
                loss, components = evaluate(compute, flat, inputs)
                if backward:
                    loss.backward()
                total += float(loss.detach())
                for name, value in components.items():
                    parts[name] = parts.get(name, 0.0) + float(value.detach())
                found.update(zip(group, flat.detach().split(row_counts(own, places)), strict=True))
        metrics = {f"loss/{name}:sum": value for name, value in parts.items()}
        return _answer(data, asked, [found[i] for i in range(len(data))], total, metrics)

    def _logprobs(self, data: Sequence[Datum], group: Sequence[int], asked: Positions) -> torch.Tensor:
        """Return the log-probabilities (M,) of the targets that are asked for in the data of a group."""
        return self._scoring.logprobs([data[i] for i in group], [asked[i] for i in group])[0]


def _by_datum(
    data: Sequence[Datum], groups: Sequence[Sequence[int]], flats: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """Return the log-probabilities of each datum, (T_i,) or (T_i, K_i), in the order of the data, without a graph."""
    found: dict[int, torch.Tensor] = {}
    for group, flat in zip(groups, flats, strict=True):
        own = [data[i] for i in group]
        parts = flat.detach().split(row_counts(own, every_position(own)))
        found.update(zip(group, map(_shaped, own, parts), strict=True))
    return [found[i] for i in range(len(data))]


def _shaped(datum: Datum, values: torch.Tensor) -> torch.Tensor:
    return values if datum.soft_targets is None else values.view(len(datum), datum.soft_targets.candidates)


def _answer(
    data: Sequence[Datum],
    asked: Positions,
    found: Sequence[torch.Tensor],
    loss: float,
    metrics: Mapping[str, float],
) -> ForwardBackwardOutput:
    """Return the answer to a pass, given the log-probabilities of each datum's rows."""
    logprobs: list[list[float | None]] = [[None] * len(datum) for datum in data]
    soft: list[list[list[float]]] = []
    if any(datum.soft_targets is not None for datum in data):
        soft = [[] if datum.soft_targets is None else [[] for _ in range(len(datum))] for datum in data]
    for i, (datum, places, values) in enumerate(zip(data, asked, found, strict=True)):
        into: list[Any] = logprobs[i] if datum.soft_targets is None else soft[i]
        for place, value in zip(places, _shaped_rows(datum, values), strict=True):
            into[place] = value
    counts = {
        "loss:sum": loss,
        "input_tokens:sum": float(sum(map(len, data))),
        "weighted_tokens:sum": float(sum(sum(weight != 0 for weight in datum.weights) for datum in data)),
    }
    return ForwardBackwardOutput(loss=loss, logprobs=logprobs, metrics={**metrics, **counts}, soft_logprobs=soft)


def _shaped_rows(datum: Datum, values: torch.Tensor) -> list[Any]:
    """Return one value a position, or a list of its candidates' values."""
    return values.tolist() if datum.soft_targets is None else values.view(-1, datum.soft_targets.candidates).tolist()
