"""Adapters and samplers of the local backend: this process's own, or shared with the processes that it leads."""

from __future__ import annotations

from pathlib import Path

import torch

from crucible.backends.adapter import merged_model
from crucible.backends.adapter import open_adapter as open_saved
from crucible.backends.checkpoint import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from crucible.backends.distributed.shared_adapter import SharedAdapter, check_same_base
from crucible.backends.distributed.shared_sampler import SharedSampler
from crucible.backends.distributed.shares import attempt
from crucible.backends.distributed.spreading import current_team
from crucible.backends.local_adapter import LocalAdapter
from crucible.backends.local_base import LoadedBase
from crucible.backends.local_sampler import LocalSampler
from crucible.ir import LoraConfig

__all__ = ["open_adapter", "open_sampler"]


def open_adapter(config: LoraConfig, base: LoadedBase) -> LocalAdapter:
    """Return a fresh adapter on a base.

    Args:
        config: The adapter's configuration.
        base: The frozen base model.

    Raises:
        BackendError: A target module is not in the model; or another process cannot load the base, or has other files.
    """
    team = current_team()
    return LocalAdapter(config, base) if team is None or team.is_speaking else SharedAdapter(config, base, team)


def open_sampler(base: LoadedBase, base_model: str, adapter: Path | None = None) -> LocalSampler:
    """Return a sampler of a base, or of a base with a saved adapter.

    Args:
        base: The frozen base model.
        base_model: Its name, as other processes find it.
        adapter: A folder in the PEFT layout.

    Raises:
        BackendError: Another process cannot load the base, or has other files.
        CheckpointError: The adapter is damaged or not in the PEFT layout.
    """
    weights = None if adapter is None else merged_model(open_saved(base, adapter))
    name = base_model if adapter is None else f"{base_model}+{adapter.name}"
    team = current_team()
    if team is None or team.is_speaking:
        return LocalSampler(base, model=name, weights=weights)
    files = {} if adapter is None else {file: (adapter / file).read_bytes() for file in _FILES}
    number = team.new_id()
    with team.asking("open_base_sampler", (number, base_model, torch.device(base.device).type, files)):
        outcomes = team.outcomes(attempt(lambda: base.digest))
    try:
        check_same_base(base_model, outcomes)
    except Exception:
        team.forget(number)
        raise
    return SharedSampler(base, model=name, weights=weights, team=team, number=number)


_FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)
