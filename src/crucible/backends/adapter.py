# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateImportUsage=false
# (PEFT is untyped)
"""LoRA adapters on a shared frozen base: attaching, naming, opening and merging them, in PEFT's own modules.

The adapter's first weights and its dropout come from generators of their own, never from PyTorch's global one, so
sessions that run side by side get the numbers that each would get alone.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import peft
import safetensors.torch
import torch
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from torch import nn

from crucible.backends.checkpoint import ADAPTER_CONFIG, ADAPTER_WEIGHTS, MANIFEST, verify_checkpoint
from crucible.backends.local_base import LoadedBase, share
from crucible.backends.saved_adapter import misfit, settings_of
from crucible.errors import BackendError, CheckpointError
from crucible.ir import LoraConfig

__all__ = ["AdaptedModel", "PartOfMask", "SeededDropout", "attach_adapter", "merged_model", "open_adapter"]

ADAPTER = "default"
_global_generator = threading.Lock()


class AdaptedModel:
    """A causal language model with PEFT's LoRA layers in it.

    Args:
        model: The transformers model that holds the layers, base in evaluation mode.
        config: PEFT's configuration, target modules resolved.
    """

    def __init__(self, model: Any, config: peft.PeftConfig) -> None:
        self.model = model
        self._config = config

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the adapter's parameters by the names that PEFT's files give them."""
        return {
            f"base_model.model.{name.replace(f'.{ADAPTER}.', '.').removesuffix(f'.{ADAPTER}')}": parameter
            for name, parameter in self.model.named_parameters()
            if ".lora_" in name
        }

    def config_json(self) -> bytes:
        """Return the contents of `adapter_config.json`, in a stable order."""
        values = {**self._config.to_dict(), "inference_mode": True}
        plain = {name: sorted(value) if isinstance(value, set) else value for name, value in values.items()}
        return json.dumps(plain, indent=2, sort_keys=True).encode()

    @contextlib.contextmanager
    def without_dropout(self) -> Generator[None]:
        """Switch the adapter's dropout off for a block."""
        active = [module for module in self.model.modules() if isinstance(module, SeededDropout)]
        try:
            for module in active:
                module.eval()
            yield
        finally:
            for module in active:
                module.train()


class PartOfMask(Protocol):
    """Says which part of a larger mask belongs to inputs of a shape."""

    def whole(self, shape: Sequence[int], *, is_narrow: bool) -> tuple[int, ...]:
        """Return the shape of the larger mask."""
        ...

    def of(self, mask: torch.Tensor, shape: Sequence[int], *, is_narrow: bool) -> torch.Tensor:
        """Return the inputs' part of it."""
        ...


