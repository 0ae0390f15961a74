"""An experiment in one file of JSON lines, as the predecessor meant it: needs nothing but the base installation.

`{"type":"experiment_metadata","data":{…}}`, then `{"type":"event","data":{…}}` for each event, then
`{"type":"points","data":{"series":…,"points":[[step,value,timestamp_ns],…]}}`, and last
`{"type":"end","data":{"events":n,"points":m}}`, by which a reader knows that nothing is missing.
"""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from crucible.errors import StoreError
from crucible.store import StoredEvent, decode
from crucible.telemetry.archive.writing import info_id
from crucible.telemetry.exports.files import whole_file
from crucible.telemetry.exports.payload import json_text, utf8
from crucible.telemetry.exports.points import Point

__all__ = ["JsonlArchive", "read_jsonl_archive", "write_jsonl_archive"]

_POINTS = 1000
_LEVEL = 6


def write_jsonl_archive(
    path: str | Path,
    info: Mapping[str, Any],
    records: Iterable[StoredEvent],
    points: Iterable[Point] = (),
    *,
    replace: bool = False,
) -> Path:
    """Write an experiment into one file of JSON lines, whole or not at all; gzipped if the name ends in `.gz`.

    Args:
        path: Where; missing parent folders are made.
        info: All that is to be kept of the experiment; `id` (or `experiment_id`) names it.
        records: Its events; read once, never all in memory.
        points: `(series, step, value, timestamp_ns)`; read once.
        replace: Whether a file of that name is replaced.

    Raises:
        SpecError: `info` has no id.
        StoreError: The file cannot be written, or is there and not to be replaced.
    """
    path = Path(path)
    info_id(info)
    if path.exists() and not replace:
        raise StoreError(f"{path} is there already; pass replace=True or choose another name")
    with whole_file(path, replace=replace) as file, _packed(file, path) as packed:
        packed.write(_line("experiment_metadata", dict(info)))
        events = count = 0
        for record in records:
            packed.write(_line("event", msgspec.structs.asdict(record)))
            events += 1
        for series, group in itertools.groupby(points, key=lambda point: point[0]):
            while block := [[step, float(value), at] for _, step, value, at in itertools.islice(group, _POINTS)]:
                packed.write(_line("points", {"series": utf8(series), "points": block}))
                count += len(block)
        packed.write(_line("end", {"events": events, "points": count}))
    return path


class JsonlArchive:
    """An experiment in a file of JSON lines; every iterator reads the file from its start.

    Args:
        path: The file.
        info: What was kept of the experiment.
    """

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        self.path = path
        self.info = info

    def records(self) -> Iterator[StoredEvent]:
        """Yield the events as they were written.

        Raises:
            StoreError: A line is damaged, or the file ends too early.
        """
        for number, kind, data in _lines(self.path):
            if kind == "event":
                try:
                    yield msgspec.convert(data, StoredEvent)
                except msgspec.ValidationError as error:
                    raise _damaged(self.path, number, error) from error

    def points(self) -> Iterator[Point]:
        """Yield the points `(series, step, value, timestamp_ns)` as they were written.

        Raises:
            StoreError: A line is damaged, or the file ends too early.
        """
        for number, kind, data in _lines(self.path):
            if kind == "points":
                try:
                    block = msgspec.convert(data, _Block)
                except msgspec.ValidationError as error:
                    raise _damaged(self.path, number, error) from error
                yield from ((block.series, step, value, at) for step, value, at in block.points)


class _Block(msgspec.Struct):
    series: str
    points: list[tuple[int, float, int]]


def read_jsonl_archive(path: str | Path) -> JsonlArchive:
    """Open an experiment that `write_jsonl_archive` wrote.

    Raises:
        StoreError: The file cannot be read, or does not begin with the experiment.
    """
    path = Path(path)
    for number, kind, data in _lines(path):
        if kind == "experiment_metadata" and isinstance(data, dict):
            return JsonlArchive(path, cast("dict[str, Any]", data))
        raise _damaged(path, number, f"it is of the type {kind!r}, the first must be experiment_metadata")
    raise _damaged(path, 1, "the file is empty")


def _line(kind: str, data: dict[str, Any]) -> bytes:
    return f'{{"type":"{kind}","data":{json_text(data)}}}\n'.encode()


@contextmanager
def _packed(file: BinaryIO, path: Path) -> Generator[BinaryIO]:
    if path.suffix != ".gz":
        yield file
        return
    with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as packed:
        yield cast("BinaryIO", packed)


def _lines(path: Path) -> Iterator[tuple[int, str, Any]]:
    """Yield number, type and data of each line; the last one must be the end, with the right counts."""
    events = points = number = 0
    is_over = False
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                kind, data = _parsed(path, number, line)
                if is_over:
                    raise _damaged(path, number, "it comes after the end line")
                if kind == "end":
                    if data != {"events": events, "points": points}:
                        raise _damaged(path, number, f"it counts {data}, but {events} events and {points} points came")
                    is_over = True  # and on, for the checksum of gzip comes last
                    continue
                events += kind == "event"
                points += len(data["points"]) if kind == "points" else 0
                yield number, kind, data
    except (EOFError, OSError, zlib.error) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{path} cannot be read ({error}); restore it from a copy") from error
    if not is_over:
        raise _damaged(path, number + 1, "the file ends before its end line")


def _parsed(path: Path, number: int, line: bytes) -> tuple[str, Any]:
    try:
        whole = decode(line.decode())
        kind, data = whole["type"], whole["data"]
        if kind == "points":
            len(data["points"])
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(path, number, error) from error
    return kind, data


def _damaged(path: Path, number: int, why: object) -> StoreError:
    return StoreError(f"{path}, line {number}: {why}; the archive is damaged, restore it from a copy")
