"""The form of a checkpoint on disk: a folder in the PEFT layout, with everything that training needs to go on.

`manifest.json` holds the size and SHA-256 of every other file and is read first; nothing is ever unpickled, and no
link is followed. A folder appears whole or not at all (`placing`). No PyTorch here, so that looking for the newest
good checkpoint is cheap.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Generator, Mapping
from io import BufferedReader
from pathlib import Path

import msgspec

from crucible.backends.manifest import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    FILES,
    MANIFEST,
    OPTIMIZER,
    REMOTE,
    REQUIRED,
    STATE,
    FileEntry,
    Manifest,
    check_names,
    make_manifest,
    parse_manifest,
)
from crucible.backends.placing import check_free, placed, write_synced
from crucible.errors import CheckpointError
from crucible.ir import atomic_write

__all__ = [
    "ADAPTER_CONFIG",
    "ADAPTER_WEIGHTS",
    "FILES",
    "MANIFEST",
    "OPTIMIZER",
    "REMOTE",
    "REQUIRED",
    "STATE",
    "add_files",
    "copy_checkpoint",
    "is_checkpoint",
    "is_replaceable",
    "read_checkpoint",
    "read_manifest",
    "verify_checkpoint",
    "write_checkpoint",
]

_BLOCK_BYTES = 1 << 20
_OWN = frozenset((*FILES, REMOTE, "training.json"))


def write_checkpoint(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files of a checkpoint and their manifest to `folder`, and return it.

    A checkpoint that is already there is replaced once the new one is complete; a folder of anything else is refused.

    Args:
        folder: Where; missing parents are made.
        files: Content by plain file name: `adapter_config.json`, `adapter_model.safetensors`, `state.json`,
            `optimizer.safetensors` or `remote.json` (where the training's own state lies elsewhere), and any more.

    Raises:
        CheckpointError: A required file is missing, or a name is no plain file name.
        StoreError: The disk is full or read-only, or `folder` holds something else.
    """
    manifest = make_manifest(files)
    check_free(folder, is_replaceable, "a checkpoint")
    with placed(folder) as temporary:
        for name, content in files.items():
            write_synced(temporary / name, content)
        write_synced(temporary / MANIFEST, manifest.encode())
    return folder


def add_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Add files to a checkpoint that is there, such as what it was made from, and list them in its manifest.

    A process that dies in the middle leaves the checkpoint as it was, and maybe a file that is not listed.

    Raises:
        CheckpointError: The folder is no checkpoint, it has a file of that name, or the name is no plain file name.
        StoreError: The disk is full or read-only.
    """
    manifest = read_manifest(folder)
    check_names(files, str(folder))
    if known := sorted(manifest.files.keys() & files.keys()):
        raise CheckpointError(f"{folder} has a file {known[0]} already; a checkpoint's files are never changed")
    for name, content in files.items():
        atomic_write(folder / name, content)
    added = {name: FileEntry(hashlib.sha256(content).hexdigest(), len(content)) for name, content in files.items()}
    atomic_write(folder / MANIFEST, msgspec.structs.replace(manifest, files=manifest.files | added).encode())
    return folder


def copy_checkpoint(folder: Path, to: Path) -> Path:
    """Copy a checkpoint's files, each verified while it is copied, to the folder `to`, and return that.

    Raises:
        CheckpointError: A file is missing, truncated, altered or a link, or the folder is no checkpoint; the file is
            named.
        StoreError: The disk is full or read-only, or `to` holds something else.
    """
    manifest = read_manifest(folder)
    check_free(to, is_replaceable, "a checkpoint")
    with placed(to) as temporary:
        for name, entry in manifest.files.items():
            digest, size_bytes = hashlib.sha256(), 0
            with _opened(folder / name) as source, (temporary / name).open("wb") as target:
                while block := _next_block(source, folder / name):
                    digest.update(block)
                    size_bytes += target.write(block)
                target.flush()
                os.fsync(target.fileno())
            _check(folder / name, entry, size_bytes, digest.hexdigest())
        write_synced(temporary / MANIFEST, _read(folder / MANIFEST))
    return to


def is_checkpoint(folder: Path) -> bool:
    """Say whether a folder has a manifest, good or not."""
    return (folder / MANIFEST).is_file()


def is_replaceable(folder: Path) -> bool:
    """Say whether a folder is a checkpoint, or what is left of one that was being removed."""
    return is_checkpoint(folder) or all(path.name in _OWN and path.is_file() for path in folder.iterdir())


def _next_block(source: BufferedReader, path: Path) -> bytes:
    with _reading(path):
        return source.read(_BLOCK_BYTES)


def verify_checkpoint(folder: Path) -> None:
    """Check that a checkpoint is complete and unaltered: every file's size and SHA-256 against the manifest.

    Raises:
        CheckpointError: A file is missing, truncated, altered or a link, or the folder is no checkpoint; the file is
            named.
    """
    for name, entry in read_manifest(folder).files.items():
        path = folder / name
        with _opened(path) as file, _reading(path):
            _check(path, entry, os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest())


def read_checkpoint(folder: Path) -> dict[str, bytes]:
    """Return the verified contents of all files that a checkpoint's manifest lists, by name.

    Raises:
        CheckpointError: A file is missing, truncated, altered or a link, or the folder is no checkpoint; the file is
            named.
    """
    contents: dict[str, bytes] = {}
    for name, entry in read_manifest(folder).files.items():
        content = _read(folder / name)
        _check(folder / name, entry, len(content), hashlib.sha256(content).hexdigest())
        contents[name] = content
    return contents


def read_manifest(folder: Path) -> Manifest:
    """Return a checkpoint's manifest; its files are not looked at.

    Raises:
        CheckpointError: The folder is no checkpoint, or its manifest is damaged or hostile.
    """
    if not folder.is_dir():
        raise CheckpointError(f"there is no checkpoint at {folder}")
    return parse_manifest(_read(folder / MANIFEST), str(folder / MANIFEST))


def _check(path: Path, entry: FileEntry, size_bytes: int, sha256: str) -> None:
    if size_bytes != entry.size_bytes:
        raise CheckpointError(
            f"{path} is truncated or altered: {size_bytes} bytes, the manifest says {entry.size_bytes}; "
            "use an earlier checkpoint"
        )
    if sha256 != entry.sha256:
        raise CheckpointError(f"{path} is corrupt: its SHA-256 is not the manifest's; use an earlier checkpoint")


def _read(path: Path) -> bytes:
    with _opened(path) as file, _reading(path):
        return file.read()


def _opened(path: Path) -> BufferedReader:
    """Open a plain file of a checkpoint."""
    with _reading(path):
        if not stat.S_ISREG(path.lstat().st_mode):
            kind = "a link" if path.is_symlink() else "not a plain file"
            raise CheckpointError(f"{path} cannot be read: it is {kind}, and a checkpoint holds plain files only")
        return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb")


@contextlib.contextmanager
def _reading(path: Path) -> Generator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing, so this checkpoint cannot be used; use an earlier one") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or error})") from error
