"""Checks an archive against its manifests: every file is there, whole, and as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from crucible.errors import StoreError, require
from crucible.ir import file_sha256
from crucible.telemetry.archive.layout import INFO, MANIFEST, experiment_folder, experiment_ids
from crucible.telemetry.archive.manifest import ArchiveManifest, read_manifest

__all__ = ["ArchiveProblem", "verify_archive"]


class ArchiveProblem(msgspec.Struct, frozen=True):
    """Something that is not as it was archived.

    Args:
        path: The file.
        problem: What is wrong with it.
    """

    path: Path
    problem: str


def verify_archive(folder: str | Path, experiment_id: str | None = None) -> list[ArchiveProblem]:
    """Return everything that is wrong with an archive; empty if it is as it was written.

    Reads every byte.

    Args:
        folder: The archive.
        experiment_id: Only this experiment; None: all.

    Raises:
        MissingExtra: The extra `data` is not installed.
    """
    folder = Path(folder)
    ids = experiment_ids(folder) if experiment_id is None else [experiment_id]
    return [problem for one in ids for problem in _problems(folder, one)]


def _problems(folder: Path, experiment_id: str) -> Iterator[ArchiveProblem]:
    base = experiment_folder(folder, experiment_id)
    try:
        manifest = read_manifest(folder, experiment_id)
    except StoreError as error:
        yield ArchiveProblem(base / MANIFEST, f"{error}")
        return
    if manifest.experiment_id != experiment_id:
        yield ArchiveProblem(base / MANIFEST, f"is of the experiment {manifest.experiment_id!r}")
    yield from _wrong_counts(base, manifest)
    yield from _changed(base / INFO, manifest.info_sha256)
    known = {base / INFO, base / MANIFEST}
    for file in manifest.files:
        path = base / file.path
        known.add(path)
        changed = list(_changed(path, file.sha256))
        yield from changed
        if not changed and (rows := _row_count(path)) != file.rows:
            yield ArchiveProblem(path, f"has {rows} rows, the manifest says {file.rows}")
    extra = sorted(path for path in base.rglob("*") if path.is_file() and path not in known)
    yield from (ArchiveProblem(path, "is not in the manifest") for path in extra)


def _wrong_counts(base: Path, manifest: ArchiveManifest) -> Iterator[ArchiveProblem]:
    for kind, count in (("events", manifest.events), ("series", manifest.points)):
        rows = sum(file.rows for file in manifest.files if file.kind == kind)
        if rows != count:
            yield ArchiveProblem(base / MANIFEST, f"its {kind} files have {rows} rows, it says {count}")


def _changed(path: Path, sha256: str) -> Iterator[ArchiveProblem]:
    try:
        if file_sha256(path) != sha256:
            yield ArchiveProblem(path, "its content is not what was archived (SHA-256 differs)")
    except StoreError as error:
        yield ArchiveProblem(path, f"{error}")


def _row_count(path: Path) -> int:
    parquet = require("pyarrow.parquet", extra="data", feature="Parquet")
    return parquet.read_metadata(path).num_rows
