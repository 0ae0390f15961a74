"""Text files line by line: bounded, numbered, with or without a byte order mark, whatever ends their lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.errors import StoreError

__all__ = ["HEAD_BYTES", "LONGEST_BYTES", "decode_line", "head_of", "json_value", "lines_of", "objects_of"]

LONGEST_BYTES = 64 << 20
"""Of one line; what is longer is no line of results."""

HEAD_BYTES = 1 << 16
"""Of the beginning of a file that tells its format."""

_BOM = b"\xef\xbb\xbf"


def head_of(path: Path) -> bytes:
    """Return the beginning of a file, without a byte order mark.

    Raises:
        StoreError: The file cannot be read or is empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    if not head.removeprefix(_BOM).strip():
        raise StoreError(f"{path} is empty: there is nothing to compare")
    return head.removeprefix(_BOM)


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each line that is not blank, without its end.

    Raises:
        StoreError: The file cannot be read, or a line is longer than `LONGEST_BYTES`.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_BYTES + 1):
                number += 1
                if len(line) > LONGEST_BYTES:
                    raise StoreError(f"{path}:{number}: a line of more than {LONGEST_BYTES >> 20} MiB")
                content = (line.removeprefix(_BOM) if number == 1 else line).strip()
                if content:
                    yield number, content
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def objects_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and JSON object of each line.

    Raises:
        StoreError: A line is no JSON object; with file and line, and whether the file seems cut off.
    """
    for number, line in lines_of(path):
        yield number, decode_line(path, number, line)


def decode_line(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return the JSON object on a line.

    Raises:
        StoreError: It is none; with file and line.
    """
    try:
        found = json_value(line)
    except ValueError as error:
        torn = "" if line.endswith((b"}", b"]")) else "; the line seems to be cut off"
        raise StoreError(f"{path}:{number}: not JSON: {error}{torn}") from error
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    raise StoreError(f"{path}:{number}: expected a JSON object, got a {type(found).__name__}")


def json_value(text: bytes) -> Any:
    """Return the value of a JSON text; NaN and infinities, which JSON does not have but tools write, are read too.

    Raises:
        ValueError: It is no JSON.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(str(error)) from error
