"""The tokenizer and the window of a model that lives elsewhere.

A service sends neither. The tokenizer comes from a folder or the Hugging Face Hub (tokenizer files only), the window
from the service's list of models, else from the model's `config.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

from crucible.backends.tinker.settings import BACKEND
from crucible.errors import BackendError, require
from crucible.text import Tokenizer, load_tokenizer

__all__ = ["find_tokenizer", "find_window", "model_folder"]

_TOKENIZER_FILES: Final = [
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template*",
    "config.json",
]


def model_folder(name: str) -> Path:
    """Return the folder with the tokenizer files and the `config.json` of a model.

    Args:
        name: A folder, or a Hub id, of which only small files are fetched.

    Raises:
        BackendError: There is no such folder, and the Hub has none or is out of reach.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    hub: Any = require("huggingface_hub", extra="tinker", feature=f"the tokenizer of {name}")
    errors: Any = require("huggingface_hub.errors", extra="tinker")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=_TOKENIZER_FILES, local_files_only=True))
    except errors.HFValidationError as error:
        raise _no_tokenizer(name, "it is no folder and no Hub id") from error
    except FileNotFoundError:
        pass
    try:
        return Path(hub.snapshot_download(name, allow_patterns=_TOKENIZER_FILES))
    except (OSError, ValueError, RuntimeError) as error:
        raise _no_tokenizer(name, f"{type(error).__name__} from the Hub") from error


def find_tokenizer(name: str) -> Tokenizer:
    """Return the tokenizer of a model.

    Args:
        name: A folder or a Hub id.

    Raises:
        BackendError: It cannot be found.
        DataError: Its files cannot be read.
    """
    return load_tokenizer(model_folder(name))


def find_window(base_model: str, capabilities: Any, tokenizer_name: str) -> int:
    """Return the most tokens that one sequence of a model may have.

    Args:
        base_model: The model as the service knows it.
        capabilities: What the service says it can do.
        tokenizer_name: Folder or Hub id that the tokenizer comes from, whose `config.json` is asked next.

    Raises:
        BackendError: Nobody says.
    """
    for model in capabilities.supported_models:
        length = getattr(model, "max_context_length", None)
        if model.model_name == base_model and isinstance(length, int):
            return length
    config = model_folder(tokenizer_name) / "config.json"
    if config.is_file():
        window = _window_in(config)
        if window is not None:
            return window
    raise BackendError(
        f"neither the service nor config.json says how many tokens {base_model} takes; give the backend the option "
        "window",
        backend=BACKEND,
    )


def _window_in(config: Path) -> int | None:
    """Return the window that a `config.json` names, None where it is damaged or names none."""
    try:
        found: object = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    values = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    inner = values.get("text_config")
    text = cast("dict[str, Any]", inner) if isinstance(inner, dict) else values
    window = text.get("max_position_embeddings")
    return window if isinstance(window, int) and window > 0 else None


def _no_tokenizer(name: str, reason: str) -> BackendError:
    return BackendError(
        f"the tokenizer of {name!r} cannot be found ({reason}); give the backend the option tokenizer, a folder",
        backend=BACKEND,
    )
