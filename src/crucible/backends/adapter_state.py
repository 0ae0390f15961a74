# pyright: reportUnknownMemberType=false
# (safetensors is partly untyped)
"""All that an adapter's next steps depend on, as files of a checkpoint and back: to go on exactly where it stopped."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

from crucible.backends.checkpoint import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    OPTIMIZER,
    STATE,
    read_checkpoint,
    write_checkpoint,
)
from crucible.backends.weights import FlatWeights
from crucible.errors import CheckpointError
from crucible.ir import LoraConfig

__all__ = ["restore_adapter", "write_adapter"]


def write_adapter(
    path: Path, weights: FlatWeights, generator: torch.Generator, *, layout: bytes, config: LoraConfig
) -> Path:
    """Write weights, optimiser state and generator state to the folder `path`, whole or not at all.

    Args:
        path: Of the folder.
        weights: The adapter's weights and optimiser.
        generator: Of dropout.
        layout: The content of PEFT's `adapter_config.json`.
        config: The session's configuration.

    Raises:
        StoreError: The disk is full or read-only.
    """
    state = {
        "step": weights.step_count,
        "device_type": generator.device.type,
        "generator": base64.b64encode(generator.get_state().numpy().tobytes()).decode(),
        "config": config.model_dump(mode="json"),
    }
    files = {
        ADAPTER_CONFIG: layout,
        ADAPTER_WEIGHTS: safetensors.torch.save(weights.weights(), metadata={"format": "pt"}),
        OPTIMIZER: safetensors.torch.save(weights.optimizer_state(), metadata={"format": "pt"}),
        STATE: json.dumps(state, indent=2, sort_keys=True).encode(),
    }
    return write_checkpoint(path, files)


def restore_adapter(path: Path, weights: FlatWeights, generator: torch.Generator) -> Path:
    """Take back what `write_adapter` wrote.

    Raises:
        CheckpointError: A file is missing, damaged, or of another model, rank or kind of device.
    """
    files = read_checkpoint(path)
    try:
        state = json.loads(files[STATE])
        adapter = safetensors.torch.load(files[ADAPTER_WEIGHTS])
        optimizer = safetensors.torch.load(files[OPTIMIZER])
        kept = torch.frombuffer(bytearray(base64.b64decode(state["generator"])), dtype=torch.uint8)
        written_on = state["device_type"]
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    if written_on != generator.device.type:
        raise CheckpointError(
            f"{path} was written on {written_on} and this session is on {generator.device}: "
            "dropout could not go on exactly"
        )
    weights.restore(adapter, optimizer)
    generator.set_state(kept)
    return path
