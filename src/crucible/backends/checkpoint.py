"""The form of a checkpoint on disk: a folder in the PEFT layout, with everything that training needs to go on.

`manifest.json` holds the size and SHA-256 of every other file and is read first; nothing is ever unpickled. A folder
appears whole or not at all: it is written beside its place, synced, and renamed. No PyTorch here, so that looking for
the newest good checkpoint is cheap.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from crucible.errors import CheckpointError, StoreError
from crucible.ir import sync_folder

__all__ = [
    "ADAPTER_CONFIG",
    "ADAPTER_WEIGHTS",
    "MANIFEST",
    "OPTIMIZER",
    "STATE",
    "read_checkpoint",
    "verify_checkpoint",
    "write_checkpoint",
]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"
MANIFEST = "manifest.json"
FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS, OPTIMIZER, STATE)
FORMAT = "crucible-checkpoint/1"


def write_checkpoint(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write the four files of a checkpoint and their manifest to `folder`, and return it.

    A checkpoint that is already there is replaced once the new one is complete.

    Args:
        folder: Where; missing parents are made.
        files: Content by name, exactly the names in `FILES`.

    Raises:
        StoreError: The disk is full or read-only.
    """
    entries = {
        name: {"sha256": hashlib.sha256(files[name]).hexdigest(), "size_bytes": len(files[name])} for name in FILES
    }
    manifest = json.dumps({"format": FORMAT, "files": entries}, indent=2) + "\n"
    mark = secrets.token_hex(4)
    temporary = folder.with_name(f".{folder.name}.{mark}.tmp")
    replaced = folder.with_name(f".{folder.name}.{mark}.old")
    try:
        temporary.mkdir(parents=True)
        for name in FILES:
            _write_synced(temporary / name, files[name])
        _write_synced(temporary / MANIFEST, manifest.encode())
        sync_folder(temporary)
        if folder.exists():
            folder.rename(replaced)
        temporary.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        if replaced.exists() and not folder.exists():
            with contextlib.suppress(OSError):
                replaced.rename(folder)
        raise StoreError(
            f"the checkpoint {folder} cannot be written ({error.strerror or error}); "
            "free space or choose a writable folder"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)
    return folder


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def verify_checkpoint(folder: Path) -> None:
    """Check that a checkpoint is complete and unaltered: every file's size and SHA-256 against the manifest.

    Raises:
        CheckpointError: A file is missing, truncated or altered, or the folder is no checkpoint; the file is named.
    """
    read_checkpoint(folder)


def read_checkpoint(folder: Path) -> dict[str, bytes]:
    """Return the verified contents of a checkpoint's four files by name.

    Raises:
        CheckpointError: A file is missing, truncated or altered, or the folder is no checkpoint; the file is named.
    """
    entries = _manifest_entries(folder)
    contents: dict[str, bytes] = {}
    for name in FILES:
        path = folder / name
        entry = entries[name]
        content = _read(path)
        if len(content) != entry.get("size_bytes"):
            raise CheckpointError(
                f"{path} is truncated or altered: {len(content)} bytes, the manifest says {entry.get('size_bytes')}; "
                "use an earlier checkpoint"
            )
        if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
            raise CheckpointError(f"{path} is corrupt: its SHA-256 is not the manifest's; use an earlier checkpoint")
        contents[name] = content
    return contents


def _manifest_entries(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise CheckpointError(f"there is no checkpoint at {folder}")
    try:
        manifest = json.loads(_read(path))
    except ValueError as error:
        raise CheckpointError(f"{path} is corrupt: {error}; use an earlier checkpoint") from error
    found = cast("dict[str, Any]", manifest).get("format") if isinstance(manifest, dict) else None
    if found != FORMAT:
        raise CheckpointError(f"{path} says format {found!r}, this version of Crucible reads {FORMAT!r}")
    entries = cast("dict[str, Any]", manifest).get("files")
    if not isinstance(entries, dict) or not all(
        isinstance(cast("dict[str, Any]", entries).get(n), dict) for n in FILES
    ):
        raise CheckpointError(f"{path} is corrupt: it does not list {', '.join(FILES)}; use an earlier checkpoint")
    return cast("dict[str, dict[str, Any]]", entries)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing, so this checkpoint cannot be used; use an earlier one") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or error})") from error
