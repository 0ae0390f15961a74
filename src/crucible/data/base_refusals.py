"""What a document says of a base model and nothing here acts on, each by its path; no file and no network is touched.

A base model is what `backends` resolves: a folder, a built-in model, or a repository of the Hugging Face Hub.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from crucible.backends.device import DEVICES, check_device
from crucible.errors import BackendError, MissingExtra
from crucible.ir import BackendRef, Experiment, ModelRef
from crucible.ir.wording_text import show

__all__ = ["base_problems", "device_problems", "model_problems", "unsupported_device"]

Problem = tuple[str, str]

_PROVIDERS: Final = ("local", "huggingface")
_FRAMEWORKS: Final = ("nx", "torch", "pytorch", "transformers", "safetensors")


def base_problems(experiment: Experiment, stage: str) -> list[Problem]:
    """Return why the base model that the document names cannot be loaded as it says, as (path, what to do).

    What an earlier stage was told instead, such as its own `base_model` or `device`, makes up for the document.

    Args:
        experiment: The document.
        stage: Name of the stages that would load it; what those were told does not count.
    """
    others = [entry.options or {} for entry in experiment.pipeline if entry.enabled and entry.name != stage]
    training, found = experiment.training_config, list[Problem]()
    if not any("base_model" in options for options in others):
        if training is not None:
            found += model_problems(training.model_ref, "training_config.model_ref")
        elif experiment.baseline is not None:
            found += model_problems(experiment.baseline, "baseline")
    if training is not None and not any("device" in options for options in others):
        found += device_problems(training.device, experiment.backend, "training_config.device")
    return found


def model_problems(model: ModelRef, path: str) -> list[Problem]:
    """Return what a reference to a base model says and is not carried out, as (path, what to do).

    Args:
        model: The reference.
        path: Where it stands in the document, such as `baseline`.
    """
    found: list[Problem] = []
    if model.version is not None:
        found.append(
            (f"{path}.version", "revisions are not supported; download it and give its folder as artifact_uri")
        )
    if model.provider not in _PROVIDERS:
        found.append((f"{path}.provider", f"{model.provider} is not supported; use {' or '.join(_PROVIDERS)}"))
    elif model.provider == "huggingface" and (problem := _not_of_the_hub(model)):
        found.append((f"{path}.provider", problem))
    if model.framework not in _FRAMEWORKS:
        message = f"{model.framework} is not supported; base models are PyTorch models in the layout of transformers"
        found.append((f"{path}.framework", message))
    if model.artifact_uri is not None and "://" in model.artifact_uri:
        found.append((f"{path}.artifact_uri", "is fetched from nowhere; download it and give its folder"))
    if model.options:
        found.append((f"{path}.options", f"unknown: {', '.join(model.options)}; a base model takes no options"))
    return found


def device_problems(device: str, backend: BackendRef, path: str) -> list[Problem]:
    """Return why this machine cannot use a device, as (path, what to do); what another backend has is its own affair.

    Args:
        device: Such as `cuda`.
        backend: Where models live.
        path: Where the device is named in the document.
    """
    if device.partition(":")[0] not in DEVICES:
        return [(path, unsupported_device(device))]
    if backend.id != "local" or device == "cpu":
        return []
    try:
        check_device(device)
    except BackendError as error:
        return [(path, str(error))]
    except MissingExtra:
        return []  # the run says what to install
    return []


def unsupported_device(device: str) -> str:
    """Return the refusal of a word that is no device here."""
    return f"{device} is not supported; use {', '.join(DEVICES)}"


def _not_of_the_hub(model: ModelRef) -> str:
    """Return why a base model cannot be of the Hugging Face Hub; empty if it can."""
    if model.artifact_uri is not None:
        return "huggingface is not asked for a folder (artifact_uri); use local, or leave one of them out"
    if model.id.startswith(("/", ".", "~")) or model.id.count("/") > 1:
        return f"huggingface has no {show(model.id)}, which is a folder; use local"
    if model.id in {point.name for point in entry_points(group="crucible.base_models")}:
        return f'huggingface has no "{model.id}", which is a built-in model; use local'
    return ""
