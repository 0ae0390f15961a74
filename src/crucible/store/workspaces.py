"""The folders for files of runs. Only folders that this store made are ever removed by it.

Two stores may share `.crucible/artifacts` (a SQLite file and a PostgreSQL server, say): a folder of which this store
has no row is somebody else's.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.engine import Database
from crucible.store.faults import store_faults
from crucible.store.run_rows import moment_text

__all__ = ["folder_bytes", "make_workspace", "remove_workspace", "require_run_id"]

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_workspaces = tables.workspaces


def require_run_id(run_id: object) -> None:
    """Make sure that an id can name a run and its folder.

    Raises:
        StoreError: It cannot.
    """
    if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
        raise StoreError(f"{run_id!r:.200} cannot be a run id: use letters, digits, '.', '_' and '-', 128 at most")


def make_workspace(database: Database, artifacts_dir: Path, run_id: str, clock: Callable[[], datetime]) -> Path:
    """Return the folder for the files of a run, made and written down if it is missing.

    Raises:
        StoreError: It cannot be made, or `run_id` cannot name a folder.
    """
    require_run_id(run_id)
    folder = artifacts_dir / run_id
    if folder.is_dir():
        return folder
    row = {"run_id": run_id, "path": str(folder), "made_at": moment_text(clock())}
    with database.writing(f"make the folder of run {run_id}", synced=False) as connection:
        connection.execute(database.upsert(_workspaces, ["run_id"]), row)
    with store_faults(str(folder), "make the folder of a run's files"):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_workspace(database: Database, artifacts_dir: Path, run_id: str) -> int:
    """Remove the folder of a run whose rows are gone, then the row that says this store made it.

    Returns:
        How many bytes its files had; 0 for a folder that is not here.

    Raises:
        StoreError: A file cannot be removed; the folder is found again by the next `gc`.
    """
    folder = artifacts_dir / run_id
    size_bytes, row = folder_bytes(folder), _workspaces.c.run_id == run_id
    if folder.is_dir():
        with store_faults(str(folder), "remove the files of a run"):
            shutil.rmtree(folder)
    else:
        row &= _workspaces.c.path == str(folder)  # of a server's store, the folder may lie on another machine
    with database.writing(f"forget the folder of run {run_id}", synced=False) as connection:
        connection.execute(delete(_workspaces).where(row))
    return size_bytes


def folder_bytes(folder: Path) -> int:
    """Return how many bytes the files below a folder have; 0 if it is not there."""
    with store_faults(str(folder), "look at the files of a run"):
        return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
