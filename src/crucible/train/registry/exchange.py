"""Models as JSON, to carry them to another store: written whole, read as something that anybody may have written.

The file names every version with its stage, lineage, scores and audit, and its files by path, size and SHA-256. With
files, it is a folder: `models.json` and the contents in `objects/`, each held against its digest on the way in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from crucible.backends.placing import check_free, placed
from crucible.errors import SpecError, StoreError
from crucible.ir import atomic_write
from crucible.store.codec import decode, encode
from crucible.store.models import (
    ModelChange,
    ModelFile,
    ModelObjects,
    ModelRepository,
    StoredModelVersion,
    TakenVersion,
)

__all__ = ["FORMAT", "read_models", "write_models"]

FORMAT: Final = "crucible-models/1"
_FILE: Final = "models.json"
_OBJECTS: Final = "objects"
_LARGEST_BYTES: Final = 1 << 30


class _Models(msgspec.Struct):
    format: str
    exported_at: str = ""
    versions: list[TakenVersion] = []
    changes: list[ModelChange] = []


def write_models(models: ModelRepository, into: Path, names: Sequence[str] = (), *, with_files: bool = False) -> Path:
    """Write models as JSON and return the file; see `ModelRegistry.export`."""
    found = [version for name in names for version in _of(models, name)] if names else list(models.list())
    taken = [_taken(models, version) for version in found]
    changes = [change for name in dict.fromkeys(version.model for version in found) for change in models.changes(name)]
    data = _Models(FORMAT, datetime.now(UTC).isoformat(timespec="seconds"), taken, changes)
    plain = json.loads(encode(msgspec.to_builtins(data)))  # NaN, which JSON does not know, as the store keeps it
    content = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if not with_files:
        if into.is_dir():
            raise StoreError(f"{into} is a folder; name a file, or carry the files along as well")
        return atomic_write(into, content)
    check_free(into, lambda _: False, "exported models")
    kept = {file.sha256: file for version in taken for file in version.files}
    with placed(into, "the exported models") as temporary:
        for file in kept.values():
            models.objects.copy(file, temporary / _OBJECTS / file.sha256)
        atomic_write(temporary / _FILE, content)
    return into / _FILE


def read_models(
    models: ModelRepository, source: Path, *, merge: bool, by: str, why: str = ""
) -> Sequence[StoredModelVersion]:
    """Take in models that `write_models` wrote; see `ModelRegistry.import_models`."""
    folder = source if source.is_dir() else None
    data = _decoded(source / _FILE if folder else source)
    if folder is not None:
        _keep(models.objects, folder / _OBJECTS, (file for version in data.versions for file in version.files))
    return models.take_in(data.versions, data.changes, merge=merge, by=by, why=why or f"imported from {source.name}")


def _of(models: ModelRepository, name: str) -> Sequence[StoredModelVersion]:
    found = models.list(name)
    if not found:
        models.find(name)  # says what there is instead
    return found


def _taken(models: ModelRepository, version: StoredModelVersion) -> TakenVersion:
    files = tuple(models.files(version)) if version.tree_sha256 is not None else ()
    scores = tuple(found for metric in version.scored if (found := models.scores(version, metric)) is not None)
    return TakenVersion(version=version, files=files, scores=scores)


def _decoded(path: Path) -> _Models:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise SpecError(f"{path} is larger than {_LARGEST_BYTES:,} bytes, which no export of models is")
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror or error})") from error
    try:
        plain: Any = decode(content.decode())
        said = plain.get("format") if isinstance(plain, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]  # JSON of somebody else
        if said != FORMAT:
            raise SpecError(f"{path} says format {said!r:.80}, this version of Crucible reads {FORMAT!r}")
        return msgspec.convert(plain, _Models, strict=True)
    except (ValueError, RecursionError, OverflowError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"{path} holds no models as `crucible models export` writes them: {error}") from error


def _keep(objects: ModelObjects, folder: Path, files: Iterable[ModelFile]) -> None:
    """Keep the contents that an export carried along, each held against its digest."""
    for sha256, file in {file.sha256: file for file in files}.items():
        source = folder / sha256
        if not source.exists():
            raise StoreError(f"{source} is missing, the content of {file.path}; export again, with files")
        kept = objects.keep(source, file.path)
        if kept.sha256 != sha256 or kept.size_bytes != file.size_bytes:
            raise StoreError(f"{source} is corrupt, the content of {file.path}: it is not what it is called")
