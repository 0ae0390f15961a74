"""The sinks `database` and `postgres`: a report as a row of the store, for those who read the database.

`postgres` is a `database` that must be a server. Which store it is comes from the run or from an environment variable,
never from the document, since the URL of a server holds a password.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from crucible.errors import StoreError
from crucible.pipeline import Context
from crucible.report import _reading as reading
from crucible.report.delivery import Delivery, numbered
from crucible.report.sink import SinkOptions
from crucible.store import Store, open_store, storable

__all__ = ["DatabaseOptions", "DatabaseSink"]

_ENVIRONMENT = "CRUCIBLE_STORE"
_HIDDEN = ":***@"


class DatabaseOptions(SinkOptions):
    """Options of the sinks `database` and `postgres`."""

    url_env: str | None = Field(
        default=None,
        min_length=1,
        description="Environment variable that holds the URL or the folder of the store; null: the run's own store.",
    )


@dataclass(frozen=True, slots=True)
class DatabaseSink:
    """Keeps reports in the table `reports` of a store that knows the run.

    Args:
        name: What the document calls the sink.
        must_be_server: Whether a SQLite file is refused.
    """

    Options: ClassVar[type[SinkOptions]] = DatabaseOptions

    name: str
    must_be_server: bool = False

    def refuse(self, options: DatabaseOptions, formats: tuple[str, ...]) -> Iterable[tuple[str, str]]:  # noqa: ARG002  # a sink's
        """Return what is wrong with the variable that names the store."""
        if options.url_env is None:
            return
        url = os.environ.get(options.url_env)
        if not url:
            yield "url_env", f"the environment variable {options.url_env} is not set"
        elif self.must_be_server and "://" not in url:
            yield "url_env", f"{options.url_env} holds no URL of a PostgreSQL server; for a folder use `database`"

    def place(self, options: DatabaseOptions, name: str) -> str | None:
        """Return the store and the report's name in it."""
        return f"{options.url_env or ''}/{name}"

    def deliver(self, context: Context, delivery: Delivery, options: DatabaseOptions) -> Context:
        """Save the report beside whatever the run has there already; the very same text is not saved again.

        Raises:
            StoreError: The store cannot be opened or written, does not know the run, or is not of the right kind.
            MissingExtra: A PostgreSQL store without psycopg.
        """
        with _opened(context, options) as store:
            if self.must_be_server and "://" not in store.location:
                raise StoreError(
                    f"the sink postgres needs a PostgreSQL server, and the run's store is {store.location}; set "
                    f"{_ENVIRONMENT}=postgresql://…, name a variable in `url_env`, or use the sink `database`"
                )
            name = _save(store, context.run_id, delivery)
            location = store.location
        record = delivery.record(self.name, store=location, report=name, **delivery.digest())
        return context.add_output(record)


def _opened(context: Context, options: DatabaseOptions) -> Store:
    if options.url_env is not None:
        url = os.environ.get(options.url_env)
        if not url:
            raise StoreError(f"the environment variable {options.url_env} is not set; it names the store of the report")
        return _named(options.url_env, url)
    kept = reading.text(reading.mapping(context.assigns.get("provenance")).get("store"))
    if kept is not None and "://" not in kept:
        folder = context.workspace.parent  # also where a run is resumed from another working directory
        return open_store(folder.parent if folder.name == "artifacts" else kept, create=False)
    url = os.environ.get(_ENVIRONMENT) if kept is None or _HIDDEN in kept else kept
    if not url:
        where = f"the run's store {kept} needs a password" if kept else "the run does not say where it is kept"
        raise StoreError(f"{where}; set {_ENVIRONMENT}, or name a variable that holds its URL in `url_env`")
    return open_store(url, create=False)


def _named(variable: str, url: str) -> Store:
    """Open the store that a variable holds; an error names the variable, which nobody could tell from its value."""
    try:
        return open_store(url)
    except StoreError as error:
        raise StoreError(f"the store that {variable} (url_env) names cannot be used: {error}") from None


def _save(store: Store, run_id: str, delivery: Delivery) -> str:
    """Save the report once, and return the name that it got."""
    for name in numbered(delivery.name):
        kept = store.reports.load(run_id, name, delivery.format)
        if kept is None:
            store.reports.save(run_id, name, delivery.format, delivery.media_type, delivery.text)
            if store.reports.load(run_id, name, delivery.format) != storable(delivery.text):
                raise StoreError(f"{store.location}: the report {name} of run {run_id} reads back otherwise")
            return name
        if kept == storable(delivery.text):
            return name
    raise AssertionError("numbers do not end")
