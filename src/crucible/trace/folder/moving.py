"""Moving a chain's file between the folder and its archive, so that no other file is ever replaced."""

from __future__ import annotations

import os
from pathlib import Path

from crucible.errors import StoreError

__all__ = ["move"]


def move(path: Path, folder: Path) -> Path:
    """Move a file to a folder under its name, and return where it is.

    Raises:
        StoreError: The folder has one of this name, or it cannot be moved.
    """
    target = folder / path.name
    try:
        _move_unless_there(path, target)
    except FileExistsError:
        raise StoreError(f"{target} is there already; {path} was left where it is") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be moved to {folder} ({error.strerror or error})") from error
    return target


def _move_unless_there(path: Path, target: Path) -> None:
    """Move a file without ever replacing one: a second name, then the first goes."""
    try:
        os.link(path, target, follow_symlinks=False)
    except FileExistsError:
        if (
            path.is_symlink() or target.is_symlink() or not path.samefile(target)
        ):  # else a crash came between the two steps
            raise
    except OSError:  # a file system without second names
        if os.path.lexists(target):
            raise FileExistsError from None
        path.rename(target)
        return
    path.unlink()