class SeededDropout(nn.Module):
    """Dropout whose mask comes from a given generator.

    On the CPU one draw of 64 bits decides four elements, which makes a tiny model's step a fifth shorter than
    `bernoulli_` does; `p` is rounded down to a multiple of 1/65536 there, and the scale follows the rounded value.

    Args:
        p: Share of elements set to zero, in [0, 1); the others are scaled by 1 / (1 - p).
        generator: Where the randomness comes from, on the device of the inputs.

    Attributes:
        rows: Which part of a larger mask to draw and use, where the inputs are a part of what is computed; None: all.
        is_narrow: Passed to `rows`.
    """

    def __init__(self, p: float, generator: torch.Generator) -> None:
        super().__init__()
        self.p = p
        self._generator = generator
        self.rows: PartOfMask | None = None
        self.is_narrow = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x`, in training with elements dropped."""
        if not self.training:
            return x
        if x.device.type != "cpu":
            drawn = x.new_empty(self._shape(x)).bernoulli_(1 - self.p, generator=self._generator)
            return x * self._own(drawn, x).div(1 - self.p)
        kept, factor = self.keep(x)
        return torch.where(kept, x, 0.0) * factor

    def keep(self, x: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Return the next mask in the shape of `x`, False where elements are dropped, and what scales the others."""
        shape = self._shape(x)
        if x.device.type != "cpu":
            kept = x.new_empty(shape, dtype=torch.bool).bernoulli_(1 - self.p, generator=self._generator)
            return self._own(kept, x), 1 / (1 - self.p)
        dropped, count = int(self.p * 65536), math.prod(shape)
        words = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None, generator=self._generator)
        draws = words.view(torch.int16)[:count].view(shape)  # uniform over the 65536 values of an int16
        return self._own(draws, x) >= dropped - 32768, 65536 / (65536 - dropped)

    def _shape(self, x: torch.Tensor) -> tuple[int, ...]:
        """Return the shape of the mask to draw."""
        return tuple(x.shape) if self.rows is None else self.rows.whole(x.shape, is_narrow=self.is_narrow)

    def _own(self, drawn: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the part of what was drawn that belongs to the inputs."""
        return drawn if self.rows is None else self.rows.of(drawn, x.shape, is_narrow=self.is_narrow)

    def __deepcopy__(self, memo: dict[int, Any]) -> SeededDropout:
        return SeededDropout(self.p, self._generator)  # a generator cannot be copied, and a merged copy never draws


def attach_adapter(base: LoadedBase, config: LoraConfig, dropout: torch.Generator) -> AdaptedModel:
    """Return the base with a fresh adapter in it.

    The base stays in evaluation mode (its own dropout is off); only the adapter's dropout is active.

    Args:
        base: The frozen model; its modules are copied, its weights shared.
        config: Rank, scale, dropout, target modules and the seed of the first weights.
        dropout: Generator for the adapter's dropout, on the base's device.

    Raises:
        BackendError: A target module is not in the model.
    """
    missing = [name for name in config.target_modules or () if not _has_module(base.model, name)]
    if missing:
        linear = (name for name, module in base.model.named_modules() if isinstance(module, nn.Linear))
        leaves = sorted({name.rpartition(".")[2] for name in linear})
        raise BackendError(
            f"target_modules: {base.folder.name} has no module named {', '.join(missing)}; "
            f"its linear layers are {', '.join(leaves)}",
            backend="local",
        )
    peft_config = peft.LoraConfig(
        r=config.rank,
        lora_alpha=cast("int", config.alpha),
        lora_dropout=config.dropout,
        target_modules="all-linear" if config.target_modules is None else list(config.target_modules),
        bias="none",
        task_type="CAUSAL_LM",
        base_model_name_or_path=str(base.folder),
    )
    adapted = _inject(base, peft_config)
    first = torch.Generator().manual_seed(config.seed)
    for layer in _lora_layers(adapted.model).values():
        _draw_first_weights(layer, first)
        if config.dropout > 0:
            layer.lora_dropout[ADAPTER] = SeededDropout(config.dropout, dropout).train()
    return adapted


def _inject(base: LoadedBase, config: peft.PeftConfig) -> AdaptedModel:
    """Put PEFT's layers into a copy of the base's modules; they are the only weights that may change."""
    model = base.sharing_copy()
    with _global_generator:  # PEFT draws first weights of its own, which the caller replaces
        state = torch.get_rng_state()
        try:
            peft.inject_adapter_in_model(config, model, ADAPTER)
        except ValueError as error:
            raise BackendError(f"no adapter can be put on {base.folder.name}: {error}", backend="local") from error
        finally:
            torch.set_rng_state(state)
    return AdaptedModel(model.eval(), config)


def _has_module(model: Any, name: str) -> bool:
    return any(module == name or module.endswith(f".{name}") for module, _ in model.named_modules())


def _lora_layers(model: Any) -> dict[str, Any]:
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}


@torch.no_grad()
def _draw_first_weights(layer: Any, generator: torch.Generator) -> None:
    """Give one layer PEFT's first weights: A uniform, B zero (of an embedding: A zero, B normal).

    Drawn on the CPU, so that every device starts from the same numbers.
    """
    if ADAPTER in layer.lora_A:
        weight = layer.lora_A[ADAPTER].weight  # (rank, in)
        first = torch.empty(weight.shape)
        nn.init.kaiming_uniform_(first, a=math.sqrt(5), generator=generator)
        weight.copy_(first)
        layer.lora_B[ADAPTER].weight.zero_()
    if ADAPTER in layer.lora_embedding_A:
        weight = layer.lora_embedding_B[ADAPTER]
        weight.copy_(torch.empty(weight.shape).normal_(generator=generator))
        layer.lora_embedding_A[ADAPTER].zero_()


def open_adapter(base: LoadedBase, folder: Path) -> AdaptedModel:
    """Return the base with the adapter saved in `folder`, by Crucible or by PEFT alone.

    Raises:
        CheckpointError: Files are missing or damaged, the adapter does not fit the base, or is of a kind that is not
            carried out exactly (`saved_adapter`); the field or the tensor is named.
    """
    if (folder / MANIFEST).is_file():
        verify_checkpoint(folder)
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name} is missing, so there is no adapter in the PEFT layout to open")
    try:
        config = peft.LoraConfig(**settings_of(folder, (folder / ADAPTER_CONFIG).read_bytes()))
        saved = safetensors.torch.load_file(folder / ADAPTER_WEIGHTS)
    except (ValueError, TypeError, OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder} holds no LoRA adapter that can be read: {error}") from error
    try:
        adapted = _inject(base, config)
    except BackendError as error:
        raise CheckpointError(f"the adapter in {folder} does not fit the base model: {error}") from error
    own = adapted.trained()
    odd = misfit(own, saved, dict(base.model.named_parameters(remove_duplicate=False)))
    if odd is not None:
        raise CheckpointError(f"the adapter in {folder} does not fit the base model {base.folder.name}: {odd}")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(saved[name])
    return adapted


@torch.no_grad()
def merged_model(adapted: AdaptedModel) -> Any:
    """Return a plain transformers model with the adapter's present weights folded in; the original is untouched.

    Layers that the adapter leaves alone share their weights with the base; the others get tensors of their own.
    """
    model = share(adapted.model)
    for name, layer in _lora_layers(model).items():
        plain = layer.get_base_layer()
        plain.weight = nn.Parameter(plain.weight.detach().clone(), requires_grad=False)
        layer.merge()
        model.set_submodule(name, plain)
    return model.eval().requires_grad_(requires_grad=False)
