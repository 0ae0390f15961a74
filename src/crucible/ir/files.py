"""Files that are whole or absent: temporary name, fsync, rename.

Every room that writes a file a user may rely on writes it here. A full or read-only disk is a `StoreError`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from crucible.errors import StoreError

__all__ = ["atomic_write", "file_sha256", "sync_folder"]


def atomic_write(path: Path, data: bytes | str) -> Path:
    """Write a file so that a reader sees the old content or the new, never a part.

    Args:
        path: Where; missing parent folders are made.
        data: The content; text is written as UTF-8.

    Raises:
        StoreError: The disk is full or read-only, or a parent is not a folder.
    """
    content = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StoreError(
            f"{path} cannot be written ({error.strerror or error}); free space or choose a writable folder"
        ) from error
    return path


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power loss, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file's content.

    Raises:
        StoreError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror or error})") from error
