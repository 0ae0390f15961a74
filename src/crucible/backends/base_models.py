"""From the name of a base model to the folder of its files.

A name is an existing folder, a built-in model (entry-point group `crucible.base_models`, whose value is a function
that builds or finds the folder), or an id on the Hugging Face Hub. Only safetensors weights are ever fetched.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from crucible.errors import BackendError, require
from crucible.ir import did_you_mean

__all__ = ["Progress", "resolve_base_model"]

GROUP = "crucible.base_models"
_FETCHED = ["*.json", "*.safetensors", "*.txt", "*.jinja", "tokenizer.model"]
_REACH_TIMEOUT_S = 5.0

Progress = Callable[..., None]


def resolve_base_model(name: str, *, progress: Progress | None = None) -> Path:
    """Return the folder that holds the base model `name`.

    Args:
        name: A folder with a `config.json`, a built-in name such as `crucible/tiny`, or a Hub id such as
            `HuggingFaceTB/SmolLM2-135M`.
        progress: Passed to the builder of a built-in model.

    Raises:
        BackendError: There is no such model, or it would have to be downloaded and the Hub is out of reach.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BackendError(
                f"base_model {name!r} is a folder without config.json, so it holds no model", backend="local"
            )
        return folder.resolve()
    builders = {point.name: point for point in entry_points(group=GROUP)}
    if name in builders:
        build = cast("Callable[..., Path]", builders[name].load())
        return Path(build(progress=progress))
    if name.startswith(("/", ".", "~")) or name.count("/") > 1 or "\\" in name:
        raise BackendError(f"base_model {name!r}: there is no such folder", backend="local")
    return _from_hub(name, builders)


def _from_hub(name: str, builders: dict[str, Any]) -> Path:
    hub = cast("Any", require("huggingface_hub", extra="train"))
    errors = cast("Any", require("huggingface_hub.errors", extra="train"))
    hint = did_you_mean(name, builders)
    not_here = f"base_model {name!r} is not a folder, not built-in ({', '.join(sorted(builders)) or 'none'})"
    try:
        cached = _complete(Path(hub.snapshot_download(name, local_files_only=True, allow_patterns=_FETCHED)))
    except errors.HFValidationError as error:
        raise BackendError(f"{not_here} and no valid Hub id{hint}", backend="local") from error
    except FileNotFoundError:
        cached = None
    if cached is not None:
        return cached
    offline = f"{not_here}, not in the local Hub cache, and there is no network to download it"
    if _offline():
        raise BackendError(f"{offline} (HF_HUB_OFFLINE is set){hint}", backend="local")
    transport: tuple[type[Exception], ...] = (OSError, getattr(errors, "HTTPError", OSError))
    try:
        hub.HfApi().model_info(name, timeout=_REACH_TIMEOUT_S)  # once: snapshot_download alone retries for minutes
        fetched = _complete(Path(hub.snapshot_download(name, allow_patterns=_FETCHED)))
    except errors.RepositoryNotFoundError as error:
        raise BackendError(
            f"{not_here}, and the Hub has no public model of this name; a private or gated one needs HF_TOKEN{hint}",
            backend="local",
        ) from error
    except errors.HfHubHTTPError as error:
        answer = str(error).partition("\n")[0]
        raise BackendError(f"base_model {name!r}: the Hub answered {answer}", backend="local") from error
    except transport as error:  # pyright: ignore[reportUnknownVariableType]  # the class comes from an untyped module
        reason = type(cast("object", error)).__name__
        raise BackendError(f"{offline} ({reason}){hint}", backend="local", is_retryable=True) from error
    if fetched is None:
        raise BackendError(f"base_model {name!r} has no safetensors weights on the Hub", backend="local")
    return fetched


def _offline() -> bool:
    """Say whether the user forbade the network; read now, not when huggingface_hub was imported."""
    return any(
        os.environ.get(variable, "").upper() in {"1", "ON", "YES", "TRUE"}
        for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


def _complete(folder: Path) -> Path | None:
    usable = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    return folder if usable else None
