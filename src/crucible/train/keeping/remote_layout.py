"""Where the files of a checkpoint lie in a remote place, and which of them belong to the manifest that is there now.

The first checkpoint of a name lies flat in its folder. One that replaces it lies in a folder of its own below that,
named after its manifest (`_9f3c…`, which no file of a checkpoint may be called): so nothing is overwritten, and one
write of the manifest changes the old one for the new.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from crucible.backends.manifest import MANIFEST
from crucible.train.keeping.remote_file import RemoteFile
from crucible.train.keeping.stored import StoredCheckpoint, describe, is_name

__all__ = ["by_folder", "described", "own", "record_path", "version_of", "within"]

_VERSION: Final = re.compile(r"(_[0-9a-f]{16})(?:\.json|/(.+))")


def by_folder(files: Iterable[RemoteFile]) -> dict[str, dict[str, RemoteFile]]:
    """Return the files of each folder that can be a checkpoint, by their paths in it; others are not ours."""
    folders: dict[str, dict[str, RemoteFile]] = {}
    for file in files:
        folder, slash, path = file.path.partition("/")
        of_version = _VERSION.fullmatch(path)
        if slash and is_name(folder) and (is_name(path) if of_version is None else is_name(of_version[2] or "record")):
            folders.setdefault(folder, {})[path] = file
    return folders


def version_of(manifest: bytes) -> str:
    """Return the name of the folder in which a checkpoint with this manifest lies, if it replaced another."""
    return f"_{hashlib.sha256(manifest).hexdigest()[:16]}"


def within(name: str, manifest: bytes, files: Mapping[str, RemoteFile]) -> str:
    """Return the folder, below the place, with the files that a manifest lists.

    Args:
        name: Of the checkpoint.
        manifest: Content of its manifest.
        files: Of its folder, by their paths in it.
    """
    version = version_of(manifest)
    return f"{name}/{version}" if any(path.startswith(f"{version}/") for path in files) else name


def described(
    name: str, location: str, files: Mapping[str, RemoteFile], contents: Mapping[str, bytes | None]
) -> StoredCheckpoint:
    """Return a checkpoint as its small files tell it; one that lacks a file says so.

    Args:
        name: Of the checkpoint.
        location: Of the place, for messages.
        files: Of its folder, by their paths in it.
        contents: Of its manifest and of all small files in its folder, by their paths below the place.
    """
    manifest = contents[f"{name}/{MANIFEST}"]
    folder = name if manifest is None else within(name, manifest, files)
    found = describe(
        name,
        f"{location}/{name}",
        lambda file: manifest if file == MANIFEST else contents.get(f"{folder}/{file}"),
    )
    missing = [file for file in found.files if f"{folder}/{file}".removeprefix(f"{name}/") not in files]
    if not missing:
        return found
    problem = f"{location}/{folder}/{missing[0]} is missing, so this checkpoint cannot be used"
    return StoredCheckpoint(name=found.name, location=found.location, step=found.step, problem=problem)


def record_path(folder: str) -> str:
    """Return the path of the trainer's record that belongs to the checkpoint whose files lie in `folder`."""
    return f"{folder}.json"


def own(folder: str, name: str, files: Mapping[str, RemoteFile]) -> list[str]:
    """Return the paths, below the place, of what is of one checkpoint, and not of one before or after it.

    Args:
        folder: With the files of the checkpoint, below the place.
        name: Of the checkpoint.
        files: Of its folder, by their paths in it; the manifest is left out, for it may be another's by now.
    """
    current = "" if folder == name else folder.rpartition("/")[2]
    return [f"{name}/{path}" for path in files if path != MANIFEST and _version(path) == current]


def _version(path: str) -> str:
    """Return which version a path in a checkpoint's folder is of, empty for what lies flat."""
    found = _VERSION.fullmatch(path)
    return "" if found is None else found[1]
