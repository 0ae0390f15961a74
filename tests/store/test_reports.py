"""Rendered reports are kept as text, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crucible.errors import StoreError
from crucible.pipeline import RunInfo
from crucible.store import Store


def test_a_report_is_read_by_another_connection(store: Store, opened: Callable[[], Store]) -> None:
    """Its text comes back as it was, by run, name and format; what is not there is None."""
    store.runs.run_started(RunInfo("r", "e", {}))
    store.reports.save("r", "report", "markdown", "text/markdown", "# Größe 50 %\n")
    reader = opened().reports
    assert reader.load("r", "report", "markdown") == "# Größe 50 %\n"
    assert reader.load("r", "report", "html") is None
    assert reader.load("other", "report", "markdown") is None


def test_a_report_saved_again_replaces_the_one_before(store: Store) -> None:
    """There is one of a name and format, the last; a NUL and half a surrogate pair do not make it fail."""
    store.runs.run_started(RunInfo("r", "e", {}))
    for text in ("old", "new \0\ud800"):
        store.reports.save("r", "report", "csv", "text/csv", text)
    store.reports.save("r", "other", "csv", "text/csv", "")
    assert store.reports.load("r", "report", "csv") == "new \\x00\\ud800"
    listed = store.reports.list("r")
    assert [(entry.name, entry.format, entry.characters) for entry in listed] == [
        ("other", "csv", 0),
        ("report", "csv", 14),
    ]
    assert listed[0].media_type == "text/csv"
    assert listed[0].saved_at <= listed[1].saved_at or listed[0].saved_at > ""


def test_a_report_belongs_to_a_run(store: Store) -> None:
    """One of an unknown run is refused."""
    with pytest.raises(StoreError, match='cannot save the report report: there is no run "ghost"'):
        store.reports.save("ghost", "report", "csv", "text/csv", "")
    assert store.reports.list("ghost") == []
