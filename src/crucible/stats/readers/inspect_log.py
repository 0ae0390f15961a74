"""Logs of Inspect AI: `.eval`, a zip file of JSON members, and `.json`; only scores are kept of what is read.

A log's own summaries of its samples are read where they are complete, since a sample with its transcript can be a
thousand times as large. They leave out why a sample has no score; where Crucible wrote that down, the sample is read.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from crucible.errors import StatsError, StoreError
from crucible.ir import Outcome, Skipped
from crucible.stats.readers.asked import Asked
from crucible.stats.readers.inspect_scores import Sample, measured_sample, reason_without
from crucible.stats.readers.lines import json_value
from crucible.stats.readers.measured import Measured, ReadFile, check_metadata, choose_metric, conditions_of
from crucible.stats.readers.zip_members import ZipMembers

__all__ = ["read_inspect_json", "read_inspect_zip"]

T = TypeVar("T")
_SAMPLE = re.compile(r"samples/.+\.json")
_CRUCIBLE = "crucible-ml"  # among the packages of a log that `crucible.data.evallog` wrote


class _Dataset(msgspec.Struct, frozen=True):
    name: str | None = None
    sample_ids: list[int | str] | None = None
    samples: int | None = None


class _Config(msgspec.Struct, frozen=True):
    epochs: int | None = None
    epochs_reducer: list[str] | None = None


class _Scorer(msgspec.Struct, frozen=True):
    name: str = ""


class _Eval(msgspec.Struct, frozen=True):
    task: str = ""
    model: str = ""
    dataset: _Dataset = _Dataset()
    config: _Config = _Config()
    packages: dict[str, Any] | None = None
    scorers: list[_Scorer] | None = None


class _Header(msgspec.Struct, frozen=True):
    eval: _Eval
    status: str = "started"
    invalidated: bool = False
    samples: list[Sample] | None = None


def read_inspect_zip(path: Path, asked: Asked) -> ReadFile:
    """Read a `.eval` log, one member at a time.

    Raises:
        StoreError: It is no whole zip file, no log, or a member is damaged.
        StatsError: It has no samples, or several metrics and none was named.
        MissingExtra: It is packed with Zstandard and the package for it is not installed.
    """
    with ZipMembers(path) as members:
        start = next((name for name in ("header.json", "_journal/start.json") if name in members.names), None)
        if start is None:
            held = ", ".join(list(members.names)[:3]) or "nothing"
            raise StoreError(f"{path} is a zip file and no Inspect log: it has no header.json; it holds: {held}")
        header = _decoded(members.read(start), _Header, f"{path}: {start!r}")
        samples = list(_members(members, header))
    return _read(path, header, samples, asked)


def read_inspect_json(path: Path, asked: Asked) -> ReadFile:
    """Read a `.json` log.

    Raises:
        StoreError: It cannot be read, or is no log.
        StatsError: It has no samples, or several metrics and none was named.
    """
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            memoryview(content) as view,
        ):
            header = _decoded(view, _Header, str(path))
    except (OSError, ValueError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"cannot read {path}: {error}") from error
    return _read(path, header, header.samples or [], asked)


def _members(members: ZipMembers, header: _Header) -> Iterator[Sample]:
    """Yield the samples: the summaries, unless some lack or somebody took samples back, which summaries do not say."""
    names = [name for name in members.names if _SAMPLE.fullmatch(name)]
    if "summaries.json" in members.names and not header.invalidated:
        summaries = _decoded(members.read("summaries.json"), list[Sample], f"{members.path}: 'summaries.json'")
        if len(summaries) == len(names):
            yield from (_whole(members, one) if _hides_reasons(header, one) else one for one in summaries)
            return
    for name in names:
        yield _member(members, name)


def _hides_reasons(header: _Header, summary: Sample) -> bool:
    """Return whether the sample of a summary says why it lacks a score: only Crucible writes that down."""
    scorers = {scorer.name for scorer in header.eval.scorers or ()}
    return _CRUCIBLE in (header.eval.packages or {}) and not scorers <= (summary.scores or {}).keys()


def _whole(members: ZipMembers, summary: Sample) -> Sample:
    name = f"samples/{summary.id}_epoch_{summary.epoch}.json"
    return _member(members, name) if name in members.names else summary


def _member(members: ZipMembers, name: str) -> Sample:
    return _decoded(members.read(name), Sample, f"{members.path}: {name!r}")


def _decoded(text: bytes | memoryview, kind: type[T], place: str) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise StoreError(f"{place} is no part of an Inspect log that this version reads: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # Inspect writes NaN for a sample without score, which is no JSON
    try:
        return msgspec.convert(json_value(bytes(text)), type=kind)
    except ValueError as error:
        raise StoreError(f"{place} is no part of an Inspect log that this version reads: {error}") from error


def _read(path: Path, header: _Header, samples: list[Sample], asked: Asked) -> ReadFile:
    if not samples:
        raise StatsError(f"{path}: the log has no samples; it was written without them, or nothing was evaluated")
    measured = [measured_sample(sample, cluster=asked.cluster, prompt=asked.prompt) for sample in samples]
    metrics = tuple(dict.fromkeys(metric for one in measured for metric in one.outcomes))
    if not metrics:
        first = reason_without(samples[0])
        raise StatsError(f"{path}: none of its {len(samples)} samples has a score; the first: {_words(first)}")
    metric = choose_metric(str(path), metrics, asked)
    whole = (_with_reason(one, sample, metric) for one, sample in zip(measured, samples, strict=True))
    label = header.eval.model or header.eval.task or path.stem
    check_metadata(str(path), measured, asked, "sample")
    conditions = conditions_of(str(path), label, metric, whole, by_item=True, asked=asked)
    return ReadFile(str(path), "inspect", conditions, metrics, tuple(_notes(header, samples)))


def _with_reason(one: Measured, sample: Sample, metric: str) -> Measured:
    if metric in one.outcomes:
        return one
    outcome: Outcome = reason_without(sample) if sample.invalidation is None else Skipped("invalidated")
    return msgspec.structs.replace(one, outcomes={metric: outcome})


def _words(outcome: Outcome) -> str:
    return getattr(outcome, "error", "no reason given")


def _notes(header: _Header, samples: list[Sample]) -> Iterator[str]:
    if header.status != "success":
        yield f"the log's status is {header.status}: it may lack samples"
    expected = len(header.eval.dataset.sample_ids or ())
    held = len({str(sample.id) for sample in samples})
    if held < expected:
        yield f"the log holds {held} of the {expected} samples of its dataset"
    reducers = [reducer for reducer in header.eval.config.epochs_reducer or [] if reducer != "mean"]
    if reducers and any(sample.epoch > 1 for sample in samples):
        yield f"the log reduces its epochs by {', '.join(reducers)}; here each item counts with their mean"
