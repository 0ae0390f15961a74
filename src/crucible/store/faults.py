"""The border of the store: what SQLite, PostgreSQL and the disk complain of becomes one `StoreError`.

The message names the file (or the server, without its password) and says what to do. Nothing else in the store catches
a foreign error.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Generator

from sqlalchemy import exc

from crucible.errors import StoreError, StoreUnavailable

__all__ = ["store_faults"]

_FULL = "the disk is full or refuses to grow the file; free space, then run `crucible resume`"
_READ_ONLY = "it cannot be written; choose a folder that you may write to (option --store or CRUCIBLE_STORE)"
_TORN = "the file is damaged or is no SQLite database; restore a copy, or move it away and start afresh"
_BUSY = "another process has held it locked for a minute; wait for it, or keep it off network folders"

_SQLITE = {
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": _FULL,
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_CANTOPEN": "it cannot be opened; check that the folder exists and that you may write to it",
    "SQLITE_PERM": _READ_ONLY,
    "SQLITE_AUTH": _READ_ONLY,
    "SQLITE_CORRUPT": _TORN,
    "SQLITE_NOTADB": _TORN,
    "SQLITE_BUSY": _BUSY,
    "SQLITE_LOCKED": _BUSY,
}
_POSTGRES = {  # classes and codes of SQLSTATE
    "53100": "the server's disk is full; free space there, then run `crucible resume`",
    "53": "the server is short of resources; see its log",
    "08": "the connection was lost; check that the server runs",
    "57": "the server is shutting down or starting; try again",
    "42501": "the user lacks a right; grant it, or use another one",
    "28": "the server refused the user or the password",
    "3D": "there is no such database; create it",
    "25006": "the database is read-only; use the primary server",
}


_AWAY = ("08", "57P", "40")  # connection lost, shutting down or starting; undone because of somebody else


@contextlib.contextmanager
def store_faults(location: str, doing: str) -> Generator[None]:
    """Turn every foreign error of the block into a `StoreError`.

    Args:
        location: The file or the server, as the message names it.
        doing: What was tried, such as `open` or `save a stage's end`.

    Raises:
        StoreUnavailable: A server cannot be reached, or went away.
        StoreError: Whatever else the database or the operating system complained of.
    """
    try:
        yield
    except StoreError:
        raise
    except exc.DBAPIError as error:
        raise _kind(error.orig or error)(_sentence(location, doing, error.orig or error)) from error
    except exc.SQLAlchemyError as error:
        raise StoreError(_sentence(location, doing, error)) from error
    except (sqlite3.Error, OSError, UnicodeEncodeError, OverflowError, *_server_errors()) as error:
        raise _kind(error)(_sentence(location, doing, error)) from error


def _kind(error: BaseException) -> type[StoreError]:
    """Return what an error of the database is: that a server is away, or anything else."""
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
        return StoreUnavailable
    driver = sys.modules.get("psycopg")
    if driver is None or not isinstance(error, driver.Error):
        return StoreError
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:  # libpq's own: nobody answered, or the line is cut
        return StoreUnavailable if isinstance(error, driver.OperationalError) else StoreError
    return StoreUnavailable if state.startswith(_AWAY) else StoreError


def _server_errors() -> tuple[type[Exception], ...]:
    """Return psycopg's errors if somebody has loaded it; looked at only once something was raised."""
    driver = sys.modules.get("psycopg")
    return () if driver is None else (driver.Error,)


def _sentence(location: str, doing: str, error: BaseException) -> str:
    said = " ".join(str(error).split("\n", maxsplit=1)[0].split()) or type(error).__name__
    if isinstance(error, OSError):
        said = error.strerror or said
    return f"{location}: cannot {doing}: {said}; {_advice(error)}"


def _advice(error: BaseException) -> str:
    if isinstance(error, sqlite3.Error):
        name: str = getattr(error, "sqlite_errorname", "")
        for prefix, advice in _SQLITE.items():
            if name.startswith(prefix):
                return advice
    state: str | None = getattr(error, "sqlstate", None)
    if state:
        for prefix, advice in _POSTGRES.items():
            if state.startswith(prefix):
                return advice
    match error:
        case FileExistsError() | NotADirectoryError():
            return (
                "a store is a folder and something else is in its place; choose another one (--store or CRUCIBLE_STORE)"
            )
        case OSError():
            return "choose a folder that you may write to, with space left (option --store or CRUCIBLE_STORE)"
        case _ if (type(error).__module__, type(error).__name__) == ("psycopg", "OperationalError"):
            return "check the URL in CRUCIBLE_STORE and that the server runs"
        case _:
            return "if this does not look like your doing, please report it with this message"
