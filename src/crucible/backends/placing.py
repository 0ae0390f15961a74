"""A folder appears whole or not at all: written beside its place, synced, and put there in one step.

Where the system can, the new folder and the old one change places at once, so that at no moment, a power loss
included, is there none.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from crucible.errors import StoreError
from crucible.ir import sync_folder

__all__ = ["check_free", "exchange", "placed", "write_synced"]

_TRIES: Final = 20  # how often another process may put a folder in the same place meanwhile
_THERE: Final = (errno.EEXIST, errno.ENOTEMPTY)
_AT_FDCWD: Final = -100
_SWAP: Final = 2  # RENAME_EXCHANGE of Linux's renameat2 and RENAME_SWAP of macOS's renamex_np
_UNABLE: Final = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextlib.contextmanager
def placed(folder: Path, what: str = "the checkpoint") -> Generator[Path]:
    """Yield an empty folder to fill; when the block ends, it takes the place of `folder`, and else it is removed.

    Args:
        folder: Where; missing parents are made, and a folder that is there is replaced.
        what: What is written, for the message.

    Raises:
        StoreError: The disk is full or read-only, or `folder` is a file, or `.` or `..`.
    """
    if folder.name in ("", ".."):
        raise StoreError(f"{what} cannot take the place of {folder}; name a new folder, such as {folder / 'copy'}")
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        sync_folder(temporary)
        _put(temporary, folder)
        sync_folder(folder.parent)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"{what} {folder} cannot be written ({error.strerror or error}); free space or choose a writable folder"
        ) from error
    finally:
        if temporary.is_symlink():  # a link to another folder was replaced; what it leads to stays
            temporary.unlink(missing_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)


def check_free(folder: Path, is_ours: Callable[[Path], bool], what: str) -> None:
    """Refuse to replace a folder that somebody else filled.

    Args:
        folder: Where something is to be put.
        is_ours: Says whether what is there is of the same kind, and may be replaced.
        what: What may be replaced, for the message, such as `a merged model`.

    Raises:
        StoreError: The folder holds something else, or is a file.
    """
    try:
        if not folder.exists() or (folder.is_dir() and (is_ours(folder) or not any(folder.iterdir()))):
            return
    except FileNotFoundError:  # another process took it away in between
        return
    except OSError as error:
        raise StoreError(f"{folder} cannot be read ({error.strerror or error})") from error
    raise StoreError(f"{folder} holds something other than {what}, and is left as it is; choose a new folder")


def _put(temporary: Path, folder: Path) -> None:
    """Put `temporary` in the place of `folder`; what was there lies under the name of `temporary` afterwards."""
    for _ in range(_TRIES):
        try:
            if not folder.exists():
                temporary.rename(folder)
            elif not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
            elif not exchange(temporary, folder):
                _put_in_two_steps(temporary, folder)
        except FileNotFoundError:  # another process took the old one away in between
            if not temporary.exists():
                raise
        except OSError as error:
            if error.errno not in _THERE:
                raise
        else:
            return
    raise OSError(errno.EBUSY, "other processes keep writing to the same place")


def _put_in_two_steps(temporary: Path, folder: Path) -> None:
    """Move the old folder away, the new one in, and the old one back if that fails: for systems that cannot swap."""
    replaced = folder.with_name(f"{temporary.name}.old")
    folder.rename(replaced)
    try:
        temporary.rename(folder)
    except OSError:
        with contextlib.suppress(OSError):
            replaced.rename(folder)
        raise
    finally:
        if folder.exists():
            shutil.rmtree(replaced, ignore_errors=True)


def exchange(a: Path, b: Path) -> bool:
    """Let two existing paths on one file system change places; False where the system or file system cannot.

    Raises:
        OSError: It can, and did not: one of them is missing, or may not be changed.
    """
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            failed = libc.renamex_np(os.fsencode(a), os.fsencode(b), _SWAP)
        else:
            failed = libc.renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _SWAP)
    except (OSError, AttributeError, TypeError):  # no such library, or no such call in it
        return False
    code = ctypes.get_errno()
    if failed and code not in _UNABLE:
        raise OSError(code, os.strerror(code), str(b))
    return not failed


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
