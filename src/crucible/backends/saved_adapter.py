"""What a saved adapter asks for, and whether that is carried out to the number: refused by field or tensor where not.

An adapter that a stranger trained may use any part of PEFT. Opened and merged are LoRA matrices with their ranks,
scales and places; whatever else changes what the model computes is refused, fields that only a newer PEFT has included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import torch

from crucible.errors import CheckpointError

__all__ = ["SUPPORTED", "misfit", "settings_of"]

SUPPORTED: Final = (
    "r",
    "lora_alpha",
    "use_rslora",
    "rank_pattern",
    "alpha_pattern",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "fan_in_fan_out",
)
"""Fields that say what an adapter is, all of which are carried out."""

_PASSED: Final = frozenset((*SUPPORTED, "lora_dropout", "task_type", "base_model_name_or_path"))
_OF_ITS_MAKING: Final = frozenset(
    {
        "auto_mapping",
        "corda_config",
        "eva_config",
        "inference_mode",
        "loftq_config",
        "lora_ga_config",
        "megatron_core",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "revision",
        "runtime_config",
    }
)
"""Fields that say how an adapter was made, or how PEFT runs it: they change nothing about what it computes."""

_FIRST_WEIGHTS: Final = (None, True, False, "gaussian", "orthogonal", "eva")
"""Ways to draw the first weights that leave the base as it is."""

_WHY: Final = {
    "bias": "biases were trained beside the LoRA matrices",
    "lora_bias": "the LoRA matrices have biases",
    "use_dora": "DoRA has a magnitude beside each LoRA matrix",
    "modules_to_save": "whole modules were trained beside the LoRA matrices",
    "trainable_token_indices": "rows of the embedding were trained beside the LoRA matrices",
    "target_parameters": "bare parameters are adapted, not layers",
    "layer_replication": "the base's layers are repeated",
    "alora_invocation_tokens": "it is switched on by tokens of the prompt, so that no weights say the same",
}


def settings_of(folder: Path, content: bytes) -> dict[str, Any]:
    """Return the fields of a LoRA adapter's configuration for `peft.LoraConfig`.

    Args:
        folder: Where it lies, for messages.
        content: Of `adapter_config.json`.

    Raises:
        CheckpointError: It is no JSON map, not of LoRA, or has a field that is not carried out; the field is named.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder} holds no LoRA adapter that can be read: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{folder} holds no LoRA adapter that can be read: its configuration is no map")
    given = cast("dict[str, Any]", found)
    if given.get("peft_type") != "LORA":
        raise CheckpointError(
            f"{folder} holds no LoRA adapter: its peft_type is {_shown(given.get('peft_type'))}; train one with LoRA"
        )
    refused = [text for name, value in given.items() if (text := _refusal(name, value))]
    if refused:
        raise CheckpointError(
            f"the adapter in {folder} cannot be opened exactly: {'; '.join(refused)}. Supported are {_named()}; merge "
            "it with PEFT (merge_and_unload), and take the merged folder as the base model"
        )
    return _passed(given)


def misfit(
    own: Mapping[str, torch.Tensor], saved: Mapping[str, torch.Tensor], base: Mapping[str, torch.Tensor]
) -> str | None:
    """Return in which tensor an adapter's file and its configuration on this base differ, None if in none.

    PEFT writes the base's embeddings into an adapter's file where the adapter has layers on them; they may be there if
    they are the base's.

    Args:
        own: The adapter's tensors on this base, by the names of PEFT's files.
        saved: Those of the file.
        base: The base's weights, by transformers' names.
    """
    for name, tensor in own.items():
        if name not in saved:
            return f"it has no {name}"
        if saved[name].shape != tensor.shape:
            return f"{name} has the shape {tuple(saved[name].shape)}, and the base asks for {tuple(tensor.shape)}"
    for name in saved.keys() - own.keys():
        weight = base.get(name.removeprefix("base_model.model.").replace(".base_layer.", "."))
        if weight is None:
            return f"it has {name}, for which there is no place"
        same = weight.shape == saved[name].shape and torch.equal(saved[name].to(weight.device, weight.dtype), weight)
        if not same:
            return f"{name} is not the base's: an embedding that was resized or trained is not supported"
    return None


def _passed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what PEFT is told; the first weights need not be drawn, for the saved ones take their place."""
    return {
        **{name: value for name, value in given.items() if name in _PASSED},
        "init_lora_weights": False,
        "inference_mode": True,
    }


def _refusal(name: str, value: Any) -> str | None:
    """Return why a field is refused, None if it is not."""
    if name in _PASSED or name in _OF_ITS_MAKING:
        return None
    if name == "init_lora_weights":
        if value in _FIRST_WEIGHTS:
            return None
        return f"init_lora_weights is {_shown(value)}, which changed the base's weights as well"
    if value is None or value is False or value in ("none", "", [], {}):
        return None
    return f"{name[:60]} is {_shown(value)}" + (f" ({_WHY[name]})" if name in _WHY else "")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _named() -> str:
    return f"{', '.join(SUPPORTED[:-1])} and {SUPPORTED[-1]}"
