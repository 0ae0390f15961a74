"""Files of strangers, read so that none of them can do harm: only regular ones inside the folder, bounded in size.

Symbolic links are reported and not followed, wherever they lead; the path that the caller gives may be one. Files of
lines may be gzipped, whatever their names.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from crucible.errors import SpecError, StoreError
from crucible.telemetry.importers.json_text import json_value
from crucible.telemetry.importers.problem import Problems, shown

__all__ = [
    "WHOLE",
    "Entry",
    "Line",
    "Span",
    "entries",
    "fault",
    "files_below",
    "is_folder",
    "read_lines",
    "read_objects",
    "read_small",
    "rooted",
]

_LINE_BYTES = 1 << 24  # 16 MiB; a file without line feeds must not fill the memory
_SMALL_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_LINK = "is a symbolic link, which is not followed; import what it names"


class Line(NamedTuple):
    """A line of a file: number from 1, first byte, bytes without what is blank at its end, whether a line feed was."""

    number: int
    start_bytes: int
    text: bytes
    is_whole: bool


class Entry(NamedTuple):
    """A JSON object of a file: the numbers of its first and last lines, its first byte, itself and its text."""

    number: int
    last: int
    start_bytes: int
    value: dict[str, Any]
    text: bytes


class Span(NamedTuple):
    """Some lines of a file: first byte and number of the first, number of the last (None: to the end)."""

    start_bytes: int
    first: int
    last: int | None


WHOLE = Span(0, 1, None)


def fault(path: Path, error: OSError) -> StoreError:
    """Return the error of a path that cannot be read."""
    return StoreError(f"{shown(str(path))} cannot be read ({error.strerror or error}); check the path and its rights")


def rooted(path: str | Path) -> Path:
    """Return a path that is there, absolute, so that it has a name.

    Raises:
        StoreError: It is missing, or nothing that can be read.
        SpecError: It is neither a folder nor a regular file.
    """
    found = Path(path).absolute()
    try:
        found.stat()
    except (OSError, ValueError) as error:
        raise fault(found, error if isinstance(error, OSError) else OSError(str(error))) from error
    if not (found.is_file() or found.is_dir()):
        raise SpecError(f"{shown(str(found))} is neither a folder nor a regular file; give one of these", code="path")
    return found


def is_folder(path: Path, problems: Problems) -> bool:
    """Return whether a path is a folder; a symbolic link is reported and is none."""
    if path.is_symlink():
        problems.report("left_out", path, _LINK)
        return False
    return path.is_dir()


def entries(folder: Path, problems: Problems) -> Iterator[os.DirEntry[str]]:
    """Yield a folder's regular files and folders by name; what is neither is reported."""
    try:
        with os.scandir(folder) as found:
            ordered = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        problems.report("damaged", folder, f"the folder cannot be read ({error.strerror or error})")
        return
    for entry in ordered:
        if entry.is_symlink():
            problems.report("left_out", entry.path, _LINK)
        elif entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False):
            yield entry
        else:
            problems.report("left_out", entry.path, "is no regular file")


def files_below(folder: Path, problems: Problems) -> Iterator[tuple[Path, str]]:
    """Yield every regular file below a folder with its name relative to it, parts joined by `/`."""
    waiting = [(folder, "")]
    while waiting:
        current, prefix = waiting.pop()
        for entry in entries(current, problems):
            if entry.is_dir(follow_symlinks=False):
                waiting.append((Path(entry.path), f"{prefix}{entry.name}/"))
            else:
                yield Path(entry.path), prefix + entry.name


def read_small(path: Path, problems: Problems) -> str | None:
    """Return a small file's text, odd bytes as escapes; None, reported, if it cannot be read or has over 1 MiB."""
    try:
        with path.open("rb") as file:
            data = file.read(_SMALL_BYTES + 1)
    except OSError as error:
        problems.report("damaged", path, f"the file cannot be read ({error.strerror or error})")
        return None
    if len(data) > _SMALL_BYTES:
        problems.report("left_out", path, "the file has more than 1 MiB, more than a name or a value takes")
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        problems.report("damaged", path, f"the file is not UTF-8 (byte {error.start}); odd bytes are kept as \\xNN")
        return data.decode("utf-8", "backslashreplace")


