"""What a version is made of: the folder with its files, and what these say they were made from.

A checkpoint is held against its manifest first, and its `training.json` tells the base model, the data and what was
measured. Any other folder of plain files can be registered, too; of that nothing is known but its content.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from crucible.backends.checkpoint import is_checkpoint, verify_checkpoint
from crucible.errors import CheckpointError, StoreError
from crucible.store.models import ModelFile, ModelObjects, check_paths
from crucible.train.keeping.stored import TRAINING
from crucible.train.records import Checkpoint, TrainResult

__all__ = ["Origin", "Source", "keep_files", "origin_of"]

Source = TrainResult | Checkpoint | Path | str
"""What is registered: how a training went, a saved checkpoint, or a folder of files."""

_LARGEST_BYTES: Final = 1 << 20  # of training.json
_MOST_FILES: Final = 10_000


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version's files are, and what is known of them.

    Args:
        folder: The folder.
        facts: What `training.json` says, and what a `TrainResult` adds: `base_model`, `base_digest`, `data`, `step`.
        metrics: What was measured, finite numbers only.
    """

    folder: Path
    facts: dict[str, Any] = {}
    metrics: dict[str, float] = {}


def origin_of(source: Source) -> Origin:
    """Return where the files of a source are and what they were made from.

    Raises:
        CheckpointError: There is no such folder, or it is a damaged checkpoint.
        StoreError: It cannot be read.
    """
    folder = _folder(source)
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {folder} to register; save a checkpoint first, or check the path")
    if is_checkpoint(folder):
        verify_checkpoint(folder)
    facts = _training(folder)
    metrics = _numbers(facts.pop("metrics", None))
    if isinstance(source, Checkpoint):
        metrics |= _numbers(source.metrics)
    elif isinstance(source, TrainResult):
        metrics |= _numbers({"initial_loss": source.initial_loss, "final_loss": source.final_loss})
        metrics |= _numbers(source.kept.metrics)
        facts |= {"steps": source.steps, "items": source.items, "tokens": source.tokens}
        facts |= {"synthetic": source.synthetic, "base_digest": source.base_digest}
        facts |= {"parameters_trained": source.parameters_trained, "stop_reason": source.stop_reason}
    return Origin(folder=folder, facts=facts, metrics=metrics)


def keep_files(folder: Path, objects: ModelObjects) -> tuple[ModelFile, ...]:
    """Keep every file below a folder by its content.

    Raises:
        SpecError: A name cannot be kept.
        StoreError: Something is no plain file or cannot be read, there is nothing, or the disk is full.
    """
    paths = sorted(_below(folder))
    if not paths:
        raise StoreError(f"{folder} holds no file, so there is nothing to register")
    check_paths(paths)
    return tuple(objects.keep(folder / path, path) for path in paths)


def _folder(source: Source) -> Path:
    match source:
        case TrainResult():
            return source.kept.local_path
        case Checkpoint():
            return source.local_path
        case _:
            return Path(source).expanduser()


def _below(folder: Path) -> Iterator[str]:
    """Yield the files below a folder, with `/` between parts; links are not followed, and not left out in silence."""
    count = 0
    for here, folders, files in os.walk(folder, onerror=_unreadable):
        for name in (*folders, *files):
            path = Path(here) / name
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode) or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a link" if path.is_symlink() else "not a plain file"
                raise StoreError(f"{path} is {kind}, and a model consists of plain files; copy what it stands for")
            if stat.S_ISREG(mode):
                count += 1
                if count > _MOST_FILES:
                    raise StoreError(f"{folder} holds more than {_MOST_FILES:,} files; name the folder of one model")
                yield path.relative_to(folder).as_posix()


def _unreadable(error: OSError) -> None:
    raise StoreError(f"{error.filename} cannot be read ({error.strerror or error})") from error


def _training(folder: Path) -> dict[str, Any]:
    path = folder / TRAINING
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise CheckpointError(f"{path} is not a plain file")
        content = path.read_bytes() if path.lstat().st_size <= _LARGEST_BYTES else None
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror or error})") from error
    if content is None:
        raise CheckpointError(f"{path} is larger than {_LARGEST_BYTES:,} bytes, which no training wrote")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is corrupt: {error}; use another checkpoint") from error
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _numbers(found: Any) -> dict[str, float]:
    """Return what of a mapping is a finite number; a diverged training has others, which say nothing."""
    plain = cast("dict[Any, Any]", found) if isinstance(found, dict) else dict[Any, Any]()
    return {
        str(name): float(value)
        for name, value in plain.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
