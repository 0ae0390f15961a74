"""The one door to the formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.errors import SpecError
from crucible.store import StoredEvent
from crucible.telemetry.exports import (
    FORMATS,
    Anonymizer,
    Source,
    default_path,
    export_points,
    export_records,
    safe_name,
)

Make = Callable[..., StoredEvent]


@pytest.mark.parametrize("name", FORMATS)
def test_format_by_name_or_suffix(record: Make, tmp_path: Path, name: str) -> None:
    """A format is asked for by name, whatever the suffix, or by the suffix."""
    named = export_records([record(1)], name, tmp_path / "a.dat")
    suffixed = export_records([record(1)], path=tmp_path / f"a.{name.upper()}")
    assert named.format == suffixed.format == name
    assert named.path.read_bytes() == suffixed.path.read_bytes()


def test_unknown_format_says_what_was_meant(record: Make, tmp_path: Path) -> None:
    """A slip of the keyboard gets a guess, and nothing is written."""
    with pytest.raises(SpecError, match=r"csv, jsonl, parquet; did you mean \"parquet\"\?"):
        export_records([record(1)], "parqet", tmp_path / "a")
    with pytest.raises(SpecError, match="has no suffix and no format is given"):
        export_points([], path=tmp_path / "a", run_id="r")
    assert list(tmp_path.iterdir()) == []


def test_default_path_stays_in_its_folder(record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name such as `../evil` cannot lead out of `exports`."""
    monkeypatch.chdir(tmp_path)
    found = export_records([record(1)], "jsonl", source=Source("x", "../evil/x"))
    assert re.fullmatch(r"exports/_evil_x_\d{8}T\d{6}\.\d{6}Z\.jsonl", found.path.as_posix())
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]


def test_default_paths_never_meet(record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports that follow each other at once each have a file of their own."""
    monkeypatch.chdir(tmp_path)
    paths = {export_records([record(1)], source=Source("x", "same")).path for _ in range(20)}
    paths |= {export_points([], run_id="same").path for _ in range(20)}
    assert len(paths) == 40
    assert {path.suffix for path in paths} == {".csv"}


def test_default_path_of_a_hidden_export_names_nobody(
    record: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An anonymised file does not have the experiment's name, which may be a person's."""
    monkeypatch.chdir(tmp_path)
    found = export_records([record(1)], source=Source("x", "alice's run"), anonymizer=Anonymizer())
    assert found.path.name.startswith("events_")


@given(st.text())
def test_safe_names_are_names(name: str) -> None:
    """Any text gives a name of one part that is not hidden, not empty and not too long."""
    safe = safe_name(name)
    assert Path(safe).name == safe
    assert safe[0] not in ".- "
    assert len(default_path(name, "parquet").name.encode()) <= 255
    assert safe_name(safe) == safe


def test_reserved_and_empty_names(tmp_path: Path) -> None:
    """Names that Windows keeps for itself are changed; a name of nothing but signs is `experiment`."""
    assert [safe_name(name) for name in ("NUL", "com1.txt", "..", "", "///", "ok-1.2")] == [
        "NUL_", "com1.txt_", "experiment", "experiment", "experiment", "ok-1.2",
    ]  # fmt: skip
