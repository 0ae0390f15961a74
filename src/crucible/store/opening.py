"""Opening a store: a folder with a SQLite file and artifacts, or a PostgreSQL server.

The only place that reads CRUCIBLE_STORE. What was opened must be closed; a `Store` is a context manager.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from crucible.errors import StoreError
from crucible.ir.files import sync_folder
from crucible.store.engine import Database, postgres_engine, sqlite_engine
from crucible.store.faults import store_faults
from crucible.store.fence import Fence
from crucible.store.memory import MEMORY, memory_database
from crucible.store.models import ModelRepository
from crucible.store.parts import LEASE_S, Parts
from crucible.store.removal import Collected
from crucible.store.reports import ReportRepository
from crucible.store.runs import RunRepository
from crucible.store.schema import ensure_current, sqlite_version
from crucible.store.telemetry import TelemetryRepository
from crucible.store.traces import TraceRepository
from crucible.store.workspaces import make_workspace

__all__ = ["DEFAULT_FOLDER", "ENVIRONMENT", "FILE_NAME", "Store", "open_store", "shown_location"]

ENVIRONMENT = "CRUCIBLE_STORE"
DEFAULT_FOLDER = ".crucible"
FILE_NAME = "crucible.db"
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """An open store.

    Args:
        database: The open database.
        location: What opens it again: the folder as it was given, or the URL without its password.
        artifacts_dir: Folder of the files that runs make.
        clock: Returns the current time, aware.
        lease_s: How long a run counts as living after the last sign of life, where its process cannot be seen; seconds.
    """

    def __init__(
        self,
        database: Database,
        location: str,
        artifacts_dir: Path,
        *,
        clock: Callable[[], datetime] = _now,
        lease_s: float = LEASE_S,
    ) -> None:
        self.location = location
        self.artifacts_dir = artifacts_dir
        self.database = database
        self._clock = clock
        fence = Fence(database)
        self.telemetry = TelemetryRepository(database, fence, clock)
        self.traces = TraceRepository(database, fence, clock=clock)
        self.reports = ReportRepository(database, clock=clock)
        self.models = ModelRepository(database, artifacts_dir, clock=clock)
        self.runs = RunRepository(Parts(database, fence, self.telemetry, self.traces, artifacts_dir, clock, lease_s))

    def workspace(self, run_id: str) -> Path:
        """Return the folder for the files of a run, made if it is missing.

        Raises:
            StoreError: It cannot be made.
        """
        return make_workspace(self.database, self.artifacts_dir, run_id, self._clock)

    def gc(
        self, *, older_than: timedelta | None = None, keep_last: int | None = None, dry_run: bool = True
    ) -> Collected:
        """Remove runs that are not kept any more, and what belongs to no run; see `runs.gc`."""
        return self.runs.gc(older_than=older_than, keep_last=keep_last, dry_run=dry_run)

    def close(self) -> None:
        """Close every connection; closing twice does no harm."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_store(
    url_or_path: str | Path | None = None,
    *,
    create: bool = True,
    clock: Callable[[], datetime] = _now,
    lease_s: float = LEASE_S,
) -> Store:
    """Open a store, made or brought up to date where that is needed.

    Args:
        url_or_path: A folder, `postgresql://user:password@host/database`, or `:memory:` for one that is gone when it
            is closed; None: the environment variable CRUCIBLE_STORE, or `.crucible` in the working directory.
        create: Whether a store that does not exist is made.
        clock: Returns the current time, aware.
        lease_s: How long a run counts as living after the last sign of life, where its process cannot be seen; seconds.

    Raises:
        StoreError: There is none and `create` is false; or it cannot be opened: a file is in the way, the disk is full
            or read-only, the database is damaged, of something else, or of a newer Crucible.
        MissingExtra: A PostgreSQL store without psycopg.
    """
    wanted = url_or_path or os.environ.get(ENVIRONMENT) or DEFAULT_FOLDER
    if wanted == MEMORY:
        found = _open_memory()
    elif isinstance(wanted, str) and "://" in wanted:
        found = _open_server(wanted)
    else:
        found = _open_folder(Path(wanted).expanduser(), create=create)
    return Store(*found, clock=clock, lease_s=lease_s)


_Found = tuple[Database, str, Path]  # the database, what opens it again, the folder of the files


def _open_folder(folder: Path, *, create: bool) -> _Found:
    file = folder / FILE_NAME
    with store_faults(str(folder), "open the store"):
        if folder.exists() and not folder.is_dir():
            raise StoreError(
                f"{folder} is a file, and a store is a folder; choose another one (--store or {ENVIRONMENT})"
            )
        if not create and not file.exists():
            raise StoreError(
                f"there is no store at {folder}; run an experiment first, go to the folder where one was run, "
                f"or name its store (--store or {ENVIRONMENT})"
            )
        artifacts = folder.absolute() / "artifacts"
        artifacts.mkdir(parents=True, exist_ok=True)
    version = sqlite_version(file)
    database = Database(sqlite_engine(file.absolute()), str(file))
    try:
        ensure_current(database, version=version)
    except BaseException:
        database.close()
        raise
    if version is None:
        sync_folder(folder)
    return database, str(folder), artifacts


def _open_memory() -> _Found:
    database = memory_database()
    ensure_current(database)
    return database, MEMORY, Path(DEFAULT_FOLDER).absolute() / "artifacts"


def _open_server(text: str) -> _Found:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise StoreError(f"the store's URL cannot be read; {_EXPECTED}") from error
    if url.drivername not in _POSTGRES:
        raise StoreError(f'a store cannot live at "{url.drivername}://…"; {_EXPECTED}')
    location = _shown(url)
    database = Database(postgres_engine(url), location)
    try:
        ensure_current(database)
        artifacts = Path(DEFAULT_FOLDER).absolute() / "artifacts"
        with store_faults(str(artifacts), "make the folder of the artifacts"):
            artifacts.mkdir(parents=True, exist_ok=True)
    except BaseException:
        database.close()
        raise
    return database, location, artifacts


_EXPECTED = f"expected a folder, or postgresql://user:password@host/database (--store or {ENVIRONMENT})"


def shown_location(url_or_path: str | Path) -> str:
    """Return what opens a store as it may be printed and kept: a URL without its password, a folder as it is."""
    text = str(url_or_path)
    if "://" not in text:
        return text
    try:
        return _shown(make_url(text))
    except (ArgumentError, ValueError):
        return text.partition("://")[0] + "://…"


def _shown(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=True)
