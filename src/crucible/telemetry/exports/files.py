"""Files of any length that are whole or absent: written under a temporary name, synced, renamed.

`crucible.ir.atomic_write` does so for content that is in memory; this does it for what comes in pieces.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from crucible.errors import CrucibleError, StoreError
from crucible.ir import sync_folder

__all__ = ["unwritable", "whole_file"]

_BUFFER = 1 << 20


@contextlib.contextmanager
def whole_file(path: Path, *, replace: bool = True) -> Generator[BinaryIO]:
    """Open a file that appears under its name when the block ends, and not at all if the block raises.

    Args:
        path: Where; missing parent folders are made.
        replace: Whether a file of that name is replaced, in one step, when the new one is whole.

    Raises:
        StoreError: The disk is full or read-only, a parent is no folder, or the file is there and `replace` is False.
    """
    temporary = path.parent / f".crucible-{secrets.token_hex(6)}.tmp"  # a long name of `path` has no room for more
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb", buffering=_BUFFER) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            _take_name(temporary, path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, CrucibleError):
            raise unwritable(path, error) from error
        raise


def unwritable(path: Path, error: OSError) -> StoreError:
    """Return what to raise for a path that cannot be written."""
    reason = error.strerror or error
    return StoreError(f"{path} cannot be written ({reason}); free space or choose a writable folder")


def _take_name(temporary: Path, path: Path) -> None:
    """Give the file its name unless another has it: a link fails then, where a rename would replace."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise StoreError(f"{path} is there already and is not replaced; choose another name") from None
    except OSError:  # a file system without hard links
        if path.exists():
            raise StoreError(f"{path} is there already and is not replaced; choose another name") from None
        temporary.replace(path)
    else:
        temporary.unlink()
