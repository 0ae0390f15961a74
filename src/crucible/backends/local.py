"""The backend that trains and samples on this machine with PyTorch, transformers and PEFT.

Making one imports none of the three; the first session or sampler does. Sessions and samplers of one base model share
its frozen weights in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crucible.backends.base_models import Progress, resolve_base_model
from crucible.backends.device import check_device, own_device
from crucible.backends.distributed import current_team, require_spread
from crucible.errors import require
from crucible.ir import LoraConfig

if TYPE_CHECKING:
    from crucible.backends.local_sampler import LocalSampler
    from crucible.backends.local_session import LocalSession

__all__ = ["LocalBackend"]


class LocalBackend:
    """LoRA training and sampling in this process.

    Args:
        device: `cpu`, `cuda` or `mps`; wins over what sessions and samplers are asked for. None takes that, else `cpu`.
        progress: Told about the building of a built-in base model.

    Raises:
        BackendError: This machine has no such device.
        MissingExtra: The `train` extra is not installed.
    """

    name = "local"

    def __init__(self, device: str | None = None, *, progress: Progress | None = None) -> None:
        self._device = None if device is None else check_device(device)
        self._progress = progress

    def start_session(self, config: LoraConfig) -> LocalSession:
        """Open a session on `config.base_model` with a fresh adapter whose weights depend on `config.seed` alone.

        Raises:
            BackendError: The base model cannot be found or loaded, the device is absent, or a target module is not
                in the model.
        """
        device = self._placed(config.device, "opening a training session")
        _require_train()
        from crucible.backends.local_base import load_base
        from crucible.backends.local_session import LocalSession

        base = load_base(resolve_base_model(config.base_model, progress=self._progress), device)
        return LocalSession(config, base)

    def create_sampler(
        self, base_model: str, *, device: str | None = None, adapter: Path | None = None
    ) -> LocalSampler:
        """Return a sampler of the base model, or of the base model with a saved adapter.

        Args:
            base_model: Built-in name, folder or Hub id.
            device: `cpu`, `cuda` or `mps`, None: `cpu`; the backend's own wins. It decides the number type of the
                weights as it does for a session.
            adapter: A folder in the PEFT layout, such as a checkpoint; its hashes are checked if it has a manifest.

        Raises:
            BackendError: The base model cannot be found or loaded, or the device is absent.
            CheckpointError: The adapter is damaged or not in the PEFT layout.
        """
        device = self._placed(device or "cpu", "loading a model")
        _require_train()
        from crucible.backends.distributed.opening import open_sampler
        from crucible.backends.local_base import load_base

        base = load_base(resolve_base_model(base_model, progress=self._progress), device)
        return open_sampler(base, base_model, adapter)

    def _placed(self, asked: str, what: str) -> str:
        """Return the device to compute on, this process's own of those that share the work."""
        require_spread(what)
        team = current_team()
        return self._device or check_device(asked) if team is None else own_device(self._device or asked, team.place)


def _require_train() -> None:
    for package in ("torch", "transformers", "peft", "safetensors"):
        require(package, extra="train", feature="the local backend")
