"""Foreign errors become a `StoreError`, whatever their kind, with advice that fits."""

from __future__ import annotations

import pickle
import sqlite3

import pytest
from sqlalchemy import exc

from crucible.errors import StoreError
from crucible.store.faults import store_faults


class ServerError(Exception):
    """An error as psycopg raises it, with a code of SQLSTATE."""

    def __init__(self, message: str, sqlstate: str | None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


def said(error: BaseException) -> str:
    """Return the message that an error becomes."""
    with pytest.raises(StoreError) as raised, store_faults("file.db", "save a run"):
        raise error
    assert raised.value.__cause__ is error
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device"), "No space left on device; choose a folder that you may write to"),
        (sqlite3.OperationalError("strange"), "strange; if this does not look like your doing, please report"),
        (exc.InvalidRequestError("odd use\nof it"), "odd use; if this"),
        (exc.DBAPIError("SELECT", None, ServerError("full\nHINT: x", "53100")), "full; the server's disk is full"),
        (exc.DBAPIError("SELECT", None, ServerError("bye", "57P01")), "bye; the server is shutting down or starting"),
        (exc.DBAPIError("SELECT", None, ServerError("what", "XX000")), "what; if this"),
        (exc.DBAPIError("SELECT", None, ServerError("", None)), "ServerError; if this"),
        (OverflowError("Python int too large"), "Python int too large; if this"),
    ],
)
def test_a_foreign_error_is_told_in_our_words(error: BaseException, message: str) -> None:
    """The place, what was tried, what the system said in one line, and what to do."""
    assert said(error).startswith(f"file.db: cannot save a run: {message}")


def test_our_own_errors_pass() -> None:
    """A `StoreError` is not wrapped again, and what is not of the store is none of its business."""
    ours = StoreError("ours")
    with pytest.raises(StoreError) as raised, store_faults("f", "d"):
        raise ours
    assert raised.value is ours
    with pytest.raises(KeyError), store_faults("f", "d"):
        raise KeyError