def read_lines(path: Path, problems: Problems, span: Span | None = None) -> Iterator[Line]:
    """Yield the lines of a file that are not blank; one beyond 16 MiB is reported and left out.

    Args:
        path: The file.
        problems: Takes what cannot be read.
        span: The lines to read; None: all.

    Raises:
        StoreError: The file cannot be opened or read.
    """
    place, number, last = (span.start_bytes, span.first - 1, span.last) if span else (0, 0, None)
    try:
        with _lines_of(path) as file:
            file.seek(place)
            while number != last and (text := file.readline(_LINE_BYTES)):
                number += 1
                start, place = place, place + len(text)
                is_whole = text.endswith(b"\n")
                if not is_whole and len(text) == _LINE_BYTES:
                    problems.report("damaged", path, "the line has more than 16 MiB; it was left out", line=number)
                    place += _pass_over(file)
                    continue
                text = text.rstrip()
                if text:
                    yield Line(number, start, text, is_whole)
    except EOFError:
        message = f"the compressed file is not whole; what comes after line {number} was left out"
        problems.report("torn", path, message, line=number + 1)
    except (zlib.error, gzip.BadGzipFile) as error:
        message = f"the compressed file is damaged ({error}); what comes after line {number} was left out"
        problems.report("damaged", path, message, line=number + 1)
    except OSError as error:
        raise fault(path, error) from error


@contextmanager
def _lines_of(path: Path) -> Generator[BinaryIO]:
    with path.open("rb") as file:
        if file.peek(2)[:2] == _GZIP:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast("BinaryIO", unpacked)
        else:
            yield file


def _pass_over(file: BinaryIO) -> int:
    passed = 0
    while text := file.readline(_LINE_BYTES):
        passed += len(text)
        if text.endswith(b"\n"):
            break
    return passed


def read_objects(
    path: Path, problems: Problems, span: Span | None = None, parse: Callable[[bytes], Any] = json_value
) -> Iterator[Entry]:
    """Yield the JSON objects of a file of lines.

    An object may also be spread over lines, as the predecessor's `pretty` exports are: from a line `{` to a line `}`.

    Args:
        path: The file.
        problems: Takes what is no object.
        span: The lines to read; None: all.
        parse: Returns the value of an object's text, or raises a ValueError.

    Raises:
        StoreError: The file cannot be opened or read.
    """
    for line, last in _joined(path, problems, span):
        try:
            value = parse(line.text)
        except ValueError as error:
            if line.is_whole:
                problems.report("damaged", path, f"is not JSON ({error}); it was left out", line=line.number)
            else:
                message = f"the last line is not whole ({len(line.text)} bytes); it was left out"
                problems.report("torn", path, message, line=line.number)
            continue
        if isinstance(value, dict):
            yield Entry(line.number, last, line.start_bytes, cast("dict[str, Any]", value), line.text)
        else:
            what = type(value).__name__
            problems.report("damaged", path, f"expected a JSON object, got {what}; it was left out", line=line.number)


def _joined(path: Path, problems: Problems, span: Span | None) -> Iterator[tuple[Line, int]]:
    """Yield the lines of a file, an object that is spread over indented lines as one, and the number where it ends."""
    begun: Line | None = None
    parts: list[bytes] = []
    size = 0
    for line in read_lines(path, problems, span):
        if begun is not None:
            parts.append(line.text)
            size += len(line.text)
            if line.text == b"}":
                yield begun._replace(text=b"\n".join(parts), is_whole=True), line.number
                begun = None
                continue
            if line.text[:1].isspace() and size <= _LINE_BYTES:
                continue
            problems.report("damaged", path, "an object begins here and does not end", line=begun.number)
            begun = None
        if line.text == b"{":
            begun, parts, size = line, [line.text], 0
        else:
            yield line, line.number
    if begun is not None:
        yield begun._replace(text=b"\n".join(parts), is_whole=False), begun.number
