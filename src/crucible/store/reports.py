"""Rendered reports of runs as text: by run, name and format, for those who read the database and not the folder.

The store neither renders nor reads them; a report saved again replaces the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.codec import storable
from crucible.store.engine import Database
from crucible.store.records import StoredReport

__all__ = ["ReportRepository"]

_reports, _runs = tables.reports, tables.runs


class ReportRepository:
    """The reports of a store.

    Args:
        database: The open database.
        clock: Returns the current time, aware.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def save(self, run_id: str, name: str, format: str, media_type: str, text: str) -> None:  # noqa: A002  # the column's name
        r"""Keep a report in place of an earlier one of the same name and format; durable when it returns.

        Args:
            run_id: The run's full id.
            name: The report's name, such as `report`.
            format: Such as `markdown` or `html`.
            media_type: Such as `text/markdown`.
            text: The report. NUL characters, which databases refuse, are kept as `\x00`.

        Raises:
            StoreError: There is no such run, or it could not be written.
        """
        row = {
            "run_id": run_id,
            "name": storable(name),
            "format": storable(format),
            "media_type": storable(media_type),
            "text": storable(text),
            "saved_at": self._clock().astimezone(UTC).isoformat(timespec="microseconds"),
        }
        with self._database.writing(f"save the report {name} of run {run_id}") as connection:
            if connection.scalar(select(_runs.c.run_id).where(_runs.c.run_id == run_id)) is None:
                raise StoreError(
                    f'{self._database.location}: cannot save the report {name}: there is no run "{run_id}"; '
                    "a report belongs to a run that was started in this store"
                )
            connection.execute(self._database.upsert(_reports, ["run_id", "name", "format"]), row)

    def load(self, run_id: str, name: str, format: str) -> str | None:  # noqa: A002  # the column's name
        """Return a report's text, None if the run has no such report.

        Args:
            run_id: The run's full id.
            name: The report's name.
            format: Its format.
        """
        query = select(_reports.c.text).where(
            _reports.c.run_id == run_id, _reports.c.name == name, _reports.c.format == format
        )
        with self._database.reading(f"read a report of run {run_id}") as connection:
            return connection.scalar(query)

    def list(self, run_id: str) -> Sequence[StoredReport]:
        """Return what reports a run has, without their text, by name and format.

        Args:
            run_id: The run's full id.
        """
        kept = (_reports.c.name, _reports.c.format, _reports.c.media_type, _reports.c.saved_at)
        query = select(*kept, func.length(_reports.c.text).label("characters")).where(_reports.c.run_id == run_id)
        with self._database.reading(f"list the reports of run {run_id}") as connection:
            rows = connection.execute(query).all()
        found = [StoredReport(row.name, row.format, row.media_type, row.characters, row.saved_at) for row in rows]
        return sorted(found, key=lambda report: (report.name, report.format))
