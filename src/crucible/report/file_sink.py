"""The sink `file`: one file a format in the run's folder, none of them ever overwritten."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import ClassVar

from pydantic import Field

from crucible.errors import ContractError, StoreError
from crucible.ir import atomic_write
from crucible.pipeline import Context
from crucible.report.delivery import DEFAULT_NAME, Delivery, numbered, stem
from crucible.report.rendering import EXTENSIONS
from crucible.report.sink import SinkOptions

__all__ = ["FileOptions", "FileSink"]

_FOLDER = "report"
_TRACE = "trace.json"  # the run writes it when it ends, over whatever is there
_FOLDERS = ("train", "evaluate")  # of the stages; file systems that ignore case take `Train` for the same
_MOST_BYTES = 200  # of one part of a path; file systems stop at 255, and an ending and a number come on top


class FileOptions(SinkOptions):
    """Options of the sink `file`."""

    path: str | None = Field(
        default=None,
        min_length=1,
        description="File in the run's folder; the ending follows from the format. null: report/<name>.",
    )


class FileSink:
    """Writes files that are whole or absent, and references them as artifacts of the run."""

    Options: ClassVar[type[SinkOptions]] = FileOptions

    def refuse(self, options: FileOptions, formats: tuple[str, ...]) -> Iterable[tuple[str, str]]:
        """Return what is wrong with the path."""
        if options.path is None:
            return
        fault = _fault(options.path)
        named = _format_of(options.path)
        if fault:
            yield "path", fault
        elif named and named not in formats:
            yield "path", f'"{options.path}" is a name for {named}, and this output is {", ".join(formats)}'
        elif taken := _taken(self.place(options, "") or "", formats):
            yield "path", f'"{options.path}" leads to {taken}, which the run itself writes; choose another path'

    def place(self, options: FileOptions, name: str) -> str | None:
        """Return the path in the run's folder, without the ending."""
        if options.path is None:
            return f"{_FOLDER}/{stem(name)}"
        path = PurePosixPath(options.path)
        return str(path.with_suffix("") if _format_of(options.path) else path)

    def deliver(self, context: Context, delivery: Delivery, options: FileOptions) -> Context:
        """Write the file beside whatever is there already; the very same content is not written again.

        Raises:
            StoreError: The file cannot be written.
            ContractError: The path leads out of the run's folder, through a link.
        """
        place = self.place(options, delivery.name) or ""
        artifact, path = _free(context, delivery, place)
        if not path.exists():
            atomic_write(path, delivery.content)
        read = [name for name in context.artifacts if name.startswith(("scores.", "history."))]
        context = context.add_file(artifact, path, media_type=delivery.media_type, made_from=read)
        kept = context.artifacts[artifact].path
        return context.add_output(delivery.record("file", artifact=artifact, path=kept))


def _fault(path: str) -> str | None:
    """Return why a path cannot be used."""
    parts = PurePosixPath(path).parts
    if path.startswith(("/", "~")) or "\\" in path or ":" in path or ".." in parts:
        return f'"{path}" must stay in the run\'s folder: a relative path with "/" between its parts, without ".."'
    if not path.isprintable() or any(len(part.encode()) > _MOST_BYTES for part in parts):
        return f"expected printable text, {_MOST_BYTES} bytes at most between two /"
    if path.endswith("/") or not parts or not stem(parts[-1]):
        return f'"{path}" has no letter or digit to name a file by'
    return None


def _taken(place: str, formats: tuple[str, ...]) -> str | None:
    """Return the file or folder of the run that a report would stand in the way of, or be overwritten by."""
    first, *rest = (part.lower() for part in PurePosixPath(place).parts)
    if rest:
        return f"{first}/" if first in (*_FOLDERS, _TRACE) else None
    names = [f"{first}.{EXTENSIONS[format_]}" for format_ in EXTENSIONS if format_ in formats]
    return _TRACE if _TRACE in names else None


def _format_of(path: str) -> str | None:
    """Return the format that a path's ending stands for."""
    ending = PurePosixPath(path).suffix.removeprefix(".").lower()
    return next((format_ for format_, extension in EXTENSIONS.items() if extension == ending), None)


def _free(context: Context, delivery: Delivery, place: str) -> tuple[str, Path]:
    """Return an artifact name, and a file that nothing else of the run has taken."""
    taken = {reference.path for reference in context.artifacts.values()}
    for candidate, name in zip(numbered(place), numbered(delivery.stem), strict=False):
        relative = f"{candidate}.{delivery.extension}"
        artifact = f"report.{delivery.format}" if name == DEFAULT_NAME else f"report.{name}.{delivery.format}"
        path = context.workspace / relative
        if not path.parent.resolve().is_relative_to(context.workspace.resolve()):
            raise ContractError(f"{path} leads out of the run's folder {context.workspace}; choose another path")
        if artifact not in context.artifacts and relative not in taken and _is_free(path, delivery.content):
            return artifact, path
    raise AssertionError("numbers do not end")


def _is_free(path: Path, content: bytes) -> bool:
    """Tell whether a file may stand at `path`: none does, or the same that an interrupted attempt has left."""
    if path.is_symlink():
        return False
    try:
        return not path.exists() or (path.is_file() and path.read_bytes() == content)
    except OSError as error:
        raise StoreError(f"{path} is in the way and cannot be read ({error.strerror or error})") from error
