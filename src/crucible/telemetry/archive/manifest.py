"""What an archived experiment consists of: every file with its rows, its times and its SHA-256."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.errors import StoreError
from crucible.store import decode
from crucible.telemetry.archive.layout import INFO, MANIFEST, Kind, experiment_folder

__all__ = ["FORMAT", "ArchiveManifest", "ArchivedFile", "read_info", "read_manifest"]

FORMAT = "crucible-telemetry-archive/1"


class ArchivedFile(msgspec.Struct, frozen=True):
    """A file of an archive.

    Args:
        path: Where, relative to the experiment's folder, with `/`.
        kind: What its rows are.
        day: The day of all of them, UTC.
        rows: How many.
        first_ns: Time of the earliest, nanoseconds since 1970-01-01 UTC.
        last_ns: Time of the latest.
        bytes: Its length.
        sha256: Of its content, 64 hexadecimal digits.
    """

    path: str
    kind: Kind
    day: str
    rows: int
    first_ns: int
    last_ns: int
    bytes: int
    sha256: str


class ArchiveManifest(msgspec.Struct, frozen=True):
    """An archived experiment.

    Args:
        experiment_id: Its id.
        created_at: ISO 8601 UTC, when it was archived.
        events: How many events.
        points: How many points of series.
        info_sha256: Of `experiment.json`.
        files: Its files, by kind, day and part.
        format: Name and version of the layout.
    """

    experiment_id: str
    created_at: str
    events: int
    points: int
    info_sha256: str
    files: tuple[ArchivedFile, ...]
    format: str = FORMAT


def read_manifest(folder: str | Path, experiment_id: str) -> ArchiveManifest:
    """Return the manifest of an archived experiment.

    Raises:
        StoreError: There is no such experiment in the archive, or its manifest is damaged or of another version.
    """
    path = experiment_folder(Path(folder), experiment_id) / MANIFEST
    try:
        manifest = msgspec.json.decode(_content(path), type=ArchiveManifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is no manifest of an archive ({error}); archive the experiment again") from error
    if manifest.format != FORMAT:
        raise StoreError(f"{path} is of the format {manifest.format!r}; this version of Crucible reads {FORMAT!r}")
    if any(".." in file.path.split("/") or file.path.startswith("/") for file in manifest.files):
        raise StoreError(f"{path} names a file outside of its folder; archive the experiment again")
    return manifest


def read_info(folder: str | Path, experiment_id: str) -> dict[str, Any]:
    """Return what `write_archive` was told of an experiment.

    Raises:
        StoreError: There is no such experiment in the archive, or the file is damaged.
    """
    path = experiment_folder(Path(folder), experiment_id) / INFO
    try:
        info = decode(_content(path).decode())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is damaged ({error}); archive the experiment again") from error
    if not isinstance(info, dict):
        raise StoreError(f"{path} holds no JSON object; archive the experiment again")
    return cast("dict[str, Any]", info)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read ({error.strerror or error}); is the experiment archived here?"
        ) from error
