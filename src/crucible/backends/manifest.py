"""The manifest of a checkpoint: which files belong to it, how large each is, and its SHA-256.

A manifest comes from a disk or a server that anybody may have written to, so every name in it is checked before it
becomes a path: one plain file name, no folder, nothing hidden. Format 1 lists exactly four files and no time.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec

from crucible.errors import CheckpointError

__all__ = [
    "ADAPTER_CONFIG",
    "ADAPTER_WEIGHTS",
    "FILES",
    "MANIFEST",
    "OPTIMIZER",
    "REMOTE",
    "REQUIRED",
    "STATE",
    "FileEntry",
    "Manifest",
    "check_names",
    "make_manifest",
    "parse_manifest",
]

ADAPTER_CONFIG: Final = "adapter_config.json"
ADAPTER_WEIGHTS: Final = "adapter_model.safetensors"
OPTIMIZER: Final = "optimizer.safetensors"
REMOTE: Final = "remote.json"
STATE: Final = "state.json"
MANIFEST: Final = "manifest.json"
REQUIRED: Final = (ADAPTER_CONFIG, ADAPTER_WEIGHTS, STATE)
FILES: Final = (ADAPTER_CONFIG, ADAPTER_WEIGHTS, OPTIMIZER, STATE)
FORMAT: Final = "crucible-checkpoint/2"
OLD_FORMAT: Final = "crucible-checkpoint/1"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class FileEntry(msgspec.Struct, frozen=True):
    """One file of a checkpoint.

    Args:
        sha256: Hex SHA-256 of its content.
        size_bytes: Its size.
    """

    sha256: str
    size_bytes: int


class Manifest(msgspec.Struct, frozen=True):
    """What a checkpoint consists of.

    Args:
        files: Every file but the manifest itself, by name.
        created_at: When it was written, ISO 8601 in UTC; None in the old format.
    """

    files: dict[str, FileEntry]
    created_at: str | None = None

    @property
    def size_bytes(self) -> int:
        """Size of all files together, without the manifest."""
        return sum(entry.size_bytes for entry in self.files.values())

    def encode(self) -> bytes:
        """Return the content of `manifest.json`."""
        files = {name: {"sha256": entry.sha256, "size_bytes": entry.size_bytes} for name, entry in self.files.items()}
        return (json.dumps({"format": FORMAT, "created_at": self.created_at, "files": files}, indent=2) + "\n").encode()


def make_manifest(files: Mapping[str, bytes], *, created_at: str | None = None) -> Manifest:
    """Return the manifest of these contents.

    Args:
        files: Content by name.
        created_at: ISO 8601 in UTC; None: now.

    Raises:
        CheckpointError: A name cannot be that of a checkpoint's file, or a required file is missing.
    """
    check_names(files, "the checkpoint")
    _check_complete(files, "the checkpoint")
    entries = {name: FileEntry(hashlib.sha256(content).hexdigest(), len(content)) for name, content in files.items()}
    return Manifest(entries, created_at or datetime.now(UTC).isoformat(timespec="microseconds"))


def check_names(names: Iterable[str], where: str) -> None:
    """Refuse names that are no plain file names, or are the manifest's own.

    Raises:
        CheckpointError: The first such name.
    """
    for name in names:
        if not _NAME.fullmatch(name) or name == MANIFEST:
            raise CheckpointError(
                f"{where} names a file {name[:80]!r}; a checkpoint's files have plain names of letters, digits, "
                f'".", "_" and "-", none of them {MANIFEST}, and lie in one folder'
            )


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Return the manifest in `content`.

    Args:
        content: Of `manifest.json`.
        where: Its path or address, for messages.

    Raises:
        CheckpointError: It is damaged, of another version, incomplete, or names a file outside of its folder.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where} is corrupt: {error}; use an earlier checkpoint") from error
    plain = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    said = plain.get("format")
    if said not in (FORMAT, OLD_FORMAT):
        raise CheckpointError(f"{where} says format {said!r}, this version of Crucible reads {FORMAT!r}")
    listed = plain.get("files")
    entries = cast("dict[str, Any]", listed) if isinstance(listed, dict) else {}
    check_names(entries, where)
    _check_complete(entries, where)
    created = plain.get("created_at")
    return Manifest(
        {name: _entry(name, entry, where) for name, entry in entries.items()},
        created if isinstance(created, str) else None,
    )


def _entry(name: str, entry: Any, where: str) -> FileEntry:
    plain = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    digest, size = plain.get("sha256"), plain.get("size_bytes")
    if not (isinstance(digest, str) and _SHA256.fullmatch(digest) and isinstance(size, int) and size >= 0):
        raise CheckpointError(f"{where} is corrupt: it lists no SHA-256 and size of {name}; use an earlier checkpoint")
    return FileEntry(digest, size)


def _check_complete(names: Iterable[str], where: str) -> None:
    present = set(names)
    missing = [name for name in REQUIRED if name not in present]
    if not present & {OPTIMIZER, REMOTE}:
        missing.append(f"{OPTIMIZER} or {REMOTE}")
    if missing:
        raise CheckpointError(f"{where} does not list {', '.join(missing)}, without which it is no checkpoint")
