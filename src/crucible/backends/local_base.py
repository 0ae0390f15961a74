# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers' lazy module and from_pretrained are untyped)
"""Base models in memory: loaded once for all sessions and samplers of this process, frozen, never written to.

An entry lives as long as somebody uses it. Imports PyTorch and transformers, so it is imported on demand only.
"""

from __future__ import annotations

import copy
import functools
import threading
import weakref
from pathlib import Path
from typing import Any

import torch
from transformers.models.auto.modeling_auto import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from crucible.backends.base_files import base_digest, base_files
from crucible.errors import BackendError
from crucible.text import Tokenizer, load_tokenizer

__all__ = ["LoadedBase", "load_base", "share"]


class LoadedBase:
    """A frozen causal language model with its tokenizer.

    Args:
        folder: Where it was loaded from.
        model: The transformers model, in evaluation mode, without gradients.
        tokenizer: Its tokenizer.
        device: Where the weights live.
    """

    def __init__(self, folder: Path, model: Any, tokenizer: Tokenizer, device: str) -> None:
        self.folder = folder
        self.model = model
        self.tokenizer = tokenizer
        self.device = device
        self.window = _window(model, folder)
        self.embedded_tokens = int(model.get_input_embeddings().num_embeddings)
        self.stop_ids = _stop_ids(model, tokenizer)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the files that the model and its tokenizer are made of."""
        return base_digest(self.folder)

    def sharing_copy(self) -> Any:
        """Return a copy of the model's modules over the same weights in memory."""
        return share(self.model)


def share(model: Any) -> Any:
    """Return a copy of a model's modules whose parameters and buffers are the very tensors of the original."""
    kept = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, kept)


def _window(model: Any, folder: Path) -> int:
    window = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(window, int):
        raise BackendError(
            f"{folder}/config.json names no max_position_embeddings, so the window is unknown", backend="local"
        )
    return window


def _stop_ids(model: Any, tokenizer: Tokenizer) -> frozenset[int]:
    configured = getattr(model.generation_config, "eos_token_id", None)
    listed = [configured] if isinstance(configured, int) else list(configured or ())
    return frozenset((tokenizer.eos_id, *listed))


_Key = tuple[str, str, tuple[tuple[str, int, int], ...]]  # folder, device, (name, bytes, mtime in ns) of each file
_loaded: weakref.WeakValueDictionary[_Key, LoadedBase] = weakref.WeakValueDictionary()
_lock = threading.Lock()  # transformers sets global state (default dtype, progress bars) while it loads


def load_base(folder: Path, device: str) -> LoadedBase:
    """Return the model in `folder` on `device`, loading it if nobody holds it yet, or its files have changed.

    On the CPU the weights are float32; elsewhere they keep the type that they were saved in.

    Raises:
        BackendError: The folder holds no causal language model with safetensors weights.
        DataError: Its tokenizer cannot be read.
    """
    stamps = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in base_files(folder))
    key = (str(folder), device, stamps)
    with _lock:
        base = _loaded.get(key)
        if base is None:
            base = _loaded[key] = _load(folder, device)
    return base


def _load(folder: Path, device: str) -> LoadedBase:
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype=torch.float32 if device == "cpu" else "auto",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except Exception as error:  # its loaders raise whatever their parts do, bare Exception included
        reason = " ".join(str(error).split())
        raise BackendError(f"the base model in {folder} cannot be loaded: {reason}", backend="local") from error
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
    model = model.to(device).eval().requires_grad_(requires_grad=False)
    tokenizer = load_tokenizer(folder)
    return LoadedBase(folder, model, tokenizer, device)
