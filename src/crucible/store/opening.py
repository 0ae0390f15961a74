"""Opening a store: a folder with a SQLite file and artifacts, or a PostgreSQL server.

The only place that reads CRUCIBLE_STORE. What was opened must be closed; a `Store` is a context manager.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from crucible.errors import StoreError
from crucible.ir.files import sync_folder
from crucible.store.engine import Database, postgres_engine, sqlite_engine
from crucible.store.faults import store_faults
from crucible.store.runs import RunRepository
from crucible.store.schema import ensure_current, sqlite_version
from crucible.store.telemetry import TelemetryRepository
from crucible.store.traces import TraceRepository

__all__ = ["DEFAULT_FOLDER", "ENVIRONMENT", "FILE_NAME", "Store", "open_store"]

ENVIRONMENT = "CRUCIBLE_STORE"
DEFAULT_FOLDER = ".crucible"
FILE_NAME = "crucible.db"
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """An open store.

    Args:
        database: The open database.
        location: What opens it again: the folder as it was given, or the URL without its password.
        artifacts_dir: Folder of the files that runs make.
        clock: Returns the current time, aware.
    """

    def __init__(
        self, database: Database, location: str, artifacts_dir: Path, *, clock: Callable[[], datetime] = _now
    ) -> None:
        self.location = location
        self.artifacts_dir = artifacts_dir
        self.database = database
        self.runs = RunRepository(database, clock=clock)
        self.telemetry = TelemetryRepository(database)
        self.traces = TraceRepository(database, clock=clock)

    def workspace(self, run_id: str) -> Path:
        """Return the folder for the files of a run, made if it is missing.

        Raises:
            StoreError: It cannot be made.
        """
        folder = self.artifacts_dir / run_id
        if not _RUN_ID.fullmatch(run_id):
            raise StoreError(f"{run_id!r} cannot be a run id: use letters, digits, '.', '_' and '-', 128 at most")
        with store_faults(str(folder), "make the folder of a run's files"):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

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
    url_or_path: str | Path | None = None, *, create: bool = True, clock: Callable[[], datetime] = _now
) -> Store:
    """Open a store, made or brought up to date where that is needed.

    Args:
        url_or_path: A folder, or `postgresql://user:password@host/database`; None: the environment variable
            CRUCIBLE_STORE, or `.crucible` in the working directory.
        create: Whether a store that does not exist is made.
        clock: Returns the current time, aware.

    Raises:
        StoreError: There is none and `create` is false; or it cannot be opened: a file is in the way, the disk is full
            or read-only, the database is damaged, of something else, or of a newer Crucible.
        MissingExtra: A PostgreSQL store without psycopg.
    """
    wanted = url_or_path or os.environ.get(ENVIRONMENT) or DEFAULT_FOLDER
    if isinstance(wanted, str) and "://" in wanted:
        return _open_server(wanted, clock)
    return _open_folder(Path(wanted).expanduser(), create=create, clock=clock)


def _open_folder(folder: Path, *, create: bool, clock: Callable[[], datetime]) -> Store:
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
    return Store(database, str(folder), artifacts, clock=clock)


def _open_server(text: str, clock: Callable[[], datetime]) -> Store:
    try:
        url = make_url(text)
    except ArgumentError as error:
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
    return Store(database, location, artifacts, clock=clock)


_EXPECTED = f"expected a folder, or postgresql://user:password@host/database (--store or {ENVIRONMENT})"


def _shown(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=True)
