"""An adapter and its base become one plain transformers model: configuration, safetensors shards, tokenizer.

What it was made from goes along in `training.json`, so that a model that was trained on made-up data still says so.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (transformers is untyped)
from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import msgspec

from crucible.backends import resolve_base_model
from crucible.backends.base_files import base_files
from crucible.backends.checkpoint import MANIFEST
from crucible.backends.placing import check_free, placed, write_synced
from crucible.errors import CheckpointError, StoreError, require
from crucible.train.keeping.stored import TRAINING, StoredCheckpoint, describe

if TYPE_CHECKING:
    from crucible.backends.local_base import LoadedBase

__all__ = ["merge"]

_FORMAT: Final = "crucible-merged/1"
_MODEL: Final = ("config.json", "generation_config.json")


def merge(
    checkpoint: Path,
    base_model: str | None,
    into: Path,
    *,
    any_base: bool = False,
    dtype: Literal["float32", "base"] = "float32",
    shard: str = "5GB",
    name: str | None = None,
) -> Path:
    """Write base and adapter as one model in transformers' layout to the folder `into`, and return that.

    Merged on the CPU in float32, it gives the logits of base and adapter but for rounding. The folder appears whole or
    not at all.

    Args:
        checkpoint: Folder of a checkpoint, or of any LoRA adapter in the PEFT layout.
        base_model: Name or folder of the base; None: as the checkpoint says.
        into: Where; a folder that holds anything but a model that `merge` made is refused.
        any_base: Take the base even where it is not the one that the adapter was trained on.
        dtype: Number type of the weights on disk: `float32`, or that of the base, to which they are then rounded.
        shard: Largest file, as transformers takes it.
        name: What the checkpoint is called where it is kept, for `training.json`; None: as the folder.

    Raises:
        CheckpointError: The checkpoint is damaged, does not fit the base, or was trained on another one.
        BackendError: The base cannot be found or loaded.
        StoreError: The disk is full or read-only, or `into` holds something else.
        MissingExtra: The `train` extra is not installed.
    """
    for package in ("torch", "transformers", "peft", "safetensors"):
        require(package, extra="train", feature="merging")
    from crucible.backends.adapter import merged_model, open_adapter
    from crucible.backends.local_base import load_base

    made_from = _described(checkpoint)
    called = base_model or made_from.about.get("base_model")
    if not isinstance(called, str) or not called:
        raise CheckpointError(f"{checkpoint} does not say which base model it was trained on; name it")
    check_free(into, _is_merged, "a merged model")
    base = load_base(resolve_base_model(called), "cpu")
    trained_on = made_from.about.get("base_digest")
    if trained_on not in (None, base.digest) and not any_base:
        raise CheckpointError(
            f"{checkpoint} was trained on a base model with the digest {trained_on}, and {called} has {base.digest}: "
            "the merged weights would be of no model; name the right base, or take this one with any_base"
        )
    adapted = open_adapter(base, checkpoint)
    try:
        model = merged_model(adapted)
    except (RuntimeError, ValueError, NotImplementedError) as error:  # PEFT's, for a kind of adapter that cannot be
        raise CheckpointError(f"the adapter in {checkpoint} cannot be merged: {error}") from error
    with placed(into, "the merged model") as temporary:
        _write(model, base, temporary, dtype, shard)
        stamp = _stamp(msgspec.structs.replace(made_from, name=name or made_from.name), called, base.digest, dtype)
        write_synced(temporary / TRAINING, json.dumps(stamp, indent=2).encode() + b"\n")
    return into


def _described(checkpoint: Path) -> StoredCheckpoint:
    """Return what a checkpoint says of itself; of an adapter without a manifest, what is beside it."""

    def read(name: str) -> bytes | None:
        path = checkpoint / name
        return path.read_bytes() if path.is_file() and not path.is_symlink() else None

    if not (checkpoint / MANIFEST).is_file():
        content = read(TRAINING)
        try:
            found = json.loads(content) if content else {}
        except ValueError as error:
            raise CheckpointError(f"{checkpoint / TRAINING} is corrupt: {error}") from error
        about = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        return StoredCheckpoint(name=checkpoint.name, location=str(checkpoint), about=about)
    found = describe(checkpoint.name, str(checkpoint), read)
    if found.problem is not None:
        raise CheckpointError(found.problem)
    return found


def _write(model: Any, base: LoadedBase, to: Path, dtype: str, shard: str) -> None:
    from safetensors import SafetensorError
    from transformers.utils import logging as transformers_logging

    if dtype == "base":
        model = model.to(_saved_type(base))
    _untie(model)
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        model.save_pretrained(str(to), max_shard_size=shard)
    except SafetensorError as error:
        raise StoreError(f"the merged model cannot be written ({error}); free space") from error
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
    for path in base_files(base.folder):  # the tokenizer and its chat template, byte by byte
        if path.name not in _MODEL and ".safetensors" not in path.name:
            shutil.copyfile(path, to / path.name)


def _saved_type(base: LoadedBase) -> Any:
    """Return the number type that the base's weights have on disk."""
    import safetensors
    import torch

    weights = next(path for path in base_files(base.folder) if path.suffix == ".safetensors")
    with safetensors.safe_open(weights, "pt") as file:
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118  # it is no dict
    return kinds.pop() if len(kinds) == 1 else torch.float32


def _untie(model: Any) -> None:
    """Keep head and embedding apart where the adapter changed one of two that the base shares."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head is not None and head.weight is not embedding.weight and model.config.tie_word_embeddings:
        model.config.tie_word_embeddings = False


def _stamp(made_from: StoredCheckpoint, base_model: str, digest: str, dtype: str) -> Mapping[str, Any]:
    """Return what the merged model was made from."""
    return {
        **made_from.about,
        "format": _FORMAT,
        "base_model": base_model,
        "base_digest": digest,
        "base_digest_trained_on": made_from.about.get("base_digest"),
        "step": made_from.step,
        "metrics": made_from.metrics,
        "checkpoint": {"name": made_from.name, "sha256": made_from.sha256 or None},
        "dtype": dtype,
    }


def _is_merged(folder: Path) -> bool:
    try:
        found = json.loads((folder / TRAINING).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and cast("dict[str, Any]", found).get("format") == _FORMAT
