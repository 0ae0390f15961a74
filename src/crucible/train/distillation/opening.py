"""From a name to a teacher: a base model, an adapter in a folder, or what an earlier stage of the run trained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final, cast

from crucible.backends import Backend, LocalBackend, resolve_base_model
from crucible.backends.base_files import base_digest
from crucible.backends.manifest import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from crucible.errors import CheckpointError, ContractError, TrainError
from crucible.ir import file_sha256
from crucible.pipeline import Context
from crucible.train.distillation.teacher import Teacher
from crucible.train.keeping.stored import TRAINING

__all__ = ["OF_THE_RUN", "open_teacher", "teacher_of_run"]

OF_THE_RUN: Final = "sampler."
"""How a name begins that means a model of the run: `sampler.tuned`."""


def open_teacher(
    name: str, backend: Backend | None = None, *, device: str | None = None, weight: float = 1.0
) -> Teacher:
    """Return a teacher by its name.

    Args:
        name: A base model (built-in name, folder or hub id), or a folder with a saved adapter.
        backend: Where it lives; None: this machine. Adapters are for this machine.
        device: Where its weights go; None: where the backend likes.
        weight: Its share beside other teachers'.

    Raises:
        BackendError: The base model cannot be found or loaded.
        CheckpointError: The adapter is damaged, or its base is not the one that it was trained on.
        TrainError: The adapter does not say its base, or the backend cannot open one.
    """
    backend = backend or LocalBackend()
    if not (Path(name).expanduser() / ADAPTER_CONFIG).is_file():
        sampler = backend.create_sampler(name, device=device)
        digest = base_digest(resolve_base_model(name)) if isinstance(backend, LocalBackend) else None
        return Teacher(name, sampler, weight, digest)
    if not isinstance(backend, LocalBackend):
        raise TrainError(f"the teacher {name} is an adapter in a folder, which only the local backend can open")
    return _of_adapter(name, Path(name).expanduser(), backend, device, weight)


def teacher_of_run(context: Context, model: str, *, weight: float = 1.0) -> Teacher:
    """Return the model that an earlier stage of the run trained as a teacher.

    Args:
        context: The run so far.
        model: Its name in the run.
        weight: Its share beside other teachers'.

    Raises:
        ContractError: No stage of the run trained it.
    """
    facts: dict[str, Any] | None = context.get_metric(f"train.{model}")
    adapter = context.get_artifact(f"adapter.{model}")
    if facts is None or not context.has_resource(f"{OF_THE_RUN}{model}"):
        raise ContractError(
            f'no stage before this one trained the teacher "{model}"; let one of that model name stand before it'
        )
    base = facts.get("base_digest")
    digest = None
    if adapter is not None and base is not None:
        layout = context.artifact_path(f"adapter.{model}").with_name(ADAPTER_CONFIG)  # its rank and scale
        digest = _digest(base, file_sha256(layout), adapter.sha256)
    sampler = context.resource(f"{OF_THE_RUN}{model}")
    return Teacher(f"{OF_THE_RUN}{model}", sampler, weight, digest, synthetic=facts.get("synthetic") is True)


def _of_adapter(name: str, folder: Path, backend: LocalBackend, device: str | None, weight: float) -> Teacher:
    about = _read(folder / TRAINING)
    base = about.get("base_model") or _read(folder / ADAPTER_CONFIG).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise TrainError(f"the teacher {name} does not say which base model it is an adapter of; use one that does")
    now, before = base_digest(resolve_base_model(base)), about.get("base_digest")
    if before not in (None, now):
        raise CheckpointError(
            f"the files of {base} are not those that the teacher {name} was trained on: base_digest was {before} and "
            f"is {now}; restore them, or use another teacher"
        )
    sampler = backend.create_sampler(base, device=device, adapter=folder)
    parts = (file_sha256(folder / each) for each in (ADAPTER_CONFIG, ADAPTER_WEIGHTS))
    data = about.get("data")
    is_synthetic = isinstance(data, dict) and cast("dict[str, Any]", data).get("synthetic") is True
    return Teacher(name, sampler, weight, _digest(now, *parts), synthetic=is_synthetic)


def _read(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty where there is none.

    Raises:
        CheckpointError: It is not an object.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{file} holds {type(found).__name__}, expected an object")
    return cast("dict[str, Any]", found)


def _digest(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()
