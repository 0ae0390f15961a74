"""The bytes of a file of text, plain or gzipped, line by line. What is wrong with them is said with file and line."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from crucible.errors import DataError

__all__ = ["BOM", "numbered_lines", "opened", "sha256_of", "text_of_error", "whole"]

BOM: Final = b"\xef\xbb\xbf"

_MAGIC: Final = (
    (b"PAR1", "a parquet file does", "give it the format parquet"),
    (b"ARROW1", "an Arrow file does", "give it the format arrow"),
    (b"\x1f\x8b", "a gzipped file does", "give its name the ending .gz"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file does", "decompress it first"),
    (b"PK\x03\x04", "a zip file does", "unpack it first"),
    (b"\xff\xfe", "UTF-16 text does", "save it as UTF-8, or, for CSV, give csv: {encoding: utf-16}"),
    (b"\xfe\xff", "UTF-16 text does", "save it as UTF-8, or, for CSV, give csv: {encoding: utf-16}"),
)
_BROKEN: Final = (OSError, EOFError, zlib.error)


def text_of_error(error: BaseException) -> str:
    """Return what an error says, in short: the system's words for it where it has some."""
    return (error.strerror if isinstance(error, OSError) and error.strerror else None) or str(error)


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({text_of_error(error)})") from error


@contextlib.contextmanager
def opened(path: Path, shown: str, *, refuse_utf16: bool = True) -> Generator[BinaryIO]:
    """Open a file of text for reading bytes; one whose name ends in `.gz` is decompressed on the way.

    Args:
        path: The file.
        shown: Its name for messages.
        refuse_utf16: Refuse what begins as UTF-16 does.

    Raises:
        DataError: It cannot be opened, or begins as a file of another kind does.
    """
    is_gzipped = path.suffix == ".gz"
    try:
        file = cast("BinaryIO", gzip.open(path, "rb")) if is_gzipped else path.open("rb")  # noqa: SIM115  # closed below
    except OSError as error:
        raise DataError(f"{shown} cannot be read ({text_of_error(error)})") from error
    with file:
        try:
            head = file.read(6)
            file.seek(0)
        except _BROKEN as error:
            raise DataError(_broken(shown, 1, error, is_gzipped=is_gzipped)) from error
        for magic, what, remedy in _MAGIC if refuse_utf16 else _MAGIC[:-2]:
            if head.startswith(magic):
                raise DataError(f"{shown} is no such text: it begins as {what}; {remedy}")
        yield file


def numbered_lines(path: Path, shown: str) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number, from 1; the first one without a byte-order mark.

    Raises:
        DataError: The file cannot be read to its end, or begins as a file of another kind does.
    """
    number = 0
    with opened(path, shown) as file:
        try:
            for number, line in enumerate(file, start=1):
                yield number, line.removeprefix(BOM) if number == 1 else line
        except _BROKEN as error:
            raise DataError(_broken(shown, number + 1, error, is_gzipped=path.suffix == ".gz")) from error


def whole(path: Path, shown: str) -> bytes:
    """Return the bytes of a file of text without a byte-order mark.

    Raises:
        DataError: The file cannot be read to its end, or begins as a file of another kind does.
    """
    with opened(path, shown) as file:
        try:
            return file.read().removeprefix(BOM)
        except _BROKEN as error:
            raise DataError(_broken(shown, 1, error, is_gzipped=path.suffix == ".gz")) from error


def _broken(shown: str, line: int, error: Exception, *, is_gzipped: bool) -> str:
    if is_gzipped and not (isinstance(error, OSError) and error.errno):
        return f"{shown}:{line}: the gzipped file is torn or damaged ({error}); get it again"
    return f"{shown} cannot be read ({text_of_error(error)})"
