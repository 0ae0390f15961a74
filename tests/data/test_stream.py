"""Datasets that are read as they are iterated over."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import msgspec
import pyarrow
import pytest
from pyarrow import parquet

from crucible.data import DataStream, Item, Provenance, load
from crucible.errors import DataError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of 100 items."""
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(json.dumps({"input": f"q{n}", "expected": str(n)}) for n in range(100)))
    return path


def numbers(stream: DataStream) -> list[int]:
    """Return the answers as numbers, in order."""
    return [int(item.expected or "") for item in stream]


def test_a_stream_gives_what_the_dataset_holds_again_and_again(file: Path) -> None:
    """Each pass reads the file from its beginning; the hash is the dataset's."""
    stream = load("jsonl", path=file, stream=True)
    held = load("jsonl", path=file)
    assert list(stream) == list(stream) == list(held)
    assert stream.content_hash() == held.content_hash()
    assert list(stream.collect()) == list(held)
    assert (stream.name, stream.split, stream.provenance.source) == ("jsonl", "train", str(file))


def test_rows_are_read_when_they_are_asked_for(file: Path) -> None:
    """A bad row is an error when it comes, with its place; those before it are there."""
    file.write_text('{"input": "a", "expected": "b"}\n{broken')
    passing = iter(load("jsonl", path=file, stream=True))
    assert next(passing) == Item("train-1", "a", "b")
    with pytest.raises(DataError, match=r"train.jsonl:2: this is not JSON"):
        next(passing)


def test_a_length_that_is_not_known_is_not_guessed(file: Path) -> None:
    """A stream over something of known length keeps it through steps that keep it."""
    stream = load("jsonl", path=file, stream=True)
    with pytest.raises(DataError, match=r"jsonl \(train\) is a stream, .*collect\(\)"):
        len(stream)
    assert stream
    counted = DataStream("x", "train", Provenance(source="y"), lambda: stream, count=100)
    assert len(counted.map(lambda item: item)) == 100
    assert (len(counted.slice(90)), len(counted.take(7)), len(counted.shuffle(0))) == (10, 7, 100)
    with pytest.raises(DataError):
        len(counted.filter(lambda item: True))


def test_steps_are_lazy_and_noted(file: Path) -> None:
    """As a dataset's are."""

    def plus(item: Item) -> Item:
        return msgspec.structs.replace(item, expected=f"{item.expected}0")

    stream = load("jsonl", path=file, stream=True).filter(lambda item: item.id.endswith("9"), note="nines").map(plus)
    assert numbers(stream.slice(1, 3)) == [180, 280]
    assert stream.take(1).provenance.notes == (
        "filtered: nines",
        "mapped: test_steps_are_lazy_and_noted.<locals>.plus",
        "slice [0:1]",
    )
    with pytest.raises(DataError, match="sliced from its beginning; got -1:None"):
        stream.slice(-1)


@pytest.mark.parametrize("buffer", [1, 7, 100, 1000])
def test_a_buffered_shuffle_loses_nobody_and_is_early_by_its_buffer_at_most(file: Path, buffer: int) -> None:
    """The seed decides; a buffer of one is the file's order."""
    stream = load("jsonl", path=file, stream=True)
    shuffled = stream.shuffle(3, buffer=buffer)
    found = numbers(shuffled)
    assert sorted(found) == list(range(100))
    assert found == numbers(shuffled)
    assert all(number - place < buffer for place, number in enumerate(found))
    assert (found == list(range(100))) == (buffer == 1)
    assert buffer == 1 or found != numbers(stream.shuffle(4, buffer=buffer))
    with pytest.raises(DataError, match="at least 1 item, got 0"):
        stream.shuffle(0, buffer=0)


def test_a_stream_held_in_memory_can_be_limited(file: Path) -> None:
    """More than was allowed is an error, not a head."""
    stream = load("jsonl", path=file, stream=True)
    assert len(stream.collect(limit=100)) == 100
    with pytest.raises(DataError, match=r"more than 99 items; take\(99\) keeps the first ones"):
        stream.collect(limit=99)


def test_what_cannot_be_streamed_is_refused(file: Path, tmp_path: Path) -> None:
    """A sample needs the length, a JSON array is read whole, and a list is held already."""
    with pytest.raises(DataError, match="a stream cannot be sampled"):
        load("jsonl", path=file, stream=True, limit=3)
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DataError, match="a file of the format json is read whole"):
        load("file", path=tmp_path / "a.json", stream=True)
    with pytest.raises(DataError, match="held already and cannot be streamed"):
        load([("a", "b")], stream=True)


def test_the_version_and_the_schema_of_a_stream_are_checked(file: Path) -> None:
    """The digest before the first row, the fields row by row."""
    digest = load("jsonl", path=file).provenance.sha256
    assert load("jsonl", path=file, stream=True).provenance.sha256 is None
    assert load("jsonl", path=file, stream=True, version=digest).provenance.sha256 == digest
    with pytest.raises(DataError, match="is not the version asked for"):
        load("jsonl", path=file, stream=True, version="1")
    schema = {"properties": {"input": {"enum": ["q0"]}}}
    passing = iter(load("jsonl", path=file, stream=True, schema=schema))
    next(passing)
    with pytest.raises(DataError, match="train.jsonl:2: does not fit dataset.schema"):
        next(passing)


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, ending: str) -> None:
    """10,000 items take about what 2,000 do: what is held is a batch. (200,000: see the slow test.)"""
    peaks = [_peak(tmp_path, ending, count) for count in (2_000, 10_000)]
    assert peaks[1] < 1.5 * peaks[0] + 200_000


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_two_hundred_thousand_items_stay_flat_in_memory(tmp_path: Path, ending: str) -> None:
    """40 MB of rows are read with a few MB of Python objects at most."""
    assert _peak(tmp_path, ending, 200_000) < 2_000_000


def _peak(folder: Path, ending: str, count: int) -> int:
    """Return the peak of Python's memory while a file of so many items is streamed, in bytes."""
    path = folder / f"n{count}{ending}"
    filler = "x" * 150
    if ending == ".parquet":
        rows = {"input": [f"{n} {filler}" for n in range(count)], "expected": [str(n) for n in range(count)]}
        parquet.write_table(pyarrow.table(rows), path, row_group_size=5000)
    else:
        with path.open("w", encoding="utf-8") as file:
            if ending == ".csv":
                file.write("input,expected\n")
            for n in range(count):
                row = f"{n} {filler},{n}\n" if ending == ".csv" else f'{{"input": "{n} {filler}", "expected": {n}}}\n'
                file.write(row)
    stream = load("file", path=path, stream=True)
    next(iter(stream))  # imports what it needs
    tracemalloc.start()
    try:
        assert sum(1 for _ in stream) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
