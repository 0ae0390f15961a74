"""The file of a log: one sample after the other, whole or absent, the same bytes for the same evaluation."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from crucible.data.dataset import Dataset
from crucible.data.evallog.header import LogFacts, Named, log_header
from crucible.data.evallog.sample import failure_of, log_sample, sample_summary
from crucible.data.evaluating.result import EvalResult
from crucible.data.items import Item
from crucible.errors import DataError

__all__ = ["write_eval_log"]

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file knows: the same log is the same bytes
_IN_MEMORY_BYTES = 1 << 20
_ENCODER = msgspec.json.Encoder()


def write_eval_log(
    result: EvalResult,
    dataset: Dataset,
    path: Path | str,
    *,
    task: str,
    model: str = "",
    created: datetime | None = None,
    facts: LogFacts | None = None,
) -> Path:
    """Write an evaluation as a log that `inspect_ai.log.read_eval_log` and `inspect view` read.

    Samples are written one at a time and never held together. An item of which nothing could be scored is a sample with
    an error; where only some scorers failed, or skipped it, it has no score of theirs, and its metadata says why under
    `crucible:outcomes`.

    Args:
        result: What was measured.
        dataset: What was asked.
        path: Where, ending in `.eval` (a zip file) or `.json`; a file that is there is replaced.
        task: What the task is called.
        model: The model's name, such as `openai/gpt-4o`; the result's own where it is empty.
        created: When the log was made, with an offset; now where it is None.
        facts: Times, parameters and metadata, as far as they are known.

    Returns:
        The path.

    Raises:
        DataError: The path ends otherwise, a time has no offset, the dataset lacks an item of the result, or metadata
            is no JSON.
        StoreError: The file cannot be written.
    """
    from crucible.telemetry.exports.files import whole_file  # pulls in the store: only for who writes a log

    path, facts = Path(path), facts or LogFacts()
    write = {".eval": _write_zip, ".json": _write_json}.get(path.suffix)
    if write is None:
        raise DataError(f'a log of Inspect ends in .eval or .json, got "{path.name}"')
    moments = (created, facts.started, facts.completed)
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        raise DataError("a time without an offset could mean any hour: give it one, such as datetime.now(UTC)")
    named = Named(task, model or result.model, created or datetime.now(UTC))
    failed = sum(failure_of(one) is not None for one in result.items)
    header = log_header(result, dataset, named, facts, failed)
    with whole_file(path) as file:
        write(file, header, _samples(result, dataset, named.model))
    return path


def _samples(result: EvalResult, dataset: Dataset, model: str) -> Iterator[dict[str, Any]]:
    asked = _Asked(dataset)
    for one in result.items:
        yield log_sample(asked.item(one.id), one, model)


class _Asked:
    """The items of a dataset by id: read alongside results that come in the same order, held only if they do not."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._rest = iter(dataset)
        self._last: Item | None = None
        self._all: dict[str, Item] | None = None

    def item(self, item_id: str) -> Item:
        """Return the item; raises DataError where the dataset has none of that id."""
        if self._last is not None and self._last.id == item_id:
            return self._last
        if self._all is None:
            self._last = next(self._rest, None)
            if self._last is not None and self._last.id == item_id:
                return self._last
            self._all = {item.id: item for item in self._dataset}
        if item_id not in self._all:
            raise DataError(
                f'{self._dataset.name} ({self._dataset.split}) has no item "{item_id}", which the evaluation holds: '
                "give the dataset that was evaluated"
            )
        self._last = self._all[item_id]
        return self._last


def _write_json(file: IO[bytes], header: dict[str, Any], samples: Iterator[dict[str, Any]]) -> None:
    file.write(_encoded(header)[:-1] + b',"samples":[')
    for place, sample in enumerate(samples):
        file.write((b",\n" if place else b"\n") + _encoded(sample))
    file.write(b"]}\n")


def _write_zip(file: IO[bytes], header: dict[str, Any], samples: Iterator[dict[str, Any]]) -> None:
    start = {key: header[key] for key in ("version", "eval", "plan")}
    with (
        zipfile.ZipFile(file, "w", compression=zipfile.ZIP_DEFLATED) as archive,
        tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as summaries,
    ):
        _add(archive, "_journal/start.json", _encoded(start))
        for place, sample in enumerate(samples):
            _add(archive, _member(sample), _encoded(sample))
            summaries.write((b",\n" if place else b"[") + _encoded(sample_summary(sample)))
        summaries.write(b"]" if summaries.tell() else b"[]")
        summaries.seek(0)
        with archive.open(_info("summaries.json"), "w", force_zip64=True) as member:
            shutil.copyfileobj(summaries, member)
        _add(archive, "header.json", _encoded(header))


def _member(sample: dict[str, Any]) -> str:
    """Return where Inspect looks for a sample."""
    if "\0" in sample["id"]:
        raise DataError(f"an id with a zero byte cannot name a part of a zip file: {sample['id']!r}; write a .json log")
    return f"samples/{sample['id']}_epoch_{sample['epoch']}.json"


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_info(name), content)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def _encoded(data: dict[str, Any]) -> bytes:
    try:
        return _ENCODER.encode(data)
    except UnicodeEncodeError:
        return _ENCODER.encode(_encodable(data))
    except (TypeError, ValueError, OverflowError) as error:
        name = f'item "{data["id"]}"' if "id" in data else "the log's metadata"
        raise DataError(f"{name} holds what JSON cannot: {error}") from error


def _encodable(value: Any) -> Any:
    """Return data in which half a surrogate pair, which no encoding has, is the replacement character."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_encodable(key): _encodable(inner) for key, inner in value.items()}  # pyright: ignore
    if isinstance(value, list | tuple):
        return [_encodable(inner) for inner in value]  # pyright: ignore
    return value
