"""What of a document several processes cannot share, by name; nothing where this process is alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crucible.backends.device import shared_device_problem
from crucible.backends.distributed import place
from crucible.errors import SpecError
from crucible.ir import Experiment

__all__ = ["process_problems"]


def process_problems(experiment: Experiment) -> Iterator[SpecError]:
    """Yield what keeps the processes of this launch from sharing the work of an experiment.

    Args:
        experiment: The document.

    Raises:
        BackendError: The environment of torchrun is not complete.
    """
    own = place()
    if own.is_alone:
        return
    backend = experiment.backend
    if backend.id != "local":
        message = (
            f"{backend.id} computes elsewhere, so {own.count} processes here have nothing to share; start one process "
            "without torchrun, or use the local backend"
        )
        yield SpecError(message, path="backend.id", code="processes")
    for path, device in _devices(experiment):
        problem = shared_device_problem(device) if isinstance(device, str) else None
        if problem is not None:
            yield SpecError(problem, path=path, code="processes")


def _devices(experiment: Experiment) -> Iterator[tuple[str, Any]]:
    """Yield every device that the document names, with its path."""
    if experiment.backend.options and "device" in experiment.backend.options:
        yield "backend.options.device", experiment.backend.options["device"]
    if experiment.training_config is not None:
        yield "training_config.device", experiment.training_config.device
    for number, stage in enumerate(experiment.pipeline):
        if stage.enabled and stage.options and "device" in stage.options:
            yield f"pipeline[{number}].options.device", stage.options["device"]
