"""A sampler of a registered version: its adapter on the base model that it was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from crucible.backends import Backend, LocalBackend, Sampler
from crucible.backends.checkpoint import ADAPTER_CONFIG, is_checkpoint
from crucible.errors import CheckpointError
from crucible.ir import LoraConfig
from crucible.store.models import StoredModelVersion

__all__ = ["open_sampler"]


def open_sampler(version: StoredModelVersion, folder: Path, backend: Backend | None = None) -> Sampler:
    """Return a sampler of a version's weights, which goes on answering when the folder is gone.

    Args:
        version: With the facts of its training.
        folder: Its verified files.
        backend: Where the model lives; None: this machine.

    Raises:
        CheckpointError: The files are no checkpoint, nothing says which base model it is of, or that is another now.
        BackendError: The base model cannot be loaded.
    """
    if not is_checkpoint(folder):
        raise CheckpointError(f"the files of {version.reference} are no checkpoint, so it cannot be asked")
    session = (backend or LocalBackend()).start_session(_config(version, folder))
    try:
        then, now = version.origin.get("base_digest"), session.base_digest
        if then and now and then != now:
            raise CheckpointError(
                f"{version.reference} was trained on another base model than {version.origin.get('base_model')} is "
                f"now: base_digest was {then} and is {now}; restore the files of the base model"
            )
        session.load_checkpoint(folder).result()
        return session.create_sampler()
    finally:
        session.close()


def _config(version: StoredModelVersion, folder: Path) -> LoraConfig:
    """Return the configuration that it was trained with; from the adapter's own file where none was kept."""
    kept = version.origin.get("config")
    if isinstance(kept, dict):
        return LoraConfig.read(cast("dict[str, Any]", kept), source=version.reference)
    base = version.origin.get("base_model")
    if not isinstance(base, str):
        raise CheckpointError(f"nothing says which base model {version.reference} is of, so it cannot be asked")
    found: Any = json.loads((folder / ADAPTER_CONFIG).read_bytes())
    values = {"base_model": base, "rank": found.get("r", 16), "alpha": float(found.get("lora_alpha", 32))}
    return LoraConfig.read(values, source=version.reference)
